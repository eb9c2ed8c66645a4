//! How a gateway is to run: one TOML file, the environment over it, defaults under it.
//!
//! What is it: [`Config`], whole and checked, or a [`ConfigError`] that names the line or the
//! variable. Who calls it: `packmule gateway` and `packmule gateway check-config`, before anything
//! is opened; again on SIGHUP. What can go wrong: a key that we do not know, a value that makes no
//! sense, two that do not go together. Nothing is guessed and nothing is skipped.
//!
//! A variable is named after the key it stands for: `PACKMULE_GATEWAY_LISTEN`, and with two
//! underscores before a key of a section, `PACKMULE_GATEWAY_LIMITS__MAX_MESSAGE`. Its value is
//! written as in the file, and text needs no quotes.

mod check;
mod environment;
mod sections;
#[cfg(test)]
mod tests;
mod upstream;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use check::Note;
pub use sections::{
    Accounts, Limits, Log, LogLevel, Mailboxes, Proxy, Secret, Strangers, Tls, Traces,
};
pub use upstream::Upstream;

/// No such file is longer.
const MAX_FILE: u64 = 1 << 20;

/// What was decided.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// Where the web server listens.
    pub listen: SocketAddr,
    /// The address under which others reach it, when that is another one than where it listens;
    /// it goes into the DID of a new home.
    pub public_url: Option<String>,
    /// Addresses and networks of reverse proxies (`10.0.0.0/8`). Only their `X-Forwarded-For`, or
    /// else `Forwarded`, tells where a visitor comes from; limits by address need to know.
    pub trusted_proxies: Vec<Proxy>,
    /// The ways on which the node listens for links: `tcp://0.0.0.0:4460`.
    pub links: Vec<String>,
    /// Look for neighbours on the local network, and be found by them.
    pub discover: bool,
    /// Serve `/metrics` to this machine, and to whoever shows the operators' token.
    pub metrics: bool,
    /// Serve `/scan`, a page that reads codes with its visitor's camera and shows messages as
    /// codes. What it reads comes in as a dropped file does, within the same limits.
    pub scan: bool,
    /// HTTPS with a certificate of one's own; without it, HTTP.
    pub tls: Option<Tls>,
    /// Who may have a mailbox.
    pub accounts: Accounts,
    /// How much is held, and how long.
    pub mailboxes: Mailboxes,
    /// What one visitor may ask of the server.
    pub limits: Limits,
    /// What is done for others than accounts.
    pub strangers: Strangers,
    /// Mediators on the internet that hold messages for it, best first.
    pub upstream: Vec<Upstream>,
    /// Mail, both ways.
    pub mail: Option<packmule_mail::Settings>,
    /// What is written to standard error.
    pub log: Log,
    /// Where the time goes, for an OpenTelemetry collector.
    pub traces: Traces,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            links: Vec::new(),
            discover: false,
            metrics: true,
            scan: true,
            tls: None,
            accounts: Accounts::default(),
            mailboxes: Mailboxes::default(),
            limits: Limits::default(),
            strangers: Strangers::default(),
            upstream: Vec::new(),
            mail: None,
            log: Log::default(),
            traces: Traces::default(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file makes no sense; the text tells line and column.
    #[error("{} makes no sense: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Where, and what is wrong.
        why: String,
    },
    /// A variable of the environment makes no sense.
    #[error("${name} makes no sense: {why}")]
    Variable {
        /// Which.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Each value could be, but not as it is or not with the others.
    #[error("`{key}` makes no sense: {why}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl Config {
    /// From a file, if there is one, and from the environment, which wins.
    ///
    /// # Errors
    /// [`ConfigError`]: the first fault that was found.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = toml::Table::new();
        if let Some(path) = file {
            let text = read(path).map_err(|source| ConfigError::Read {
                path: path.to_owned(),
                source,
            })?;
            let wrong = |err: toml::de::Error| ConfigError::File {
                path: path.to_owned(),
                why: err.to_string().trim_end().to_owned(),
            };
            // As a whole first, since only that tells the place of what is wrong.
            toml::from_str::<Self>(&text).map_err(wrong)?;
            table = toml::from_str(&text).map_err(wrong)?;
        }
        environment::lay_over(&mut table, environment)?;
        let mut config: Self = table.try_into().map_err(|err| ConfigError::Value {
            key: "PACKMULE_GATEWAY_*",
            why: err.to_string(),
        })?;
        if let Some(folder) = file.and_then(Path::parent) {
            config.root(folder);
        }
        config.check()?;
        Ok(config)
    }

    /// Files are named from where the configuration is.
    fn root(&mut self, folder: &Path) {
        if let Some(tls) = &mut self.tls {
            tls.certificate = folder.join(&tls.certificate);
            tls.key = folder.join(&tls.key);
        }
        if let Some(authority) = &mut self.mailboxes.postgres_authority {
            *authority = folder.join(&authority);
        }
        if let Some(mail) = &mut self.mail {
            mail.anchor(folder);
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    fs::read_to_string(path)
}
