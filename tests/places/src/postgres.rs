//! A database server of one's own, for tests of the store in `PostgreSQL`.
//!
//! What is it: [`Postgres`], a real server in a scratch folder, reached by a Unix socket, and over
//! loopback under TLS if it is asked to be.
//! It ends with the value, and can be killed before. Who calls it: the tests of
//! `gateway/postgres` and of the command line. What can go wrong: there is no server on this
//! machine; then the test fails and says what to install, because a store that was never asked
//! proves nothing.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::mail::certificates;

/// `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;
/// How long a server may take to start; after a kill it reads its log first.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server with empty databases.
pub struct Postgres {
    place: TempDir,
    programs: PathBuf,
    server: Option<Child>,
    made: AtomicUsize,
    /// Of the socket's name; a port of loopback too where there is TLS.
    port: u16,
    /// Who signed its certificate, as PEM, where there is TLS.
    authority: Option<String>,
}

impl Postgres {
    /// Starts one.
    ///
    /// # Panics
    /// If there is none on this machine, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts one whose tables lie on this disk; its log lies elsewhere.
    ///
    /// # Panics
    /// If there is none on this machine, or it does not start.
    #[must_use]
    pub fn on(disk: &Path) -> Self {
        Self::with(Some(disk))
    }

    fn with(disk: Option<&Path>) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let mut postgres = Self {
            programs: programs(),
            server: None,
            made: AtomicUsize::new(0),
            port: 5432,
            authority: None,
            place,
        };
        let data = postgres.data();
        fs::create_dir(postgres.path("socket")).expect("a folder");
        match disk {
            None => fs::create_dir(&data).expect("a folder"),
            Some(disk) => {
                let there = disk.join("data");
                fs::create_dir(&there).expect("a folder");
                std::os::unix::fs::symlink(there, &data).expect("a link");
            }
        }
        for folder in [postgres.place.path(), &data, &postgres.path("socket")] {
            if geteuid().is_root() {
                chown(folder, Some(NOBODY), Some(NOBODY)).expect("a folder of nobody's");
            }
        }
        let made = postgres
            .command("initdb")
            .args(["--username=packmule", "--auth=trust", "--encoding=UTF8"])
            .args([
                "--locale=C",
                "--no-sync",
                "--no-instructions",
                "--wal-segsize=1",
            ])
            .arg("--waldir")
            .arg(postgres.path("log"))
            .arg("--pgdata")
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        postgres.restart();
        postgres
    }

    /// Starts one that is also at `localhost`, for a user with the password `pw`, under TLS alone.
    ///
    /// # Panics
    /// If there is none on this machine, or it does not start.
    #[must_use]
    pub fn secured() -> Self {
        let mut postgres = Self::start();
        postgres.ask("postgres", "ALTER ROLE packmule PASSWORD 'pw'");
        postgres.end(Signal::INT);
        postgres.authority = Some(certificates(postgres.place.path()));
        let key = postgres.path("tls/key.pem");
        if geteuid().is_root() {
            chown(&key, Some(NOBODY), Some(NOBODY)).expect("a key of nobody's");
        }
        // The server refuses a key that others may read.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our file");
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(postgres.data().join("pg_hba.conf"), rules).expect("a file");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        postgres.port = free.local_addr().expect("an address").port();
        drop(free);
        postgres.restart();
        postgres
    }

    /// Who signed the certificate of [`Self::secured`], which is for `localhost`: PEM.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_deref().expect("a server under TLS")
    }

    /// The URL of a database over loopback, by this host name.
    #[must_use]
    pub fn url_at(&self, host: &str, database: &str) -> String {
        let (port, name) = (self.port, name_of(database));
        format!("postgres://packmule:pw@{host}:{port}/{name}")
    }

    /// Starts it again, after [`Self::kill`].
    ///
    /// # Panics
    /// If it does not start in time.
    pub fn restart(&mut self) {
        let told = File::create(self.path("told")).expect("a file");
        let mut server = self.command("postgres");
        server
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.path("socket"))
            .args(["-c", "listen_addresses="])
            // Of children that outlive it by a moment, a new one would want their memory back.
            .args(["-c", "shared_memory_type=mmap"])
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .args(["-c", "shared_buffers=16MB"])
            .stderr(told);
        if self.authority.is_some() {
            let tls = self.path("tls").display().to_string();
            server
                .args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on"])
                .args(["-c", &format!("ssl_cert_file={tls}/cert.pem")])
                .args(["-c", &format!("ssl_key_file={tls}/key.pem")]);
        }
        let server = server.spawn().expect("the server runs");
        self.server = Some(server);
        let began = Instant::now();
        while !self.answers() {
            assert!(
                began.elapsed() < PATIENCE,
                "the server does not start: {}",
                self.told()
            );
            let server = self.server.as_mut().expect("it was started");
            if server.try_wait().expect("a child").is_some() {
                // Children of one that was killed are still there for a moment.
                sleep(Duration::from_millis(100));
                return self.restart();
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let status = self
            .command("pg_isready")
            .arg("-q")
            .arg("-h")
            .arg(self.path("socket"))
            .status();
        status.expect("pg_isready runs").success()
    }

    /// kill -9, as a power cut has it but for the disk's own memory.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    fn end(&mut self, how: Signal) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let id = server.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        if let Ok(pid) = i32::try_from(id) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, how));
        }
        let _ = server.wait();
        // One that is about to read what came answers it before it hears of its parent's end.
        let began = Instant::now();
        for child in children.split_whitespace() {
            let exe = format!("/proc/{child}/exe");
            while fs::read_link(&exe).is_ok() && began.elapsed() < PATIENCE {
                sleep(Duration::from_millis(5));
            }
        }
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.ask("postgres", &format!("CREATE DATABASE test{number}"));
        self.url(&format!("test{number}"))
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let socket = self.path("socket").display().to_string();
        let host = socket.replace('/', "%2F");
        format!("postgres://packmule@{host}:{}/{database}", self.port)
    }

    /// Asks the database of this URL, or name, with `psql`; gives its answer, without spaces
    /// around it.
    ///
    /// # Panics
    /// If the server does not do it.
    pub fn ask(&self, database: &str, sql: &str) -> String {
        self.psql(database, &["-c".as_ref(), sql.as_ref()])
    }

    /// Runs a file of statements.
    ///
    /// # Panics
    /// If the server does not do it.
    pub fn run(&self, database: &str, file: &Path) {
        self.psql(database, &["-f".as_ref(), file.as_os_str()]);
    }

    fn psql(&self, database: &str, what: &[&OsStr]) -> String {
        let name = name_of(database);
        let told = Command::new(self.programs.join("psql"))
            .env("PGPORT", self.port.to_string())
            .args(["-v", "ON_ERROR_STOP=1", "-U", "packmule", "-qXAt", "-h"])
            .arg(self.path("socket"))
            .args(["-d", name])
            .args(what)
            .output()
            .expect("psql runs");
        assert!(
            told.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&told.stderr)
        );
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    }

    /// What the server said by itself.
    #[must_use]
    pub fn told(&self) -> String {
        fs::read_to_string(self.path("told")).unwrap_or_default()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .current_dir(self.place.path())
            .env("PGPORT", self.port.to_string())
            .stdout(Stdio::null());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, without writing what nobody reads again.
        self.end(Signal::QUIT);
    }
}

/// Of its URL, or of itself.
fn name_of(database: &str) -> &str {
    database.rsplit('/').next().unwrap_or(database)
}

/// Where the server's programs are: `$PATH`, or where Debian keeps them, by version.
fn programs() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut debian: Vec<PathBuf> = debian
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    debian.sort();
    places.extend(debian.into_iter().rev());
    let whole = |it: &PathBuf| {
        ["initdb", "postgres", "psql", "pg_isready"]
            .iter()
            .all(|program| it.join(program).exists())
    };
    places.into_iter().find(whole).expect(
        "there is no PostgreSQL server on this machine: install the package `postgresql` \
        (Debian: apt-get install postgresql)",
    )
}
