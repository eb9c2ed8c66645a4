//! packmule's agent behind the peers' contract (`../../../README.md`): `peer-packmule < task`.

use std::process::ExitCode;

use packmule_interop::Ours;
use packmule_interop_foreign::job;

fn main() -> ExitCode {
    let task = serde_json::from_reader(std::io::stdin()).map_err(|error| error.to_string());
    let results = task.and_then(|task| Ok(job::run(&Ours::new(&job::parties(&task)?), &task)));
    match results {
        Ok(results) => {
            println!("{results}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("peer-packmule: {problem}");
            ExitCode::FAILURE
        }
    }
}
