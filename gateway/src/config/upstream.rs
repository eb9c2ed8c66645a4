//! Mediators that the gateway is a client of: `[[upstream]]`.
//!
//! Called by [`Config`]; each becomes what the uplink is started with. What can go wrong: a name
//! that is no mediator's, hours that are none, numbers that make no sense.

use std::time::Duration;

use packmule_agent::did::same_did;
use packmule_uplink::{Kind, Window, did_named};
use serde::Deserialize;

use super::check::{base_url, wrong};
use super::sections::{size, span};
use super::{Config, ConfigError};

/// Most messages of one page.
const MOST: u32 = 100;

/// A mediator on the internet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Upstream {
    /// Its DID, or an invitation of it as a URL.
    pub did: String,
    /// `auto`, `standard`, `affinidi` or `push-only`.
    pub kind: String,
    /// Where it is reached, if not where its DID says.
    pub url: Option<String>,
    /// Keep a connection on which new messages come at once, where it offers that.
    pub live: bool,
    /// Call only at these hours, in UTC: `22:00-05:30`.
    pub calls: Vec<String>,
    /// Bytes a second at most, both ways together; 0: any number.
    #[serde(deserialize_with = "rate")]
    pub rate: Option<u64>,
    /// Messages of one page.
    pub batch: u32,
    /// The longest time between two looks, where nothing comes by itself.
    #[serde(deserialize_with = "span")]
    pub poll: Duration,
    /// The longest time between two tries while it does not answer.
    #[serde(deserialize_with = "span")]
    pub retry: Duration,
    /// How long an answer may take.
    #[serde(deserialize_with = "span")]
    pub patience: Duration,
}

impl Default for Upstream {
    fn default() -> Self {
        let usual = packmule_uplink::Upstream::new("");
        Self {
            did: usual.did,
            kind: "auto".to_owned(),
            url: usual.url,
            live: usual.live,
            calls: Vec::new(),
            rate: usual.rate,
            batch: usual.batch,
            poll: usual.poll,
            retry: usual.retry,
            patience: usual.patience,
        }
    }
}

impl Upstream {
    /// A mediator by its DID or invitation, everything else as usual.
    #[must_use]
    pub fn named(text: &str) -> Self {
        Self {
            did: text.to_owned(),
            ..Self::default()
        }
    }

    fn plan(&self) -> Result<packmule_uplink::Upstream, ConfigError> {
        let did = did_named(&self.did).map_err(|why| wrong("upstream.did", why.to_string()))?;
        let kind: Result<Kind, String> = self.kind.parse();
        let calls: Result<Vec<Window>, _> = self.calls.iter().map(|text| text.parse()).collect();
        if let Some(url) = &self.url {
            base_url(url).map_err(|why| wrong("upstream.url", why))?;
        }
        if self.batch == 0 || self.batch > MOST {
            let why = format!("it must be between 1 and {MOST}");
            return Err(wrong("upstream.batch", why));
        }
        for (key, span) in [
            ("upstream.poll", self.poll),
            ("upstream.retry", self.retry),
            ("upstream.patience", self.patience),
        ] {
            if span.is_zero() {
                return Err(wrong(key, "it would be asked without end".to_owned()));
            }
        }
        let mut plan = packmule_uplink::Upstream::new(&did);
        plan.kind = kind.map_err(|why| wrong("upstream.kind", why))?;
        plan.url.clone_from(&self.url);
        plan.live = self.live;
        plan.calls = calls.map_err(|why| wrong("upstream.calls", why.to_string()))?;
        plan.rate = self.rate;
        plan.batch = self.batch;
        plan.poll = self.poll;
        plan.retry = self.retry;
        plan.patience = self.patience;
        Ok(plan)
    }
}

impl Config {
    /// The mediators that it is a client of, each once.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first that makes no sense.
    pub fn upstreams(&self) -> Result<Vec<packmule_uplink::Upstream>, ConfigError> {
        let mut plans: Vec<packmule_uplink::Upstream> = Vec::new();
        for one in &self.upstream {
            let plan = one.plan()?;
            // Named by a flag too: what the file says of it counts.
            if !plans.iter().any(|known| same_did(&known.did, &plan.did)) {
                plans.push(plan);
            }
        }
        Ok(plans)
    }
}

/// 0 is no rate.
fn rate<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(Some(size(from)?).filter(|rate| *rate > 0))
}
