//! Packed messages of exact sizes, both ways or one, over one NFC link: DEVICE WHO COMING [SIZE...].
//!
//! What is it: a session at one end of a touch: it offers messages of these sizes and takes those
//! of the other end, checks each by its name, and prints the names that came. Who calls it:
//! `tests/nfc/nodes.py`, with every back end. What can go wrong: nobody comes, or a message is not
//! what it should be; it says so and fails. Called as `nfc-worker` it is libnfc's own process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use packmule_bus::bus::io::WireHash;
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{Link, Port, Role, Transport, Way};
use packmule_bus::ranges::Ranges;
use packmule_bus::session::{Answer, Bodies, Event, Offer, Session, SessionConfig};
use packmule_bus::time::Time;
use packmule_bus::{Envelope, EnvelopeId};
use packmule_transports::nfc::Nfc;
use packmule_transports::{nfc_chips, nfc_worker};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

type Fault = Box<dyn std::error::Error>;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The other end has until then to hear that we have all.
const LINGER: Duration = Duration::from_secs(1);

/// What we offer: wire forms by their names.
#[derive(Default)]
struct Shelf(BTreeMap<EnvelopeId, Vec<u8>>);

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

/// A message of this size that nobody can shorten, another one for each who says it.
fn packed(who: &str, size: usize) -> Vec<u8> {
    let mut state = who.bytes().fold(size as u64 | 1, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// One end.
struct End {
    session: Session,
    began: Instant,
    shelf: Shelf,
    /// Of what we offer, what they have.
    settled: usize,
    /// What comes, and what is there of it.
    coming: BTreeMap<EnvelopeId, (Vec<u8>, Ranges)>,
    came: BTreeMap<EnvelopeId, usize>,
}

impl End {
    fn new(link: &Link, who: &str, sizes: &[usize]) -> Result<Self, Fault> {
        let own = u8::from(link.role == Role::Dialer) + 1;
        let config = SessionConfig::default();
        let mut session = Session::new(
            Time::default(),
            link.facts,
            link.role,
            &[own; 32],
            [own; 32],
            config,
        );
        let mut shelf = Shelf::default();
        for (age, size) in sizes.iter().enumerate() {
            let envelope = Envelope::from_packed(&packed(who, *size))?;
            let wire = envelope.to_wire();
            session.offer(Offer {
                id: envelope.id(),
                wire: WireHash::of(&wire),
                bytes: wire.len() as u64,
                label: Label {
                    to: DidTag::of("did:example:bob"),
                    expires: None,
                    priority: Priority::Normal,
                    hops: 4,
                    copies: 1,
                },
                age: age as u64,
            });
            shelf.0.insert(envelope.id(), wire);
        }
        Ok(Self {
            session,
            began: Instant::now(),
            shelf,
            settled: 0,
            coming: BTreeMap::new(),
            came: BTreeMap::new(),
        })
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn events(&mut self) -> Result<(), Fault> {
        while let Some(event) = self.session.poll() {
            match event {
                Event::Offered(offers) => {
                    for offer in offers {
                        let room = vec![0; usize::try_from(offer.bytes)?];
                        self.coming.insert(offer.id, (room, Ranges::new()));
                        let all = Ranges::of(0..offer.bytes);
                        self.session.answer(&offer.id, Answer::Want(all));
                    }
                }
                Event::Data { id, offset, bytes } => self.data(id, offset, &bytes)?,
                Event::Custody(_) => self.settled += 1,
                Event::Refused(id, why) => return Err(format!("{id} was refused: {why:?}").into()),
                Event::Broken(why) => return Err(why.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn data(&mut self, id: EnvelopeId, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let (wire, have) = self.coming.get_mut(&id).ok_or("bytes that nobody wants")?;
        let end = offset + bytes.len() as u64;
        let place = wire.get_mut(usize::try_from(offset)?..usize::try_from(end)?);
        place.ok_or("bytes beyond the end")?.copy_from_slice(bytes);
        have.insert(offset..end);
        if !have.missing(0..wire.len() as u64).is_empty() {
            return Ok(());
        }
        let envelope = Envelope::decode(wire)?;
        if envelope.id() != id {
            return Err(format!("{id} is {}", envelope.id()).into());
        }
        if self.came.insert(id, envelope.to_json().len()).is_some() {
            return Err(format!("{id} came twice").into());
        }
        self.session.stored(&id);
        Ok(())
    }
}

/// Speaks until all that is to go has gone, and so many have come.
async fn carry(link: Link, who: &str, sizes: &[usize], most: usize) -> Result<End, Fault> {
    let mut end = End::new(&link, who, sizes)?;
    let Link { mut tx, mut rx, .. } = link;
    let (out, mut going) = mpsc::channel(1);
    let sender = tokio::spawn(async move {
        while let Some(pdu) = going.recv().await {
            if tx.send(pdu).await.is_err() {
                return;
            }
        }
    });
    let (mut more, mut done) = (true, None);
    loop {
        end.events()?;
        if done.is_none() && end.settled == sizes.len() && end.came.len() == most {
            done = Some(tokio::time::Instant::now() + LINGER);
        }
        let over = done.unwrap_or_else(|| tokio::time::Instant::now() + PATIENCE);
        tokio::select! {
            pdu = rx.recv() => match pdu {
                Ok(pdu) => {
                    end.session.receive(end.now(), &pdu);
                    more = true;
                }
                Err(_) if done.is_some() => break,
                Err(why) => return Err(why.into()),
            },
            permit = out.reserve(), if more => {
                match end.session.transmit(end.now(), &mut end.shelf) {
                    Some(pdu) => permit?.send(pdu),
                    None => more = false,
                }
            }
            () = sleep_until(over) => break,
        }
    }
    drop(out);
    // Whoever hung up already needs nothing more.
    let _ = timeout(LINGER, sender).await;
    Ok(end)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["nfc-worker", "--device", device] => Ok(nfc_worker(device)?),
        [device, who, most, sizes @ ..] => {
            let way = Way::parse(&format!("nfc:{device}")).ok_or("no way")?;
            let mut listener = Nfc::over(nfc_chips()).listen(&way).await?;
            let sizes: Result<Vec<usize>, _> = sizes.iter().map(|size| size.parse()).collect();
            let met = timeout(PATIENCE, listener.accept()).await??;
            let Port::Link(link) = met else {
                return Err("no link".into());
            };
            let end = timeout(PATIENCE, carry(link, who, &sizes?, most.parse()?)).await??;
            for (id, bytes) in &end.came {
                println!("{id} {bytes}");
            }
            println!("done {}", end.settled);
            Ok(())
        }
        _ => Err("DEVICE, WHO, how many come, and SIZES are needed".into()),
    }
}
