//! What people write about their mail, and the transports that follow from it.
//!
//! What is it: the section `[mail]` of a node's or a gateway's TOML, and [`Mailer`], which is all
//! that a node needs of it. Who calls it: the command line and the gateway, at their start. What
//! can go wrong: settings that make no sense, a password or certificate that cannot be read; each
//! is told with its key. Passwords stand in files or in the environment, never in the section.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{Transport, Way};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::account::{Account, After};
use crate::address::Address;
use crate::inbound::{Inbound, Taken};
use crate::outbox::Outbox;
use crate::server::{Login, Protocol, Server};
use crate::tls::Tls;
use crate::transport::{Imap, Lmtp, Mailto, Smtp};

/// No password's or certificate's file is longer.
const MAX_FILE: u64 = 1 << 20;
/// The file that remembers how far the account was looked through.
const MEMORY: &str = "mail.seen";

/// `[mail]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Our own address: mails are from it, and come to it.
    pub address: String,
    /// `[mail.submission]`: the server that sends.
    pub submission: Option<Dialled>,
    /// `[mail.imap]`: the account that receives.
    pub imap: Option<Received>,
    /// `[mail.inbound]`: where a mail server hands mails over.
    pub inbound: Option<HandedOver>,
}

/// Both kinds of servers that are dialled have these keys; one definition serves both, since
/// serde cannot put a struct into another one and refuse keys that neither knows.
macro_rules! dialled {
    ($(#[$doc:meta])* $name:ident { $($more:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            /// `smtps://HOST` or `imaps://HOST`; `smtp://HOST`, `imap://HOST` with STARTTLS.
            pub server: String,
            /// No TLS at all.
            #[serde(default)]
            pub open: bool,
            /// Who we are there; for an account, else the address.
            pub user: Option<String>,
            /// The file with the password.
            pub password_file: Option<PathBuf>,
            /// The variable of the environment with the password.
            pub password_env: Option<String>,
            /// Whom to believe about the server's name, as PEM; else the system's authorities.
            pub authority: Option<PathBuf>,
            /// A certificate of our own, as PEM.
            pub certificate: Option<PathBuf>,
            /// Its key.
            pub key: Option<PathBuf>,
            $($more)*
        }

        impl $name {
            fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
                let Self { password_file, authority, certificate, key, .. } = self;
                [password_file, authority, certificate, key].into_iter().flatten()
            }
        }
    };
}

dialled! {
    /// A server that is dialled.
    Dialled {}
}

dialled! {
    /// An account.
    Received {
        /// The folder that is looked into; else INBOX.
        pub folder: Option<String>,
        /// Where mails go that were read; else DIDComm.
        pub move_to: Option<String>,
        /// Delete mails that were read instead.
        #[serde(default)]
        pub delete: bool,
        /// How often a server is asked that tells no news, in seconds.
        pub poll: Option<u64>,
        /// Ask, whatever the server says that it tells.
        #[serde(default)]
        pub no_idle: bool,
    }
}

/// A door for one's own mail server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HandedOver {
    /// Where LMTP is spoken.
    pub lmtp: Option<SocketAddr>,
    /// Where SMTP is spoken.
    pub smtp: Option<SocketAddr>,
    /// Addresses and domains for which mails are taken; else our own address.
    #[serde(default, rename = "for")]
    pub taken: Vec<String>,
}

/// What follows from the settings.
#[derive(Default)]
pub struct Mailer {
    /// `mailto`, `imap`, `lmtp`, `smtp`: those that were set up.
    pub transports: Vec<Arc<dyn Transport>>,
    /// The ways to listen on.
    pub listen: Vec<Way>,
    /// Ways that lead to ourselves.
    pub doors: Vec<String>,
    /// The server that sends.
    pub outbox: Option<Arc<Outbox>>,
    /// The account that receives.
    pub account: Option<Account>,
}

impl Settings {
    /// Makes files that are not named from the root those of this folder.
    pub fn anchor(&mut self, folder: &Path) {
        let submission = self.submission.iter_mut().flat_map(Dialled::files);
        let imap = self.imap.iter_mut().flat_map(Received::files);
        for file in submission.chain(imap) {
            *file = folder.join(&file);
        }
    }

