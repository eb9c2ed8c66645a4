//! `nfc:DEVICE`: opening a way is to be a reader, listening on one to be both in turns.
//!
//! What is it: [`Nfc`], which finds a chip by its device and gives it a thread; [`Chips`], whoever
//! knows the devices. Who calls it: the node's driver, `packmule nfc`. What can go wrong: no such
//! device, or another program has it; nobody comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use packmule_bus::link::{BoxFut, Link, Listener, OpenError, Port, Probe, Transport, Way};
use tokio::sync::mpsc;

use crate::applet::Applet;
use crate::chip::Chip;
use crate::field::Field;
use crate::pn532::Serial;
use crate::t4t::Type4;
use crate::tap::{Jitter, Roles, Tap, jitter};

/// The transport's name.
const NAME: &str = "nfc";

/// Whoever knows the devices here.
pub trait Chips: Send + Sync {
    /// Is there any?
    fn probe(&self) -> Probe;

    /// The chip of this device, for us alone. Blocks for a moment.
    ///
    /// # Errors
    /// If there is none, or it does not answer.
    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError>;
}

impl Chips for Field {
    fn probe(&self) -> Probe {
        Probe {
            ready: true,
            finding: "a field in memory".to_owned(),
        }
    }

    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError> {
        Ok(Box::new(self.chip(device)))
    }
}

/// Links by a touch.
#[derive(Clone)]
pub struct Nfc {
    chips: Arc<dyn Chips>,
    jitter: Jitter,
    tag: Type4,
}

impl Nfc {
    /// Over these chips, showing an empty tag to strangers, on which they cannot write.
    #[must_use]
    pub fn over(chips: impl Chips + 'static) -> Self {
        Self {
            chips: Arc::new(chips),
            jitter: jitter(),
            tag: Type4::default(),
        }
    }

    /// Over PN532 chips on serial lines: the device is the line's path.
    #[must_use]
    pub fn serial() -> Self {
        Self::over(Serial)
    }

    /// Shows this tag to readers that know us not.
    #[must_use]
    pub fn showing(mut self, tag: Type4) -> Self {
        self.tag = tag;
        self
    }

    /// With other times to be a card.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Starts a chip's thread; the links come here. A chip takes a moment to wake.
    async fn start(
        &self,
        way: &Way,
        roles: Option<Roles>,
        once: bool,
    ) -> Result<Running, OpenError> {
        let (device, said) = read(way)?;
        let (chips, device) = (Arc::clone(&self.chips), device.to_owned());
        let opened = tokio::task::spawn_blocking(move || chips.open(&device)).await;
        let chip = opened.map_err(|fault| OpenError::Unavailable(fault.to_string()))??;
        let (links, came) = mpsc::channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (fault_tx, fault) = mpsc::channel(1);
        let tap = Tap {
            chip,
            roles: roles.unwrap_or(said),
            jitter: Arc::clone(&self.jitter),
            applet: Applet::new(self.tag.clone()),
            links,
            stop: Arc::clone(&stop),
            once,
            name: way.to_string(),
        };
        let running = move || {
            if let Err(fault) = tap.run() {
                // Nobody may wait for it any more.
                let _ = fault_tx.try_send(fault.to_string());
            }
        };
        thread::Builder::new()
            .name("nfc".to_owned())
            .spawn(running)?;
        Ok(Running {
            links: came,
            fault,
            stop,
        })
    }
}

/// A chip's thread, from outside. Dropped, it ends with its link.
struct Running {
    links: mpsc::Receiver<Link>,
    fault: mpsc::Receiver<String>,
    stop: Arc<AtomicBool>,
}

impl Running {
    async fn next(&mut self) -> Result<Link, OpenError> {
        if let Some(link) = self.links.recv().await {
            return Ok(link);
        }
        let why = self.fault.recv().await;
        let why = why.unwrap_or_else(|| "its thread has ended".to_owned());
        Err(OpenError::Unavailable(why))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Transport for Nfc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async { self.chips.probe() })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async move {
            // How long to look for somebody is the caller's matter.
            let mut running = self.start(to, Some(Roles::Reader), true).await?;
            Ok(Port::Link(running.next().await?))
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let running = Some(self.start(at, None, false).await?);
            let (nfc, way) = (self.clone(), at.clone());
            Ok(Box::new(Listening { nfc, way, running }) as Box<dyn Listener>)
        })
    }
}

struct Listening {
    nfc: Nfc,
    way: Way,
    /// None after a fault: whoever asks again, in his time, has the chip opened anew.
    running: Option<Running>,
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            let running = match &mut self.running {
                Some(running) => running,
                none => none.insert(self.nfc.start(&self.way, None, false).await?),
            };
            match running.next().await {
                Ok(link) => Ok(Port::Link(link)),
                Err(fault) => {
                    self.running = None;
                    Err(fault)
                }
            }
        })
    }
}

/// The device in a way, and which roles it names.
fn read(way: &Way) -> Result<(&str, Roles), OpenError> {
    let rest = way.as_str().strip_prefix("nfc:").unwrap_or_default();
    let (device, roles) = match rest.split_once('?') {
        None => (rest, Some(Roles::Both)),
        Some((device, "card")) => (device, Some(Roles::Card)),
        Some((device, "reader")) => (device, Some(Roles::Reader)),
        Some((device, _)) => (device, None),
    };
    match roles {
        Some(roles) if !device.is_empty() => Ok((device, roles)),
        _ => Err(OpenError::BadWay {
            transport: NAME,
            way: way.clone(),
            why: "it should be nfc:DEVICE, nfc:DEVICE?card or nfc:DEVICE?reader".to_owned(),
        }),
    }
}
