//! The link cipher: Noise XX, or none where the link keeps strangers out itself.
//!
//! What is it: [`Maker`], which makes the two ends agree on keys, and [`Seal`], which seals and
//! opens what is numbered. Who calls it: `session`. What can go wrong: a stranger's messages fail
//! to open; nothing follows from them. The only randomness is the session's seed, so a seed must
//! never serve two sessions.
//!
//! `Noise_XX_25519_ChaChaPoly_SHA256`; the prologue binds protocol version, kind of link and
//! attempt. Transport messages are numbered from 0 in each direction and never reach 2⁶⁴ − 1: at
//! a gigabyte a second in records of 16 KiB that takes nine million years, so no rekeying is
//! needed; a packet number at [`MAX_NUMBER`] ends the session all the same.

mod dice;

use sha2::{Digest, Sha256};
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState, StatelessTransportState};

pub(crate) use dice::{Dice, public};

use crate::bus::io::NodeKey;
use crate::link::Role;

/// No message gets a number from here on.
pub(crate) const MAX_NUMBER: u64 = 1 << 62;
/// The longest handshake message read; ours are below 200 bytes.
pub(crate) const MAX_HANDSHAKE: usize = 1024;
const NOISE_TAG: usize = 16;
const CLEAR_TAG: usize = 4;

/// Who wants to agree on keys.
pub(crate) struct Terms<'a> {
    pub(crate) role: Role,
    /// Our cipher is used.
    pub(crate) cipher: bool,
    pub(crate) secret: &'a [u8; 32],
    /// Version, kind of link, attempt.
    pub(crate) prologue: &'a [u8],
}

/// One end of a handshake.
pub(crate) enum Maker {
    Noise(Box<HandshakeState>),
    /// No cipher: a hash of what was said.
    Clear {
        role: Role,
        said: Sha256,
    },
}

/// What a handshake yields.
pub(crate) struct Made {
    pub(crate) seal: Seal,
    pub(crate) hash: [u8; 32],
    /// The other side's proven key.
    pub(crate) node: Option<NodeKey>,
}

impl Maker {
    /// `None` only if the secret is unusable.
    pub(crate) fn new(terms: &Terms<'_>, dice: &mut Dice) -> Option<Self> {
        if !terms.cipher {
            let said = Sha256::new_with_prefix(terms.prologue);
            return Some(Self::Clear {
                role: terms.role,
                said,
            });
        }
        let params: NoiseParams = "Noise_XX_25519_ChaChaPoly_SHA256".parse().ok()?;
        let builder = Builder::with_resolver(params, dice.resolver())
            .local_private_key(terms.secret)
            .and_then(|builder| builder.prologue(terms.prologue))
            .ok()?;
        let state = match terms.role {
            Role::Dialer => builder.build_initiator(),
            Role::Listener => builder.build_responder(),
        };
        Some(Self::Noise(Box::new(state.ok()?)))
    }

    /// Our next message.
    pub(crate) fn write(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Noise(state) => {
                let mut message = vec![0; payload.len() + 128];
                let length = state.write_message(payload, &mut message).ok()?;
                message.truncate(length);
                Some(message)
            }
            Self::Clear { said, .. } => {
                said.update((payload.len() as u64).to_be_bytes());
                said.update(payload);
                Some(payload.to_vec())
            }
        }
    }

    /// What the other side's next message carries.
    pub(crate) fn read(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if message.len() > MAX_HANDSHAKE {
            return None;
        }
        match self {
            Self::Noise(state) => {
                let mut payload = vec![0; message.len()];
                let length = state.read_message(message, &mut payload).ok()?;
                payload.truncate(length);
                Some(payload)
            }
            Self::Clear { said, .. } => {
                said.update((message.len() as u64).to_be_bytes());
                said.update(message);
                Some(message.to_vec())
            }
        }
    }

    /// The keys, once all messages were exchanged.
    pub(crate) fn finish(self) -> Option<Made> {
        match self {
            Self::Noise(state) => {
                let hash = state.get_handshake_hash().try_into().ok()?;
                let node = state.get_remote_static()?.try_into().ok()?;
                Some(Made {
                    seal: Seal::Noise(Box::new(state.into_stateless_transport_mode().ok()?)),
                    hash,
                    node: Some(NodeKey(node)),
                })
            }
            Self::Clear { role, said } => {
                let hash: [u8; 32] = said.finalize().into();
                let dialer = role == Role::Dialer;
                Some(Made {
                    seal: Seal::Clear {
                        start: crc32fast::hash(&hash),
                        dialer,
                    },
                    hash,
                    node: None,
                })
            }
        }
    }
}

/// Keys for both directions.
pub(crate) enum Seal {
    Noise(Box<StatelessTransportState>),
    /// No keys: a checksum that differs for each handshake, so that bytes which a link damaged or
    /// kept from an earlier life are not read.
    Clear {
        start: u32,
        dialer: bool,
    },
}

impl Seal {
    /// The bytes that sealing adds.
    pub(crate) const fn tag(&self) -> usize {
        match self {
            Self::Noise(_) => NOISE_TAG,
            Self::Clear { .. } => CLEAR_TAG,
        }
    }

    /// Appends `plain`, sealed with this number. `false`: it is too long.
    pub(crate) fn seal(&self, number: u64, plain: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Self::Noise(state) => {
                let start = out.len();
                out.resize(start + plain.len() + NOISE_TAG, 0);
                let room = out.get_mut(start..).unwrap_or_default();
                state.write_message(number, plain, room).is_ok()
            }
            Self::Clear { start, dialer } => {
                out.extend_from_slice(plain);
                let sum = checksum(*start, *dialer, number, plain);
                out.extend_from_slice(&sum.to_be_bytes());
                true
            }
        }
    }

    /// What was sealed with this number by the other side; `room` is where it is put.
    pub(crate) fn open<'r>(
        &self,
        number: u64,
        sealed: &[u8],
        room: &'r mut Vec<u8>,
    ) -> Option<&'r [u8]> {
        match self {
            Self::Noise(state) => {
                if room.len() < sealed.len() {
                    room.resize(sealed.len(), 0);
                }
                let length = state.read_message(number, sealed, room).ok()?;
                room.get(..length)
            }
            Self::Clear { start, dialer } => {
                let (plain, sum) = sealed.split_last_chunk()?;
                let right = checksum(*start, !*dialer, number, plain);
                room.clear();
                room.extend_from_slice(plain);
                (right == u32::from_be_bytes(*sum)).then_some(&room[..])
            }
        }
    }
}

fn checksum(start: u32, by_dialer: bool, number: u64, plain: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new_with_initial(start);
    sum.update(&[u8::from(by_dialer)]);
    sum.update(&number.to_be_bytes());
    sum.update(plain);
    sum.finalize()
}
