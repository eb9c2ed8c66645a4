//! The sections of the configuration, each with its defaults.
//!
//! Called by [`super::Config`]. The defaults are those of a kiosk in the field: open to whoever
//! comes by, with little for each. What can go wrong: a size or a length of time that is none,
//! which is told where it stands.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use packmule_http::server::Network;
use packmule_node::units::{parse_size, parse_span};
use serde::{Deserialize, Deserializer, de};

/// Where certificate and key are, as PEM; relative to the file that names them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Tls {
    /// The certificate and those that sign it.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// An address, or a network, of reverse proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Proxy(pub Network);

impl TryFrom<String> for Proxy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// Who may have a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Accounts {
    /// Everybody who asks; else only those of `allow`.
    pub open: bool,
    /// DIDs that may have one even so.
    pub allow: Vec<String>,
    /// DIDs that are turned away, whatever they want.
    pub deny: Vec<String>,
    /// How many new ones one address (IPv6: one /64) may have made in an hour; 0: any number.
    pub new_per_address: u32,
    /// How many accounts there may be.
    pub most: u64,
    /// How many DIDs may be bound to one.
    pub bindings: u64,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            open: true,
            allow: Vec::new(),
            deny: Vec::new(),
            new_per_address: 60,
            most: 10_000,
            bindings: 256,
        }
    }
}

/// How much is held for accounts, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Mailboxes {
    /// How long a message waits that does not say when it expires, and any one at most.
    #[serde(deserialize_with = "span")]
    pub keep: Duration,
    /// Bytes in all.
    #[serde(deserialize_with = "size")]
    pub total: u64,
    /// Messages in all.
    pub messages: u64,
    /// Bytes in one account.
    #[serde(deserialize_with = "size")]
    pub account: u64,
    /// Messages in one account.
    pub account_messages: u64,
    /// Messages of one sender in one account.
    pub sender_messages: u64,
    /// The database in which they lie, for several gateways behind one address; else they lie in
    /// the home.
    pub postgres: Option<Secret>,
    /// Whom to believe about the database's name, as PEM, relative to the file that names it;
    /// else the system's authorities.
    pub postgres_authority: Option<PathBuf>,
}

/// A text that is told to nobody, such as a URL with a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Default for Mailboxes {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(7 * 86_400),
            total: 1 << 30,
            messages: 1_000_000,
            account: 64 << 20,
            account_messages: 1_000,
            sender_messages: 200,
            postgres: None,
            postgres_authority: None,
        }
    }
}

/// What one visitor may ask of the server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Limits {
    /// The longest packed message.
    #[serde(deserialize_with = "size")]
    pub max_message: u64,
    /// Connections at a time.
    pub connections: usize,
    /// Connections of one address (IPv6: one /64) at a time.
    pub connections_per_address: usize,
    /// Messages a second from one address; 0: any number.
    pub rate_per_address: u32,
    /// So many at once may come from an address that was silent.
    pub burst_per_address: u32,
    /// Messages a second from one sender that proved who it is; 0: any number.
    pub rate_per_sender: u32,
    /// So many at once may come from a sender that was silent.
    pub burst_per_sender: u32,
    /// Pushed messages that one live connection may leave without its word that it has them.
    pub unacked: usize,
    /// How long a connection may be silent between two requests.
    #[serde(deserialize_with = "span")]
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 8 << 20,
            connections: 2_048,
            connections_per_address: 128,
            rate_per_address: 50,
            burst_per_address: 200,
            rate_per_sender: 50,
            burst_per_sender: 200,
            unacked: 64,
            idle: Duration::from_secs(60),
        }
    }
}

/// What is done for others than accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Strangers {
    /// Carry messages, on any link, that are for nobody here.
    pub carry: bool,
    /// How much of the node's store they may fill.
    #[serde(deserialize_with = "size")]
    pub total: u64,
    /// Send answers to the endpoint that the sender's DID names, where no other way back is. A
    /// stranger then decides where this machine connects to, also within its own network.
    pub answer: bool,
    /// Hand what is carried to the endpoints, or mediators, that its recipients' DIDs name: what
    /// came by a stick goes on by HTTP. Here too strangers decide where this machine connects to.
    pub forward: bool,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            carry: false,
            total: 256 << 20,
            answer: false,
            forward: false,
        }
    }
}

/// What is written to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Log {
    /// From which weight on.
    pub level: LogLevel,
    /// As JSON lines.
    pub json: bool,
}

/// Traces of the work on messages.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Traces {
    /// A collector of OpenTelemetry that takes OTLP over HTTP, such as `http://127.0.0.1:4318`.
    /// None: no traces.
    pub endpoint: Option<String>,
    /// Which share of the messages is traced, from 0 to 1.
    pub share: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: None,
            share: 1.0,
        }
    }
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// What stops it.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens, without DIDs and addresses.
    #[default]
    Info,
    /// Each message, with them.
    Debug,
}

impl LogLevel {
    /// Its name in the configuration and in lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// A number, or a text with a unit.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match read(
        from,
        "a size: 1500, \"64kB\", \"500MB\", \"2GB\" or \"64MiB\"",
    )? {
        Written::Number(bytes) => Ok(bytes),
        Written::Text(text) => parse_size(&text).map_err(de::Error::custom),
    }
}

pub(super) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    match read(from, "a length of time: 90, \"15m\", \"12h\" or \"7d\"")? {
        Written::Number(seconds) => Ok(Duration::from_secs(seconds)),
        Written::Text(text) => parse_span(&text)
            .map(Duration::from_secs)
            .map_err(de::Error::custom),
    }
}

/// serde's own words for what fits none of two forms name neither.
fn read<'de, D: Deserializer<'de>>(from: D, should_be: &str) -> Result<Written, D::Error> {
    Written::deserialize(from).map_err(|_| de::Error::custom(format!("this is not {should_be}")))
}
