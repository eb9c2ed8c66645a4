//! `packmule bench`: how fast this machine is, measured with the real binary.

mod drive;
mod letters;
mod link;
mod pair;
mod qr;

use crate::args::{BenchVerb, Globals};
use crate::fault::Fault;
use crate::ui::output::Report;

/// Measures.
pub(crate) fn run(globals: &Globals, verb: &BenchVerb) -> Result<Report, Fault> {
    match verb {
        BenchVerb::Link(args) => link::run(globals, args),
        BenchVerb::Drive(args) => drive::run(globals, args),
        BenchVerb::Qr(args) => qr::run(globals, args),
    }
}
