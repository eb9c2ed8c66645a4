//! The codes that are compared, each as a sender whose frames are numbered and a receiver.

use packmule_bus::Envelope;
use packmule_bus::fountain::{Catcher, Caught, Fountain};
use packmule_qr::{Found, Reader};

/// A sender and a receiver of one message.
pub(crate) trait Code {
    /// A new receiver.
    fn restart(&mut self);
    /// It receives frame `n`, from 0. Whether the message is whole now, and as it was sent.
    fn take(&mut self, n: u64) -> bool;
}

type Make = fn(usize, usize) -> Box<dyn Code>;

/// All of them.
pub(crate) const CODES: [(&str, Make); 4] = [
    ("packmule", |k, fragment| Box::new(Ours::new(k, fragment))),
    ("ur, our reader", |k, fragment| {
        Box::new(UrByUs::new(k, fragment))
    }),
    ("ur crate", |k, fragment| {
        Box::new(UrCrate::new(k, fragment))
    }),
    ("cycling", |k, _| Box::new(Cycling::new(k))),
];

/// Bytes that make exactly k fragments.
fn object(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let byte = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(byte).collect()
}

/// Our fountain.
struct Ours {
    object: Vec<u8>,
    sender: Fountain,
    frames: Vec<Vec<u8>>,
    receiver: Catcher,
}

impl Ours {
    fn new(k: usize, fragment: usize) -> Self {
        let object = object(k * fragment);
        let sender = Fountain::new(&object, fragment).expect("a sender");
        assert_eq!(sender.source_count() as usize, k);
        Self {
            object,
            sender,
            frames: Vec::new(),
            receiver: Catcher::default(),
        }
    }
}

impl Code for Ours {
    fn restart(&mut self) {
        self.receiver = Catcher::default();
    }

    fn take(&mut self, n: u64) -> bool {
        while self.frames.len() as u64 <= n {
            let esi = u32::try_from(self.frames.len()).expect("few frames");
            self.frames.push(self.sender.frame(esi).expect("a frame"));
        }
        match self
            .receiver
            .catch(&self.frames[n as usize])
            .expect("a good frame")
        {
            Caught::Complete { object, .. } => {
                assert!(object == self.object, "wrong bytes");
                true
            }
            _ => false,
        }
    }
}

/// The parts of the `ur` crate, in order, as text.
struct Parts {
    encoder: ur::Encoder<'static>,
    texts: Vec<String>,
}

impl Parts {
    fn new(k: usize, fragment: usize) -> (Vec<u8>, Self) {
        // A CBOR byte string of exactly k fragments: one head byte and two or four of length.
        let body = k * fragment - if k * fragment < 0x1_0000 { 3 } else { 5 };
        // A message in our wire form, which has a head of its own.
        let wire = |length| {
            Envelope::from_packed(&object(length))
                .expect("an envelope")
                .to_wire()
        };
        let packed = (0..32)
            .map(|head| wire(body - head))
            .find(|wire| wire.len() == body);
        let packed = packed.expect("a message of this length");
        let mut message = Vec::new();
        match u16::try_from(body) {
            Ok(short) => {
                message.push(0x59);
                message.extend(short.to_be_bytes());
            }
            Err(_) => {
                message.push(0x5a);
                message.extend(u32::try_from(body).expect("short").to_be_bytes());
            }
        }
        message.extend(&packed);
        let encoder = ur::Encoder::new(&message, fragment, "x-didcomm").expect("an encoder");
        assert_eq!(encoder.fragment_count(), k);
        (
            message,
            Self {
                encoder,
                texts: Vec::new(),
            },
        )
    }

    fn get(&mut self, n: u64) -> &str {
        while self.texts.len() as u64 <= n {
            self.texts.push(self.encoder.next_part().expect("a part"));
        }
        &self.texts[n as usize]
    }
}

/// The `ur` crate at both ends.
struct UrCrate {
    message: Vec<u8>,
    parts: Parts,
    receiver: ur::Decoder,
}

impl UrCrate {
    fn new(k: usize, fragment: usize) -> Self {
        let (message, parts) = Parts::new(k, fragment);
        Self {
            message,
            parts,
            receiver: ur::Decoder::default(),
        }
    }
}

impl Code for UrCrate {
    fn restart(&mut self) {
        self.receiver = ur::Decoder::default();
    }

    fn take(&mut self, n: u64) -> bool {
        self.receiver
            .receive(self.parts.get(n))
            .expect("a good part");
        let whole = self.receiver.complete();
        if whole {
            let got = self.receiver.message().expect("a message");
            assert!(got.as_ref() == Some(&self.message), "wrong bytes");
        }
        whole
    }
}

/// Our reader on the crate's parts.
struct UrByUs {
    message: Vec<u8>,
    parts: Parts,
    receiver: Reader,
}

impl UrByUs {
    fn new(k: usize, fragment: usize) -> Self {
        let (message, parts) = Parts::new(k, fragment);
        Self {
            message,
            parts,
            receiver: Reader::default(),
        }
    }
}

impl Code for UrByUs {
    fn restart(&mut self) {
        self.receiver = Reader::default();
    }

    fn take(&mut self, n: u64) -> bool {
        match self.receiver.take(self.parts.get(n).as_bytes()) {
            Found::Envelope(envelope) => {
                assert!(self.message.ends_with(&envelope.to_wire()), "wrong bytes");
                true
            }
            Found::Part(_) => false,
            other => panic!("{other:?}"),
        }
    }
}

/// Every frame once, then again from the first: what BBQr and most wallets do. Only counted.
struct Cycling {
    held: Vec<bool>,
    missing: usize,
}

impl Cycling {
    fn new(k: usize) -> Self {
        Self {
            held: vec![false; k],
            missing: k,
        }
    }
}

impl Code for Cycling {
    fn restart(&mut self) {
        self.held.fill(false);
        self.missing = self.held.len();
    }

    fn take(&mut self, n: u64) -> bool {
        let at = n as usize % self.held.len();
        if !std::mem::replace(&mut self.held[at], true) {
            self.missing -= 1;
        }
        self.missing == 0
    }
}
