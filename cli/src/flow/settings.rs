//! How the node of a home is to run: `node.toml`, and the flags that win over it.
//!
//! Who calls it: `run`, and `send --by` when it runs a node for the length of a command. What can
//! go wrong: a file that is no TOML, has a key that we do not know, or a value that makes no
//! sense; each is told with its place.

use std::fs;
use std::io;
use std::path::Path;

use packmule_bus::depot::DepotConfig;
use packmule_bus::link::Way;
use packmule_node::units::parse_size;
use packmule_transports::mail;
use serde::Deserialize;

use crate::args::{RunArgs, YesNo, parse_upstream, parse_way};
use crate::exit::Exit;
use crate::fault::Fault;

/// The file in the home.
const FILE: &str = "node.toml";
/// Where a node listens when nobody says otherwise: any free port, found by discovery.
const LISTEN: &str = "tcp://0.0.0.0:0";
/// No such file is longer.
const MAX_FILE: u64 = 1 << 20;

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: Vec<Way>,
    /// Find others on the local network, and be found.
    pub(crate) discover: bool,
    /// Mediators to collect from, by their DIDs.
    pub(crate) upstream: Vec<String>,
    /// Quotas and policy.
    pub(crate) depot: DepotConfig,
    /// Mail, if there is any.
    pub(crate) mail: Option<mail::Settings>,
    /// A chip for NFC, if there is any.
    pub(crate) nfc: Option<NfcSettings>,
}

/// The section `[nfc]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NfcSettings {
    /// The chip, as in a way behind `nfc:`.
    pub(crate) device: String,
    /// What it plays.
    #[serde(default)]
    pub(crate) role: NfcRole,
}

/// What a chip plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NfcRole {
    /// Reader and card, in turns.
    #[default]
    Both,
    /// Only a card.
    Card,
    /// Only a reader.
    Reader,
}

impl NfcSettings {
    /// Where a node listens for it.
    fn way(&self) -> Result<Way, String> {
        let role = match self.role {
            NfcRole::Both => "",
            NfcRole::Card => "?card",
            NfcRole::Reader => "?reader",
        };
        if self.device.is_empty() || self.device.contains('?') {
            return Err(format!("[nfc] device = {:?} is none", self.device));
        }
        parse_way(&format!("nfc:{}{role}", self.device))
    }
}

/// The file, as it is written. Names are those of the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    listen: Option<Vec<String>>,
    discover: Option<bool>,
    upstream: Option<Vec<String>>,
    carry_for_strangers: Option<bool>,
    quota: Option<String>,
    quota_strangers: Option<String>,
    max_message: Option<String>,
    copies: Option<u16>,
    hops: Option<u8>,
    mail: Option<mail::Settings>,
    nfc: Option<NfcSettings>,
}

impl Settings {
    /// From the home's file alone.
    pub(crate) fn of_home(home: &Path) -> Result<Self, Fault> {
        let path = home.join(FILE);
        let written = match read(&path) {
            Ok(text) => toml::from_str(&text).map_err(|err| wrong(&path, &err.to_string()))?,
            Err(err) if err.kind() == io::ErrorKind::NotFound => Written::default(),
            Err(err) => return Err(Fault::file("read", &path, &err)),
        };
        let mut settings = written.decide().map_err(|why| wrong(&path, &why))?;
        if let Some(mail) = &mut settings.mail {
            mail.anchor(home);
        }
        Ok(settings)
    }

    /// From the home's file, and from the flags, which win.
    pub(crate) fn of_run(home: &Path, args: &RunArgs) -> Result<Self, Fault> {
        let mut settings = Self::of_home(home)?;
        if !args.listen.is_empty() {
            settings.listen.clone_from(&args.listen);
        }
        if let Some(nfc) = &settings.nfc {
            let way = nfc.way().map_err(|why| wrong(&home.join(FILE), &why))?;
            if !settings.listen.contains(&way) {
                settings.listen.push(way);
            }
        }
        for named in &args.upstream {
            if !settings.upstream.contains(named) {
                settings.upstream.push(named.clone());
            }
        }
        if args.no_discover {
            settings.discover = false;
        }
        let depot = &mut settings.depot;
        if let Some(choice) = args.carry_for_strangers {
            depot.policy.carry_for_strangers = choice == YesNo::Yes;
        }
        let quotas = &mut depot.quotas;
        quotas.total_bytes = args.quota.unwrap_or(quotas.total_bytes);
        quotas.strangers_bytes = args.quota_strangers.unwrap_or(quotas.strangers_bytes);
        quotas.max_message = args.max_message.unwrap_or(quotas.max_message);
        depot.policy.copies = args.copies.unwrap_or(depot.policy.copies);
        depot.policy.hops = args.hops.unwrap_or(depot.policy.hops);
        Ok(settings)
    }

