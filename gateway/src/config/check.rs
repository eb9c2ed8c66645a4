//! What each value cannot tell alone.
//!
//! Called by [`Config::load`], and by `check-config`, which also prints what is allowed and
//! perhaps not meant. What can go wrong: nothing here changes anything.

use std::fmt;

use packmule_agent::Did;
use packmule_bus::MAX_ENVELOPE;
use packmule_bus::link::Way;

use super::{Config, ConfigError};
use crate::traces::BUILT_IN;

/// What is allowed, and perhaps not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(String);

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Config {
    /// Do the values make sense, and go together?
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first that does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        if let Some(url) = &self.public_url {
            base_url(url).map_err(|why| wrong("public-url", why))?;
        }
        for way in &self.links {
            if Way::parse(way).is_none() {
                let why = format!("`{way}` is no way; write tcp://HOST:PORT");
                return Err(wrong("links", why));
            }
        }
        let lists = [
            ("accounts.allow", &self.accounts.allow),
            ("accounts.deny", &self.accounts.deny),
        ];
        for (key, dids) in lists {
            if let Some(text) = dids.iter().find(|did| Did::parse(did).is_err()) {
                return Err(wrong(key, format!("`{text}` is no DID")));
            }
        }
        if let Some(mail) = &self.mail {
            // Files are read, so that a gateway that would not start is told of now.
            let built = mail.build(std::path::Path::new(""));
            built.map_err(|why| wrong("mail", why))?;
        }
        let limits = &self.limits;
        if limits.max_message == 0 || limits.max_message > MAX_ENVELOPE as u64 {
            let why = format!("it must be between 1 and {MAX_ENVELOPE} bytes");
            return Err(wrong("limits.max-message", why));
        }
        for (key, value) in [
            ("limits.connections", limits.connections),
            (
                "limits.connections-per-address",
                limits.connections_per_address,
            ),
            ("limits.unacked", limits.unacked),
        ] {
            if value == 0 {
                return Err(wrong(key, "with 0 nobody is served".to_owned()));
            }
        }
        for (key, rate, burst) in [
            (
                "limits.burst-per-address",
                limits.rate_per_address,
                limits.burst_per_address,
            ),
            (
                "limits.burst-per-sender",
                limits.rate_per_sender,
                limits.burst_per_sender,
            ),
        ] {
            if rate > 0 && burst == 0 {
                return Err(wrong(key, "with 0 nobody is served".to_owned()));
            }
        }
        self.upstreams()?;
        if let Some(url) = &self.traces.endpoint {
            base_url(url).map_err(|why| wrong("traces.endpoint", why))?;
            if !BUILT_IN {
                let why = "this packmule was built without OpenTelemetry: build it with `--features \
                           otel`, or leave the key out";
                return Err(wrong("traces.endpoint", why.to_owned()));
            }
        }
        if !(0.0..=1.0).contains(&self.traces.share) {
            let why = "a share is between 0 and 1".to_owned();
            return Err(wrong("traces.share", why));
        }
        if self.mailboxes.keep.is_zero() {
            let why = "a message must be allowed to wait for some time".to_owned();
            return Err(wrong("mailboxes.keep", why));
        }
        if let Some(url) = &self.mailboxes.postgres
            && !["postgres://", "postgresql://"]
                .iter()
                .any(|it| url.text().starts_with(it))
        {
            let why = "it must begin with postgres:// or postgresql://".to_owned();
            return Err(wrong("mailboxes.postgres", why));
        }
        Ok(())
    }

    /// What is allowed, and perhaps not meant.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut note = |text: String| notes.push(Note(text));
        let here = self.listen.ip().is_loopback();
        // Strangers reach one that has an upstream there.
        if here && self.public_url.is_none() && self.upstream.is_empty() {
            note(format!(
                "it listens on {} alone: nobody but this machine reaches it; set `listen`, or \
                 `public-url` behind a proxy",
                self.listen.ip()
            ));
        }
        if self.listen.ip().is_unspecified() && self.public_url.is_none() {
            note(
                "it listens on every address: set `public-url` to the one that others can use, \
                 since it goes into the DID"
                    .to_owned(),
            );
        }
        let https = |url: &str| url.starts_with("https://");
        if let (Some(url), None) = (&self.public_url, &self.tls)
            && https(url)
            && !here
        {
            note(
                "`public-url` is https and there is no [tls]: a proxy must be in front of it"
                    .to_owned(),
            );
        }
        if here && self.public_url.is_some() && self.trusted_proxies.is_empty() {
            note(
                "all visitors seem to come from the proxy on this machine, so that no limit by \
                 address holds: set `trusted-proxies = [\"127.0.0.1\"]` once it sends \
                 X-Forwarded-For"
                    .to_owned(),
            );
        }
        if !self.accounts.open && self.accounts.allow.is_empty() {
            note("nobody may have a mailbox: `accounts.open` is false and `allow` is empty".into());
        }
        if self
            .upstream
            .iter()
            .any(|one| one.rate.is_none() && !one.calls.is_empty())
        {
            note("an upstream is called at some hours only, and then as fast as it goes".into());
        }
        if self.limits.rate_per_address == 0 {
            note("one address may send any number of messages".to_owned());
        }
        notes
    }
}

pub(super) fn wrong(key: &'static str, why: String) -> ConfigError {
    ConfigError::Value { key, why }
}

/// A URL that can stand in a DID and in front of paths.
pub(super) fn base_url(url: &str) -> Result<(), String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or_else(|| format!("`{url}` must begin with https:// or http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || url.contains(['#', '?', ' ', '@']) || !url.is_ascii() {
        return Err(format!(
            "`{url}` must be a host and perhaps a path: https://kiosk.example.org/"
        ));
    }
    Ok(())
}
