//! Mail servers of one's own, for tests of e-mail.
//!
//! What is it: [`MailServer`], a real Postfix before a real Dovecot, in a scratch folder and on
//! loopback alone; neither is the system's. Both end with the value. Who calls it: the tests of
//! `transports/mail` and of the command line. What can go wrong: they are not on this machine, or
//! we are not root, which Postfix wants to be; then the test fails and says what to install.

mod moods;

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group, test_kill_process};
use tempfile::TempDir;

use moods::{Moods, judge};

const PATIENCE: Duration = Duration::from_secs(60);

/// Where the servers listen, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// SMTP: takes everything for the domains.
    pub smtp: u16,
    /// SMTP with STARTTLS and a login.
    pub submission: u16,
    /// The same, with TLS from the first byte.
    pub smtps: u16,
    /// SMTP that takes mails up to 100,000 bytes.
    pub small: u16,
    /// SMTP that asks its moods first: [`MailServer::mood`].
    pub moody: u16,
    /// IMAP: STARTTLS, or none.
    pub imap: u16,
    /// IMAP with TLS from the first byte.
    pub imaps: u16,
    /// Where Postfix hands over what is for `gate.test`, by LMTP: nobody is there yet.
    pub gate: u16,
    lmtp: u16,
    auth: u16,
    policy: u16,
}

/// Postfix and Dovecot for everybody at `kiosk.test` and `edge.test`; every password is `pw`.
pub struct MailServer {
    place: TempDir,
    ports: Ports,
    ca: String,
    moods: Moods,
}

impl MailServer {
    /// Starts both.
    ///
    /// # Panics
    /// If they are not on this machine, or do not start.
    #[must_use]
    pub fn start() -> Self {
        assert!(
            geteuid().is_root(),
            "Postfix runs as root alone: run this test as root"
        );
        for program in ["/usr/sbin/postfix", "/usr/sbin/dovecot"] {
            assert!(
                Path::new(program).exists(),
                "{program} is missing: apt install postfix dovecot-core dovecot-imapd dovecot-lmtpd"
            );
        }
        let place = tempfile::tempdir().expect("a folder");
        let moods = Moods::default();
        let policy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let server = Self {
            ports: Ports::free(policy.local_addr().expect("an address").port()),
            ca: certificates(place.path()),
            place,
            moods: Arc::clone(&moods),
        };
        std::thread::spawn(move || judge(&policy, &moods));
        fs::set_permissions(server.place.path(), fs::Permissions::from_mode(0o755))
            .expect("our folder");
        server.dovecot();
        server.postfix();
        for port in [server.ports.smtp, server.ports.imap, server.ports.lmtp] {
            server.wait_for(port);
        }
        server
    }