    /// What follows from the section `[mail]`.
    pub(crate) fn mailer(&self, home: &Path) -> Result<mail::Mailer, Fault> {
        let Some(settings) = &self.mail else {
            return Ok(mail::Mailer::default());
        };
        let built = settings.build(home);
        built.map_err(|why| wrong(&home.join(FILE), &why))
    }
}

impl Written {
    fn decide(self) -> Result<Settings, String> {
        let listen = self.listen.unwrap_or_else(|| vec![LISTEN.to_owned()]);
        let listen: Result<Vec<Way>, String> = listen.iter().map(|way| parse_way(way)).collect();
        let named = self.upstream.unwrap_or_default();
        let upstream: Result<Vec<String>, String> =
            named.iter().map(|it| parse_upstream(it)).collect();
        let mut depot = DepotConfig::default();
        let sizes = [
            (&self.quota, &mut depot.quotas.total_bytes),
            (&self.quota_strangers, &mut depot.quotas.strangers_bytes),
            (&self.max_message, &mut depot.quotas.max_message),
        ];
        for (text, place) in sizes {
            if let Some(text) = text {
                *place = parse_size(text)?;
            }
        }
        let policy = &mut depot.policy;
        policy.carry_for_strangers = self
            .carry_for_strangers
            .unwrap_or(policy.carry_for_strangers);
        policy.copies = self.copies.unwrap_or(policy.copies);
        policy.hops = self.hops.unwrap_or(policy.hops);
        Ok(Settings {
            listen: listen?,
            discover: self.discover.unwrap_or(true),
            upstream: upstream?,
            depot,
            mail: self.mail,
            nfc: self.nfc,
        })
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    fs::read_to_string(path)
}

fn wrong(path: &Path, why: &str) -> Fault {
    Fault::new(
        Exit::Usage,
        format!("{} makes no sense: {}", path.display(), why.trim_end()),
    )
    .hint("`packmule run --help` lists what it may hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(text: &str) -> Result<Settings, String> {
        let written: Written = toml::from_str(text).map_err(|err| err.to_string())?;
        written.decide()
    }

    #[test]
    fn an_empty_file_leaves_all_as_it_is() {
        let settings = decided("").unwrap();
        assert_eq!(settings.listen[0].as_str(), LISTEN);
        assert!(settings.discover);
        assert_eq!(settings.depot, DepotConfig::default());
    }

    #[test]
    fn the_kiosk_holds_much_for_strangers() {
        let text = "listen = [\"tcp://0.0.0.0:4460\", \"ws://[::]:80/\"]\ndiscover = false\n\
                    quota = \"2 GB\"\nquota-strangers = \"1GB\"\ncopies = 3\n";
        let settings = decided(text).unwrap();
        assert_eq!(settings.listen.len(), 2);
        assert!(!settings.discover);
        assert_eq!(settings.depot.quotas.total_bytes, 2_000_000_000);
        assert_eq!(settings.depot.quotas.strangers_bytes, 1_000_000_000);
        assert_eq!(settings.depot.policy.copies, 3);
    }

    #[test]
    fn a_kiosk_with_a_chip_is_a_card() {
        let chip = |text: &str| decided(text).map(|settings| settings.nfc.unwrap().way());
        let text = "[nfc]\ndevice = \"/dev/ttyUSB0\"\n";
        assert_eq!(chip(text).unwrap().unwrap().as_str(), "nfc:/dev/ttyUSB0");
        let card = format!("{text}role = \"card\"\n");
        assert_eq!(
            chip(&card).unwrap().unwrap().as_str(),
            "nfc:/dev/ttyUSB0?card"
        );
        assert!(chip(&format!("{text}role = \"sticker\"\n")).is_err());
        assert!(chip("[nfc]\ndevice = \"\"\n").unwrap().is_err());
    }

    #[test]
    fn what_is_misspelt_is_told() {
        assert!(decided("quotas = \"2 GB\"").unwrap_err().contains("quotas"));
        assert!(decided("quota = \"much\"").unwrap_err().contains("much"));
        assert!(decided("listen = [\"4460\"]").unwrap_err().contains("4460"));
    }
}
