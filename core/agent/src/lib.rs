//! DIDComm v2.1: DIDs, keys, packing and unpacking, message model, protocols.
//!
//! What is it: everything that turns a message into a packed message for somebody, and back.
//! It is synchronous and runtime-free: opening is *peek* (which DIDs are needed?), *resolve*
//! (the caller's business, possibly over a network), *open* (no IO). Who calls it: the
//! command line, the node, the gateway. What can go wrong: everything, since strangers write
//! the bytes; each verb has its own error enum, and no input panics.

mod crypto;
pub mod did;
pub mod jose;
pub mod keys;
pub mod keystore;
pub mod message;
pub mod pack;
pub mod protocol;
pub mod resolve;

pub use did::{
    Did, DidDoc, DidError, DidUrl, Method, NewDid, Service, create, did_of, same_did, short_form,
};
pub use keys::{Curve, Keyring, PublicKey, SecretKey};
pub use message::{Attachment, Message, MessageError};
pub use pack::{Jose, Limits, OpenError, Opened, PackError, PackPlan, Packer, Peek, peek};
pub use resolve::{DocBook, ResolveError, Resolver, resolve_offline};
