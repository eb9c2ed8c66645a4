//! A chip that is pulled out and put back: whoever listened goes on listening.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use packmule_bus::link::{OpenError, Port, Probe, Transport, Way};
use packmule_nfc::chip::{ApduLink, Chip, ChipError, Target};
use packmule_nfc::field::Field;
use packmule_nfc::{Chips, Nfc};

/// The chips of a field, which do not work while the plug is out.
struct Plugs {
    field: Field,
    out: Arc<AtomicBool>,
}

struct Plugged {
    chip: Box<dyn Chip>,
    out: Arc<AtomicBool>,
}

impl Plugged {
    fn look(&self) -> Result<(), ChipError> {
        match self.out.load(Ordering::SeqCst) {
            true => Err(ChipError::Broken(std::io::ErrorKind::NotConnected.into())),
            false => Ok(()),
        }
    }
}

impl ApduLink for Plugged {
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        self.look()?;
        self.chip.exchange(command, wait)
    }
}

impl Chip for Plugged {
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError> {
        self.look()?;
        self.chip.seek(wait)
    }

    fn release(&mut self) {
        self.chip.release();
    }

    fn listen(&mut self, wait: Duration) -> Result<bool, ChipError> {
        self.look()?;
        self.chip.listen(wait)
    }

    fn hear(&mut self, wait: Duration) -> Result<Vec<u8>, ChipError> {
        self.look()?;
        self.chip.hear(wait)
    }

    fn answer(&mut self, answer: &[u8]) -> Result<(), ChipError> {
        self.look()?;
        self.chip.answer(answer)
    }
}

impl Chips for Plugs {
    fn probe(&self) -> Probe {
        self.field.probe()
    }

    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError> {
        if self.out.load(Ordering::SeqCst) {
            return Err(OpenError::Unavailable("it is not plugged in".to_owned()));
        }
        let out = Arc::clone(&self.out);
        let chip = self.field.open(device)?;
        Ok(Box::new(Plugged { chip, out }))
    }
}

#[tokio::test]
async fn a_kiosk_whose_chip_is_pulled_out_and_put_back_is_tapped_again() {
    let (field, out) = (Field::default(), Arc::new(AtomicBool::new(false)));
    let nfc = Nfc::over(Plugs {
        field: field.clone(),
        out: Arc::clone(&out),
    });
    let at = Way::parse("nfc:kiosk?card").unwrap();
    let mut kiosk = nfc.listen(&at).await.unwrap();
    out.store(true, Ordering::SeqCst);
    // Told once for the thread that ended, and once for each try while it is out.
    for _ in 0..3 {
        assert!(kiosk.accept().await.is_err());
    }
    out.store(false, Ordering::SeqCst);
    let phone = Nfc::over(field);
    let alice = Way::parse("nfc:alice").unwrap();
    let met = tokio::join!(phone.open(&alice), kiosk.accept());
    assert!(
        matches!(met, (Ok(Port::Link(_)), Ok(Port::Link(_)))),
        "they meet"
    );
}
