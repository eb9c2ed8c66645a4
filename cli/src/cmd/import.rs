//! `packmule import DIR`: take custody of a folder's messages, then open them; a node that runs on
//! this home is told.

use packmule_transports::drive::Folder;

use crate::args::{Globals, ImportArgs};
use crate::fault::Fault;
use crate::flow::{node, take};
use crate::ui::output::Report;

use super::arrived;

/// Imports.
pub(crate) fn run(globals: &Globals, args: &ImportArgs) -> Result<Report, Fault> {
    let quiet = globals.quiet || globals.json;
    // The keys first: with a wrong passphrase nothing is moved.
    let mut opener = arrived::Opener::new(globals, args.keep_sealed)?;
    let folder = Folder::open(&args.dir)?;
    let whose = take::For::of(args.carry);
    let taken = take::take_folder(opener.home(), &folder, whose, quiet)?;
    let judged = opener.judge(quiet)?;
    // A node of this home carries what is for others, and a gateway answers its accounts.
    node::poke(opener.home().dir());
    arrived::report(taken, judged)
}
