#![doc = include_str!("../README.md")]

mod acks;
mod batch;
mod collect;
mod deliver;
mod folder;
mod listing;
mod marks;
mod mounts;
mod name;
mod rest;
mod settle;
mod trouble;
mod uri;

pub use batch::{MAX_BATCH, MAX_IN_BATCH};
pub use collect::{Collect, CollectError, Item, Odd};
pub use deliver::{DeliverError, Delivered, MAX_FILE};
pub use folder::{Folder, FolderError, SyncError};
pub use marks::MarkError;
pub use mounts::{Mount, Mounts};
pub use name::{FileHash, MessageName, Ordinal};
pub use rest::{MAX_REST, Rest, Want};
pub use settle::{SettleError, Settled, Token};
pub use uri::{UriError, path_of_uri, uri_of_path};
