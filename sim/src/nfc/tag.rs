//! Tags that have no chip: stickers of type 2.
//!
//! What is it: an NTAG21x as its data sheet (NXP, rev. 3.0) has it, without passwords and counters.
//! Who calls it: the field. What can go wrong: a command that it does not know; it says nothing
//! then, as they do.

/// Which sticker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TagKind {
    /// 144 bytes.
    Ntag213,
    /// 496 bytes (504 with what its capabilities do not count).
    Ntag215,
    /// 872 bytes.
    Ntag216,
}

impl TagKind {
    /// The kind of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "ntag213" => Self::Ntag213,
            "ntag215" => Self::Ntag215,
            "ntag216" => Self::Ntag216,
            _ => return None,
        })
    }

    /// All pages, the size that its capabilities tell (in 8 bytes), and the code of its storage.
    const fn shape(self) -> (usize, u8, u8) {
        match self {
            Self::Ntag213 => (45, 0x12, 0x0f),
            Self::Ntag215 => (135, 0x3e, 0x11),
            Self::Ntag216 => (231, 0x6d, 0x13),
        }
    }
}

/// A sticker.
#[derive(Clone, Debug)]
pub struct Tag {
    kind: TagKind,
    uid: [u8; 7],
    pages: Vec<[u8; 4]>,
}

impl Tag {
    /// One as it leaves the factory, with the number `serial` in its name.
    #[must_use]
    pub fn new(kind: TagKind, serial: u16) -> Self {
        let (count, size, _) = kind.shape();
        let [high, low] = serial.to_be_bytes();
        // 04: NXP. The checks over the name are in the name's pages.
        let uid = [4, 0x70, 0x6d, high, low, 0x75, 0x80];
        let mut pages = vec![[0; 4]; count];
        let [a, b, c, d, e, f, g] = uid;
        let head = [
            [a, b, c, 0x88 ^ a ^ b ^ c],
            [d, e, f, g],
            [d ^ e ^ f ^ g, 0x48, 0, 0],
            [0xe1, 0x10, size, 0],
            [3, 0, 0xfe, 0],
        ];
        for (page, is) in pages.iter_mut().zip(head) {
            *page = is;
        }
        Self { kind, uid, pages }
    }

    /// Its name.
    #[must_use]
    pub const fn uid(&self) -> [u8; 7] {
        self.uid
    }

    /// What it answers; nothing to what it does not know.
    pub fn hear(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        match *command {
            [0x30, page] => self.read(page, 4),
            [0x3a, from, to] => self.read(from, usize::from(to.checked_sub(from)?) + 1),
            [0xa2, page, a, b, c, d] => {
                let at = usize::from(page);
                let place = self.pages.get_mut(at)?;
                match at {
                    0..2 => return None,
                    // Locks and capabilities can only be set.
                    2 => *place = [place[0], place[1], place[2] | c, place[3] | d],
                    3 => {
                        for (old, new) in place.iter_mut().zip([a, b, c, d]) {
                            *old |= new;
                        }
                    }
                    _ => *place = [a, b, c, d],
                }
                Some(vec![0x0a])
            }
            [0x60] => {
                let (_, _, storage) = self.kind.shape();
                Some(vec![0, 4, 4, 2, 1, 0, storage, 3])
            }
            _ => None,
        }
    }

    /// So many pages; behind the last one comes the first one.
    fn read(&self, from: u8, count: usize) -> Option<Vec<u8>> {
        let from = usize::from(from);
        self.pages.get(from)?;
        let pages = self.pages.iter().cycle().skip(from).take(count);
        Some(pages.flatten().copied().collect())
    }
}