    /// Reads what the settings name. What is remembered lies in `home`.
    ///
    /// # Errors
    /// The key, and what is wrong with it.
    pub fn build(&self, home: &Path) -> Result<Mailer, String> {
        let address = Address::parse(&self.address);
        let address = address.ok_or("mail.address: it should be NAME@DOMAIN, in ASCII")?;
        let mut mailer = Mailer {
            doors: vec![format!("mailto:{address}")],
            ..Mailer::default()
        };
        if let Some(submission) = &self.submission {
            let server = submission.server(Protocol::Smtp, None);
            let server = server.map_err(|why| format!("mail.submission: {why}"))?;
            let outbox = Arc::new(Outbox::new(server, address.clone()));
            mailer.outbox = Some(Arc::clone(&outbox));
            mailer.transports.push(Arc::new(Mailto::new(outbox)));
        }
        if let Some(imap) = &self.imap {
            let account = imap.account(&self.address, home);
            let account = account.map_err(|why| format!("mail.imap: {why}"))?;
            let transport = Imap::new(account.clone());
            mailer.listen.extend(transport.way());
            mailer.account = Some(account);
            mailer.transports.push(Arc::new(transport));
        }
        if let Some(inbound) = &self.inbound {
            inbound
                .doors(address, &mut mailer)
                .map_err(|why| format!("mail.inbound: {why}"))?;
        }
        Ok(mailer)
    }
}

impl Dialled {
    fn server(&self, protocol: Protocol, user: Option<&str>) -> Result<Server, String> {
        let password = match (&self.password_file, &self.password_env) {
            (Some(_), Some(_)) => return Err("one password is enough".to_owned()),
            (Some(file), None) => Some(Zeroizing::new(text(file)?)),
            (None, Some(name)) => {
                let found = env::var(name);
                Some(Zeroizing::new(
                    found.map_err(|_| format!("the variable {name} is not set"))?,
                ))
            }
            (None, None) => None,
        };
        let login = match (self.user.as_deref().or(user), password) {
            (Some(user), Some(password)) => {
                let password = Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned());
                let login = Login::new(user, password);
                Some(login.ok_or("the user or the password has a line's end in it")?)
            }
            (None, Some(_)) => return Err("a password, and no user".to_owned()),
            (Some(_), None) if self.user.is_some() => {
                return Err("a user, and neither password-file nor password-env".to_owned());
            }
            _ => None,
        };
        let mut tls = Tls::default();
        if let Some(file) = &self.authority {
            let told = |why: std::io::Error| format!("{}: {why}", file.display());
            tls = tls.believing(text(file)?.as_bytes()).map_err(told)?;
        }
        match (&self.certificate, &self.key) {
            (Some(chain), Some(key)) => {
                let (chain, secret) = (text(chain)?, Zeroizing::new(text(key)?));
                let shown = tls.showing(chain.as_bytes(), secret.as_bytes());
                tls = shown.map_err(|why| format!("{}: {why}", key.display()))?;
            }
            (None, None) => {}
            _ => return Err("a certificate has a key".to_owned()),
        }
        Server::parse(&self.server, protocol, self.open, login, Arc::new(tls))
    }
}

impl Received {
    fn account(&self, address: &str, home: &Path) -> Result<Account, String> {
        let dialled = Dialled {
            server: self.server.clone(),
            open: self.open,
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            password_env: self.password_env.clone(),
            authority: self.authority.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        };
        let server = dialled.server(Protocol::Imap, Some(address))?;
        if server.login.is_none() {
            return Err("an account has a password-file or a password-env".to_owned());
        }
        let mut account = Account::new(server);
        account.memory = Some(home.join(MEMORY));
        account.news = !self.no_idle;
        if let Some(folder) = &self.folder {
            account.folder.clone_from(folder);
        }
        if let Some(seconds) = self.poll {
            if seconds == 0 {
                return Err("poll: it would be asked without end".to_owned());
            }
            account.poll = Duration::from_secs(seconds);
        }
        match (&self.move_to, self.delete) {
            (Some(_), true) => return Err("move-to, or delete".to_owned()),
            (Some(folder), false) if *folder == account.folder => {
                return Err("move-to: it is the folder that is looked into".to_owned());
            }
            (Some(folder), false) => account.after = After::Move(folder.clone()),
            (None, true) => account.after = After::Delete,
            (None, false) => {}
        }
        let plain = |folder: &str| !folder.is_empty() && !folder.contains(['\r', '\n', '\0']);
        match &account.after {
            After::Move(folder) if !plain(folder) => Err("move-to: it is no folder".to_owned()),
            _ if !plain(&account.folder) => Err("folder: it is none".to_owned()),
            _ => Ok(account),
        }
    }
}

