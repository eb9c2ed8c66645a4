//! A plan: what a family of runs has in common; a seed makes one run of it.
//!
//! What is it: [`Plan`], read from TOML, and [`Plan::scenario`], which draws everything that the
//! plan leaves to chance and writes it out. Who calls it: `sim run`, tests, the swarm. What can
//! go wrong: a file that is no plan; [`PlanError`] says where.

mod draw;
pub(crate) mod mixed;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::mixed::Mixed;
use crate::medium::LinkSpec;
use crate::scenario::{FaultKind, NodeSpec, Scenario};

/// What a family of runs has in common. Times in seconds of virtual time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// How long a run lasts.
    pub duration_s: f64,
    /// From when on nothing fails any more and what can be delivered must be; by default after
    /// two thirds.
    pub calm_s: Option<f64>,
    /// Links by name.
    pub links: BTreeMap<String, LinkSpec>,
    /// Who takes part.
    pub nodes: Vec<NodeSpec>,
    /// When who meets.
    pub contacts: Vec<Meeting>,
    /// What is sent.
    pub traffic: Vec<Traffic>,
    /// What goes wrong.
    pub faults: Vec<Trouble>,
    /// Everything else is drawn: topology, links, sizes, faults.
    pub mixed: Option<Mixed>,
}

/// When two nodes meet: once for each window, or again and again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meeting {
    /// Who opens the link.
    pub a: String,
    /// The other end.
    pub b: String,
    /// Over which link.
    pub link: String,
    /// From, to.
    pub windows: Vec<(f64, f64)>,
    /// Again every so many seconds …
    pub every_s: Option<f64>,
    /// … for so long …
    pub for_s: f64,
    /// … beginning at …
    pub first_s: f64,
    /// … each time as much later or earlier, at most.
    pub sway_s: f64,
    /// A link comes up only when somebody dials.
    pub dial: bool,
}

/// Messages of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traffic {
    /// Who writes; one is drawn for each message.
    pub from: Vec<String>,
    /// To whom; one is drawn who is not the writer.
    pub to: Vec<String>,
    /// How many.
    pub count: u32,
    /// Least and most bytes; small ones are more likely (evenly over the logarithm).
    pub bytes: (u64, u64),
    /// When they are written; by default until the calm.
    pub between_s: Option<(f64, f64)>,
    /// For how long they are worth anything.
    pub lasts_s: Option<u64>,
    /// 0 bulk, 1 normal, 2 urgent.
    pub priority: u8,
    /// The share that the recipient's agent will refuse.
    pub unwelcome: f64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            from: Vec::new(),
            to: Vec::new(),
            count: 1,
            bytes: (20, 20_000),
            between_s: None,
            lasts_s: None,
            priority: 1,
            unwelcome: 0.0,
        }
    }
}

/// Faults of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// At which nodes; one is drawn for each fault.
    pub nodes: Vec<String>,
    /// How many in a run …
    #[serde(default)]
    pub repeat: u32,
    /// … and how many more in an hour, on average.
    #[serde(default)]
    pub per_hour: f64,
    /// When; by default until the calm.
    #[serde(default)]
    pub between_s: Option<(f64, f64)>,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's word.
        error: std::io::Error,
    },
    /// It is not TOML of this shape.
    #[error("{0}")]
    Syntax(String),
    /// It names something that it does not describe.
    #[error("{0}")]
    Unknown(String),
    /// There is no built-in plan of this name.
    #[error("no plan is called {name:?}; there are: {known}")]
    NoSuchPlan {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
}

/// The plans that come with the simulator.
const BUILT_IN: [(&str, &str); 7] = [
    ("bus-line", include_str!("../plans/bus-line.toml")),
    ("gateway-day", include_str!("../plans/gateway-day.toml")),
    ("kiosk-night", include_str!("../plans/kiosk-night.toml")),
    ("mallory", include_str!("../plans/mallory.toml")),
    ("market-day", include_str!("../plans/market-day.toml")),
    ("mixed", include_str!("../plans/mixed.toml")),
    ("power-cuts", include_str!("../plans/power-cuts.toml")),
];

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError::Syntax`], [`PlanError::Unknown`].
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self =
            toml::from_str(text).map_err(|error| PlanError::Syntax(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    /// Reads a plan from a file or, if there is no such file, the built-in plan of that name.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) => match path.to_str().map(Self::built_in) {
                Some(Ok(plan)) => Ok(plan),
                _ => Err(PlanError::Unreadable {
                    path: path.display().to_string(),
                    error,
                }),
            },
        }
    }

    /// The built-in plan of this name.
    ///
    /// # Errors
    /// [`PlanError::NoSuchPlan`], with the names that there are.
    pub fn built_in(name: &str) -> Result<Self, PlanError> {
        let plan = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (_, text) = plan.ok_or_else(|| PlanError::NoSuchPlan {
            name: name.to_owned(),
            known: BUILT_IN.map(|(known, _)| known).join(", "),
        })?;
        Self::parse(text)
    }

    /// The built-in plans: name, and what each is about.
    #[must_use]
    pub fn list() -> Vec<(String, String)> {
        BUILT_IN
            .iter()
            .filter_map(|(name, text)| Some(((*name).to_owned(), Self::parse(text).ok()?.about)))
            .collect()
    }

    /// One run: everything that is left to chance is drawn from `seed` and written out.
    #[must_use]
    pub fn scenario(&self, seed: u64) -> Scenario {
        match &self.mixed {
            Some(mixed) => mixed::draw(self, mixed, seed),
            None => draw::draw(self, seed),
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        let unknown = |what: &str, name: &str| {
            Err(PlanError::Unknown(format!("no {what} is called {name:?}")))
        };
        let known = |name: &String| self.nodes.iter().any(|node| node.name == *name);
        for meeting in &self.contacts {
            if !self.links.contains_key(&meeting.link) {
                return unknown("link", &meeting.link);
            }
        }
        let met = self
            .contacts
            .iter()
            .flat_map(|meeting| [&meeting.a, &meeting.b]);
        let wrote = self
            .traffic
            .iter()
            .flat_map(|kind| kind.from.iter().chain(&kind.to));
        let hurt = self.faults.iter().flat_map(|trouble| &trouble.nodes);
        if let Some(name) = met.chain(wrote).chain(hurt).find(|name| !known(name)) {
            return unknown("node", name);
        }
        // A mixed plan draws how long it lasts.
        if self.mixed.is_none() && !(self.duration_s > 0.0 && self.duration_s <= 1e8) {
            return Err(PlanError::Unknown("duration_s must be above 0".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
