//! A link over a channel: a task carries values between the radio and a [`Pipe`].
//!
//! What is it: [`open`], which makes a [`Link`] of a [`Channel`], for either role and both bearers.
//! Who calls it: [`crate::Ble`]; tests. What can go wrong: a stranger opens the link wrongly or
//! breaks its rules, and it ends; the radio goes, and what had come can still be read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use packmule_bus::link::{BoxFut, Link, LinkError, LinkFacts, LinkRx, LinkTx, OpenError, Role};
use tokio::sync::Notify;

use crate::pipe::{Pipe, PipeError};
use crate::plan;
use crate::radio::{Bearer, Channel};
use crate::value::Tag;

/// After a farewell the other side ends the connection; if not within this time, we do.
const PARTING: Duration = Duration::from_secs(5);

/// Opens a link of a device that advertises with this tag; back comes the other side's tag with
/// it. How long the other side may take is the caller's matter.
///
/// # Errors
/// If the connection ends, or the other side says what it should not.
pub async fn open(mut channel: Channel, role: Role, tag: Tag) -> Result<(Link, Tag), OpenError> {
    let no = |why: &dyn std::fmt::Display| OpenError::NoAnswer(why.to_string());
    let pipe = Pipe::new(role, channel.longest, tag);
    let mut pipe = pipe.ok_or_else(|| no(&"its values are too short"))?;
    while !pipe.is_open() {
        if let Some(value) = pipe.say() {
            channel.tx.send(value).await.map_err(|fault| no(&fault))?;
        } else {
            let value = channel.rx.recv().await.map_err(|fault| no(&fault))?;
            pipe.heard(&value).map_err(|fault| no(&fault))?;
        }
    }
    let theirs = pipe.tag().unwrap_or_default();
    let Channel {
        bearer,
        with,
        tx,
        rx,
        ..
    } = channel;
    let (facts, tx, rx) = match bearer {
        Bearer::Gatt => numbered(pipe, tx, rx),
        Bearer::L2cap => {
            let tx: Box<dyn LinkTx> = Box::new(Sdus(tx));
            (SDUS, tx, rx)
        }
    };
    let link = Link {
        facts,
        role,
        with,
        tx,
        rx,
    };
    Ok((link, theirs))
}

/// What a link over L2CAP is like.
const SDUS: LinkFacts = LinkFacts {
    mtu: plan::SDU,
    ordered: true,
    reliable: true,
    half_duplex: false,
    sealed: false,
    // Four data PDUs in each interval of 30 ms, an eighth of an SDU each.
    rate: Some(32_900),
};

/// SDUs as they are: the channel itself has order, credits and an end.
struct Sdus(Box<dyn LinkTx>);

impl LinkTx for Sdus {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            fits(&pdu, plan::SDU)?;
            self.0.send(pdu).await
        })
    }
}

/// Is it a PDU for this link?
fn fits(pdu: &[u8], limit: usize) -> Result<(), LinkError> {
    match pdu.len() {
        0 => Err(LinkError::Refused("an empty PDU is no value".to_owned())),
        bytes if bytes > limit => Err(LinkError::TooLarge { bytes, limit }),
        _ => Ok(()),
    }
}

/// What the two halves and the task have in common.
struct Shared {
    state: Mutex<State>,
    /// There may be something to send.
    say: Notify,
    /// There may be room for a PDU to go.
    room: Notify,
    /// There may be a PDU that came.
    came: Notify,
}

struct State {
    pipe: Pipe,
    /// A value is on its way into the stack.
    in_hand: bool,
    /// Nothing will go or come any more.
    over: bool,
    /// Halves of the link that are left.
    halves: u8,
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves it whole: nothing in here panics.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&self) {
        self.with(|state| state.over = true);
        self.say.notify_one();
        self.room.notify_one();
        self.came.notify_one();
    }

    fn half_left(&self) {
        self.with(|state| {
            state.halves = state.halves.saturating_sub(1);
            if state.halves == 0 {
                state.pipe.leave();
            }
        });
        self.say.notify_one();
    }
}

fn numbered(
    pipe: Pipe,
    radio_tx: Box<dyn LinkTx>,
    radio_rx: Box<dyn LinkRx>,
) -> (LinkFacts, Box<dyn LinkTx>, Box<dyn LinkRx>) {
    let facts = pipe.facts();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            pipe,
            in_hand: false,
            over: false,
            halves: 2,
        }),
        say: Notify::new(),
        room: Notify::new(),
        came: Notify::new(),
    });
    let carried = Arc::clone(&shared);
    tokio::spawn(async move {
        tokio::select! {
            () = hear(&carried, radio_rx) => {}
            () = speak(&carried, radio_tx) => {}
        }
        carried.end();
    });
    let tx = Tx {
        shared: Arc::clone(&shared),
        mtu: facts.mtu,
    };
    (facts, Box::new(tx), Box::new(Rx { shared }))
}

/// Gives what comes to the pipe, until the other side or the radio has gone.
async fn hear(shared: &Shared, mut radio: Box<dyn LinkRx>) {
    while let Ok(value) = radio.recv().await {
        let heard = shared.with(|state| {
            state.pipe.heard(&value)?;
            Ok::<_, PipeError>(state.pipe.is_over())
        });
        shared.came.notify_one();
        // It may have brought leave to go on.
        shared.say.notify_one();
        if !matches!(heard, Ok(false)) {
            return;
        }
    }
}

/// Sends what the pipe has to say, until the farewell or until the radio has gone.
async fn speak(shared: &Shared, mut radio: Box<dyn LinkTx>) {
    loop {
        let (value, left) = shared.with(|state| {
            let value = state.pipe.say();
            state.in_hand = value.is_some();
            (value, state.pipe.has_left())
        });
        match value {
            Some(value) => {
                let sent = radio.send(value).await;
                shared.with(|state| state.in_hand = false);
                if sent.is_err() {
                    // What came before that is still to be heard, and then the same news.
                    std::future::pending::<()>().await;
                }
                shared.room.notify_one();
            }
            None if left => {
                tokio::time::sleep(PARTING).await;
                return;
            }
            None => shared.say.notified().await,
        }
    }
}

struct Tx {
    shared: Arc<Shared>,
    mtu: usize,
}

impl Tx {
    /// Waits until nothing is under way to the stack.
    async fn idle(&self) -> Result<(), LinkError> {
        loop {
            let (idle, over) = self
                .shared
                .with(|state| (state.pipe.has_room() && !state.in_hand, state.over));
            if over {
                return Err(LinkError::Closed);
            }
            if idle {
                return Ok(());
            }
            self.shared.room.notified().await;
        }
    }
}

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            fits(&pdu, self.mtu)?;
            self.idle().await?;
            self.shared.with(|state| state.pipe.give(pdu));
            self.shared.say.notify_one();
            self.idle().await
        })
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.shared.half_left();
    }
}

struct Rx {
    shared: Arc<Shared>,
}

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async move {
            loop {
                let (pdu, over) = self.shared.with(|state| (state.pipe.take(), state.over));
                if let Some(pdu) = pdu {
                    // There may be leave to give.
                    self.shared.say.notify_one();
                    return Ok(pdu);
                }
                if over {
                    return Err(LinkError::Closed);
                }
                self.shared.came.notified().await;
            }
        })
    }
}

impl Drop for Rx {
    fn drop(&mut self) {
        self.shared.half_left();
    }
}
