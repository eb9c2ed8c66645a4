//! The tests' stage: parties with homes in a temporary directory, played by the real binary.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use packmule_agent::did::NewDid;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Everyone's passphrase.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A temporary directory with parties in it.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// A party with a new home.
    pub(crate) fn party(&self, name: &str, method: &str) -> Party {
        let party = Party {
            home: self.path(name),
        };
        party.ok(["init", "--did-method", method, "--kdf-memory", "8"]);
        party
    }

    /// Alice and bob, who know each other: bob accepted alice's invitation.
    pub(crate) fn pair(&self) -> (Party, Party) {
        self.pair_of("peer2")
    }

    pub(crate) fn pair_of(&self, method: &str) -> (Party, Party) {
        let (alice, bob) = (self.party("alice", method), self.party("bob", method));
        let url = alice.json(["invite"])["url"]
            .as_str()
            .expect("a URL")
            .to_owned();
        bob.ok(["accept", &url, "--name", "alice"]);
        let stick = self.folder("introduction");
        bob.ok(["export", text(&stick)]);
        let met = alice.json(["import", text(&stick)])["met"][0].clone();
        alice.ok(["peers", "rename", met.as_str().expect("a new peer"), "bob"]);
        (alice, bob)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A directory that exists.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let dir = self.path(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        dir
    }

    /// A file with these bytes.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

/// What a run ended with.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|err| panic!("no JSON ({err}): {}\n{}", self.out(), self.stderr))
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A party: a home directory, and the binary to act on it.
pub(crate) struct Party {
    pub(crate) home: PathBuf,
}

impl Party {
    /// The command, not yet run.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packmule"));
        command
            .args(args)
            .env("PACKMULE_HOME", &self.home)
            .env("PACKMULE_PASSPHRASE", PASSPHRASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end, whatever it is.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        done(self.command(args).spawn().expect("the binary runs"))
    }

    /// Runs with something on standard input.
    pub(crate) fn pipe<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Done {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        // A verb may end before it reads its input: then writing fails, and that is fine.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let done = done(child);
        writer.join().expect("the writer ends");
        done
    }

    /// Runs, and it goes well.
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{}\n{}", done.out(), done.stderr);
        done.out()
    }

    /// Runs with `--json`, and it goes well.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let done = self.run_json(args);
        assert_eq!(done.code, 0, "{}\n{}", done.out(), done.stderr);
        done.json()
    }

    /// Runs with `--json`, whatever comes.
    pub(crate) fn run_json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        let args: Vec<_> = args.into_iter().map(|a| a.as_ref().to_owned()).collect();
        let mut command = self.command(args);
        command.arg("--json");
        done(command.spawn().expect("the binary runs"))
    }

    /// Runs, and fails with this exit code; gives back what `--json` says of it.
    pub(crate) fn fails<S: AsRef<OsStr>>(
        &self,
        code: i32,
        args: impl IntoIterator<Item = S>,
    ) -> Value {
        let done = self.run_json(args);
        assert_eq!(done.code, code, "{}\n{}", done.out(), done.stderr);
        done.json()
    }

    pub(crate) fn did(&self) -> String {
        self.json(["id"])["did"].as_str().expect("a DID").to_owned()
    }

    /// The texts of the inbox, in order of arrival.
    pub(crate) fn texts(&self) -> Vec<String> {
        let inbox = self.json(["inbox"]);
        let messages = inbox["messages"].as_array().expect("a list");
        messages
            .iter()
            .filter_map(|m| m["text"].as_str().map(str::to_owned))
            .collect()
    }
}

fn done(child: Child) -> Done {
    let output = child.wait_with_output().expect("the binary ends");
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Bytes that cannot be compressed, and come out the same for a seed each time.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// A stranger's packed message for `to`, by our own packer and keys that are in no home.
pub(crate) fn packed_by(author: &NewDid, to: &str, id: &str, words: &str, ack: bool) -> Vec<u8> {
    let mut message = json!({
        "id": id,
        "typ": "application/didcomm-plain+json",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": author.did,
        "to": [to],
        "body": { "content": words },
    });
    if ack {
        message["please_ack"] = json!([""]);
    }
    let mut keys = Keyring::new();
    keys.extend(author.secrets.clone());
    let plan = PackPlan {
        from: Some(author.did.clone()),
        to: vec![to.to_owned()],
        ..PackPlan::default()
    };
    Jose.pack(
        message.to_string().as_bytes(),
        &plan,
        &keys,
        &DocBook::new(),
    )
    .expect("it packs")
    .concat()
}
