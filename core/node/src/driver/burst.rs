//! What has come meanwhile goes to the bus together.
//!
//! Called by the driver's loop. Under load many small things wait at once: commits, PDUs,
//! submissions. Given to the bus one by one each would make a batch for the disk and a PDU of its
//! own; given together they share them. What can go wrong: nothing waits for company here: only
//! what is there already is taken, and no more of it than [`MOST`] and [`BYTES`].

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Input, Output, Submission};
use packmule_bus::receipt::Reason;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{AHEAD, Command, Driver, Ears, Heard};
use crate::outbox::OwnRow;

/// Inputs at once.
const MOST: usize = 64;
/// Bytes of them: a batch that is too large for the disk takes all of its messages with it.
const BYTES: usize = 256 << 10;

/// Inputs that wait for the bus, and the places of their PDUs in the links' allowances.
#[derive(Default)]
struct Burst {
    inputs: Vec<Input>,
    allowances: Vec<OwnedSemaphorePermit>,
    bytes: usize,
    committed: bool,
}

impl Driver {
    /// Hears this, and what else is there.
    pub(super) fn take(&mut self, heard: Heard, ears: &mut Ears) {
        let mut burst = Burst::default();
        self.gather(heard, &mut burst);
        self.gather_more(burst, ears);
    }

    /// Takes this submission on, and what else is there.
    pub(super) fn take_submit(&mut self, command: Command, ears: &mut Ears) {
        let mut burst = Burst::default();
        self.gather_submit(command, &mut burst);
        self.gather_more(burst, ears);
    }

    fn gather_more(&mut self, mut burst: Burst, ears: &mut Ears) {
        let keeping_up = self.writer.waiting() < AHEAD;
        while burst.inputs.len() < MOST && burst.bytes < BYTES {
            if let Ok(heard) = ears.answers.try_recv() {
                self.gather(heard, &mut burst);
            } else if let Some(heard) = keeping_up.then(|| ears.brought.try_recv().ok()).flatten() {
                self.gather(heard, &mut burst);
            } else if let Some(command) = keeping_up.then(|| ears.submits.try_recv().ok()).flatten()
            {
                self.gather_submit(command, &mut burst);
            } else {
                break;
            }
        }
        self.flush(&mut burst);
    }

    /// Puts it with the others, if it is of the kinds that come in crowds.
    fn gather(&mut self, heard: Heard, burst: &mut Burst) {
        match heard {
            Heard::Pdu(link, pdu, allowance) => {
                burst.bytes += pdu.len();
                burst.inputs.push(Input::Pdu(link, pdu));
                burst.allowances.push(allowance);
            }
            Heard::Input(
                input @ (Input::Committed(_)
                | Input::Room(..)
                | Input::Acknowledge(..)
                | Input::Verified(..)
                | Input::Fetched(..)),
            ) => {
                burst.committed |= matches!(input, Input::Committed(_));
                burst.inputs.push(input);
            }
            other => {
                self.flush(burst);
                self.hear(other);
            }
        }
    }

    fn gather_submit(&mut self, command: Command, burst: &mut Burst) {
        match command {
            Command::Submit {
                submission,
                row,
                seek,
                answer,
            } => {
                burst.bytes += submission.wire.len();
                let input = self.submission(*submission, row, seek, answer);
                burst.inputs.push(input);
            }
            other => {
                self.flush(burst);
                self.obey(other);
            }
        }
    }

    /// Notes who waits for it.
    pub(super) fn submission(
        &mut self,
        submission: Submission,
        row: OwnRow,
        seek: Option<bool>,
        answer: oneshot::Sender<Result<EnvelopeId, Reason>>,
    ) -> Input {
        let id = submission.id;
        self.introduce(&row.peer, seek);
        self.waiting.entry(id).or_default().push(answer);
        self.rows.insert(id, row);
        Input::Submit(submission)
    }

    fn flush(&mut self, burst: &mut Burst) {
        let Burst {
            inputs,
            allowances,
            committed,
            ..
        } = std::mem::take(burst);
        if inputs.is_empty() {
            return;
        }
        let outputs: Vec<Output> = self.bus.handle_all(self.clock.now(), inputs).collect();
        drop(allowances);
        for output in outputs {
            self.carry_out(output);
        }
        if committed && self.post.waits() && self.writer.waiting() < AHEAD {
            self.look();
        }
    }
}
