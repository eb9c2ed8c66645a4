//! The two Rust implementations behind the peers' contract: `peer-rust sicpa|affinidi < task`.

use std::process::ExitCode;

use packmule_interop_foreign::{affinidi::Affinidi, job, sicpa::Sicpa};

fn main() -> ExitCode {
    match answer() {
        Ok(results) => {
            println!("{results}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("peer-rust: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> Result<serde_json::Value, String> {
    let task = serde_json::from_reader(std::io::stdin()).map_err(|error| error.to_string())?;
    let parties = job::parties(&task)?;
    match std::env::args().nth(1).as_deref() {
        Some("sicpa") => Ok(job::run(&Sicpa::new(&parties), &task)),
        Some("affinidi") => Ok(job::run(&Affinidi::new(&parties), &task)),
        _ => Err("say which: sicpa or affinidi".into()),
    }
}