    /// Where they listen.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        self.ports
    }

    /// The authority that signed the servers' certificate, which is for `localhost`: PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The next `times` that somebody wants to send to `whom` by the moody port, the answer is
    /// this: `451 4.7.1 come again`.
    pub fn mood(&self, whom: &str, times: usize, answer: &str) {
        let mut moods = self.moods.lock().unwrap_or_else(PoisonError::into_inner);
        moods.insert(whom.to_owned(), (times, answer.to_owned()));
    }

    /// How often somebody was turned away before the mood passes.
    #[must_use]
    pub fn mood_left(&self, whom: &str) -> usize {
        let moods = self.moods.lock().unwrap_or_else(PoisonError::into_inner);
        moods.get(whom).map_or(0, |mood| mood.0)
    }

    /// The mails in a folder of somebody's, whole: `""` is the inbox.
    #[must_use]
    pub fn mails(&self, whom: &str, folder: &str) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let maildir = self.path("dc/mail").join(whom).join("Maildir");
        let maildir = match folder {
            "" => maildir,
            folder => maildir.join(format!(".{folder}")),
        };
        for part in ["new", "cur"] {
            for entry in fs::read_dir(maildir.join(part)).into_iter().flatten() {
                let file = entry.expect("an entry").path();
                // It may be moved in this moment.
                all.extend(fs::read(file));
            }
        }
        all
    }

    /// How many mails Postfix has not got rid of.
    #[must_use]
    pub fn queued(&self) -> usize {
        let mut count = 0;
        for queue in ["maildrop", "incoming", "active", "deferred"] {
            count += files(&self.path("pf/spool").join(queue));
        }
        count
    }

    /// Makes Postfix try at once what it keeps for later.
    pub fn flush(&self) {
        let flushed = Command::new("/usr/sbin/postqueue")
            .arg("-c")
            .arg(self.path("pf/etc"))
            .arg("-f")
            .stdin(Stdio::null())
            .status();
        assert!(flushed.expect("postqueue runs").success());
    }

    /// An IMAP server for the same mailboxes that is older: it can neither MOVE nor compress.
    #[must_use]
    pub fn old_imap(&self) -> String {
        format!("127.0.0.2:{}", self.ports.imap)
    }

    /// One that is older still: it has no UIDPLUS and no IDLE either.
    #[must_use]
    pub fn ancient_imap(&self) -> String {
        format!("127.0.0.3:{}", self.ports.imap)
    }

    /// Kills Postfix, and all that it has started, as a power cut would, and starts it again.
    ///
    /// # Panics
    /// If it does not start again.
    pub fn crash_postfix(&self) {
        let pid = fs::read_to_string(self.path("pf/spool/pid/master.pid")).unwrap_or_default();
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        let master = pid.expect("Postfix runs");
        // The master leads a group of its own.
        kill_process_group(master, Signal::KILL).expect("Postfix runs");
        let began = Instant::now();
        while test_kill_process(master).is_ok() && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20));
        }
        self.start_postfix();
        self.wait_for(self.ports.smtp);
    }

    /// What the servers told, at its end.
    #[must_use]
    pub fn told(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path("log").join(name)).unwrap_or_default();
        let all = read("dovecot.log") + &read("postfix.log");
        let lines: Vec<&str> = all.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn wait_for(&self, port: u16) {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(
                began.elapsed() < PATIENCE,
                "nobody on {port}:\n{}",
                self.told()
            );
            sleep(Duration::from_millis(20));
        }
    }

    fn run(&self, command: &mut Command, log: &str) {
        let log = fs::File::create(self.path("log").join(log)).expect("a file");
        // Daemons keep what they are given: a pipe would never end.
        let ran = command
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file"))
            .stdout(log)
            .status();
        assert!(ran.expect("it is there").success(), "{}", self.told());
    }

    fn dovecot(&self) {
        for folder in ["dc/run", "dc/state", "dc/mail", "log"] {
            fs::create_dir_all(self.path(folder)).expect("a folder");
        }
        let (uid, gid) = owner("mail");
        chown(self.path("dc/mail"), Some(uid), Some(gid)).expect("mail's folder");
        let place = self.place.path().display();
        let Ports {
            imap,
            imaps,
            lmtp,
            auth,
            ..
        } = self.ports;
        let config = format!(
            "base_dir = {place}/dc/run
state_dir = {place}/dc/state
log_path = {place}/log/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1, 127.0.0.2, 127.0.0.3
local 127.0.0.2 {{
  imap_capability = IMAP4rev1 LITERAL+ IDLE UIDPLUS
}}
local 127.0.0.3 {{
  imap_capability = IMAP4rev1 LITERAL+
}}
ssl = yes
ssl_cert = <{place}/tls/cert.pem
ssl_key = <{place}/tls/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
mail_max_userip_connections = 50
first_valid_uid = 1
first_valid_gid = 1
mailbox_idle_check_interval = 1 sec
mail_fsync = never
protocol imap {{
  mail_plugins = $mail_plugins imap_zlib
}}
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={place}/dc/mail/%u allow_all_users=yes
}}
service imap-login {{
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener auth {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"
        );
        let file = self.path("dc/dovecot.conf");
        fs::write(&file, config).expect("a file");
        let mut dovecot = Command::new("/usr/sbin/dovecot");
        self.run(dovecot.arg("-c").arg(file), "dovecot.start");
    }

    fn postfix(&self) {
        for folder in ["pf/etc", "pf/spool", "pf/data"] {
            fs::create_dir_all(self.path(folder)).expect("a folder");
        }
        let (uid, _) = owner("postfix");
        chown(self.path("pf/data"), Some(uid), None).expect("postfix's folder");
        let place = self.place.path().display();
        let Ports {
            smtp,
            submission,
            smtps,
            small,
            moody,
            lmtp,
            auth,
            policy,
            gate,
            ..
        } = self.ports;
        let main = format!(
            "compatibility_level = 3.6
queue_directory = {place}/pf/spool
data_directory = {place}/pf/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.kiosk.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = kiosk.test, edge.test, gate.test
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
transport_maps = inline:{{ {{ gate.test = lmtp:inet:127.0.0.1:{gate} }} }}
message_size_limit = 200480000
maillog_file = {place}/log/postfix.log
maillog_file_prefixes = {place}
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_tls_cert_file = {place}/tls/cert.pem
smtpd_tls_key_file = {place}/tls/key.pem
smtpd_tls_security_level = may
alias_maps =
alias_database =
local_recipient_maps =
smtputf8_enable = yes
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
lmtp_destination_concurrency_limit = 10
in_flow_delay = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"
        );
        let login = "-o smtpd_sasl_auth_enable=yes -o mynetworks=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject";
        let master = format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  {login}
  -o smtpd_tls_security_level=encrypt
127.0.0.1:{smtps} inet n - n - - smtpd
  {login}
  -o smtpd_tls_wrappermode=yes
127.0.0.1:{small} inet n - n - - smtpd
  -o message_size_limit=100000
127.0.0.1:{moody} inet n - n - - smtpd
  -o smtpd_error_sleep_time=0
  -o {{ smtpd_recipient_restrictions=check_policy_service inet:127.0.0.1:{policy}, permit_mynetworks, reject }}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
tlsmgr unix - - n 1000? 1 tlsmgr
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
        );
        fs::write(self.path("pf/etc/main.cf"), main).expect("a file");
        fs::write(self.path("pf/etc/master.cf"), master).expect("a file");
        self.start_postfix();
    }

    fn start_postfix(&self) {
        let mut postfix = Command::new("/usr/sbin/postfix");
        self.run(
            postfix.arg("-c").arg(self.path("pf/etc")).arg("start"),
            "postfix.start",
        );
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // Not "postfix stop": it returns before the master has ended.
        for file in ["pf/spool/pid/master.pid", "dc/run/master.pid"] {
            let pid = fs::read_to_string(self.path(file)).unwrap_or_default();
            let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) else {
                continue;
            };
            let began = Instant::now();
            let _ = kill_process(pid, Signal::TERM);
            while test_kill_process(pid).is_ok() {
                if began.elapsed() > Duration::from_secs(10) {
                    let _ = kill_process(pid, Signal::KILL);
                    break;
                }
                sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Ports {
    /// Ports that nobody has now; they were all bound at once, so that no two are the same.
    fn free(policy: u16) -> Self {
        let bound: Vec<TcpListener> = (0..10)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
            .collect();
        let port = |at: usize| bound[at].local_addr().expect("an address").port();
        Self {
            smtp: port(0),
            submission: port(1),
            smtps: port(2),
            small: port(3),
            moody: port(4),
            imap: port(5),
            imaps: port(6),
            gate: port(7),
            lmtp: port(8),
            auth: port(9),
            policy,
        }
    }
}

/// An authority, and a certificate that it signed: rustls takes none for both.
pub(crate) fn certificates(place: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    let own = key();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&own, &ca).expect("signed");
    let folder = place.join("tls");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("cert.pem"), leaf.pem()).expect("a file");
    fs::write(folder.join("key.pem"), own.serialize_pem()).expect("a file");
    ca.as_ref().pem()
}

/// A user of the system, and its group.
fn owner(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let line = users
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")));
    let line = line.expect("a user of the package's: is it installed?");
    let mut fields = line.split(':').skip(2).map(|field| field.parse());
    let mut number = || fields.next().and_then(Result::ok).expect("a number");
    (number(), number())
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            _ => 1,
        })
        .sum()
}
