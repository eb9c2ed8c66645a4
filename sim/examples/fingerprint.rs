//! The fingerprint of the first 20 seeds of the mixed plan: the same on every machine and in
//! every build; `./check` compares it with the one kept in `fixtures/scenarios`.

#![expect(clippy::print_stdout, reason = "an example for the command line")]

use packmule_sim::{Options, Plan, PlanError, run};

fn main() -> Result<(), PlanError> {
    let plan = Plan::load("mixed".as_ref())?;
    let summary = run(&plan, 0..20, &Options::default());
    println!("{:016x}", summary.hash);
    Ok(())
}