impl HandedOver {
    fn doors(&self, own: Address, mailer: &mut Mailer) -> Result<(), String> {
        let mut taken = Vec::new();
        for text in &self.taken {
            let one = Taken::parse(text);
            taken.push(one.ok_or_else(|| format!("for: {text} is no address and no domain"))?);
        }
        if taken.is_empty() {
            taken.push(Taken::Address(own));
        }
        let inbound = Inbound {
            taken,
            ..Inbound::default()
        };
        if let Some(at) = self.lmtp {
            mailer.listen.extend(Way::parse(&format!("lmtp://{at}")));
            let lmtp = Lmtp::new(inbound.clone());
            mailer.transports.push(Arc::new(lmtp));
        }
        if let Some(at) = self.smtp {
            mailer.listen.extend(Way::parse(&format!("smtp://{at}")));
            mailer.transports.push(Arc::new(Smtp::new(inbound)));
        }
        if self.lmtp.is_none() && self.smtp.is_none() {
            return Err("it says neither lmtp nor smtp".to_owned());
        }
        Ok(())
    }
}

fn text(file: &Path) -> Result<String, String> {
    let told = |why: std::io::Error| format!("{}: {why}", file.display());
    if fs::metadata(file).map_err(told)?.len() > MAX_FILE {
        return Err(format!("{}: it is too long", file.display()));
    }
    fs::read_to_string(file).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(lines: &str) -> Result<Vec<&'static str>, String> {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("pw"), "secret\n").expect("a file");
        let mut settings: Settings = toml::from_str(lines).map_err(|err| err.to_string())?;
        settings.anchor(home.path());
        let mailer = settings.build(home.path())?;
        if let Some(account) = &mailer.account {
            let login = account.server.login.as_ref().expect("it has one");
            assert_eq!(login.password.as_str(), "secret");
            assert_eq!(login.user, "bob@edge.test");
        }
        Ok(mailer.transports.iter().map(|one| one.name()).collect())
    }

    const WHOLE: &str = "address = \"bob@edge.test\"
[submission]
server = \"smtps://mx.edge.test\"
user = \"bob\"
password-file = \"pw\"
[imap]
server = \"imaps://mx.edge.test\"
password-file = \"pw\"
[inbound]
lmtp = \"127.0.0.1:2424\"
for = [\"edge.test\"]
";

    #[test]
    fn a_whole_section_makes_three_transports() {
        assert_eq!(build(WHOLE), Ok(vec!["mailto", "imap", "lmtp"]));
        assert_eq!(build("address = \"bob@edge.test\""), Ok(vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_key() {
        for (from, to, told) in [
            ("bob@edge.test", "bob", "mail.address"),
            ("smtps:", "imaps:", "mail.submission"),
            (
                "user = \"bob\"\npassword-file = \"pw\"",
                "user = \"bob\"",
                "password-file",
            ),
            ("\"pw\"\n[imap]", "\"nowhere\"\n[imap]", "nowhere"),
            ("[imap]", "[imap]\nmove-to = \"INBOX\"", "move-to"),
            ("[imap]", "[imap]\npassword = \"pw\"", "password"),
            ("lmtp = \"127.0.0.1:2424\"", "", "neither"),
            ("\"edge.test\"]", "\"a b\"]", "a b"),
        ] {
            let lines = WHOLE.replacen(from, to, 1);
            assert_ne!(lines, WHOLE, "{from}");
            let fault = build(&lines).expect_err(to);
            assert!(fault.contains(told), "{to}: {fault}");
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
