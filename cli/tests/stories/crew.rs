//! Nodes as processes: started, waited for, ended gently or not.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::stage::Party;

/// How long anything may take; nothing here is measured by it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so, and fails if it never is.
pub(crate) fn pause_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tells a party where another one's node listens.
pub(crate) fn knows(party: &Party, peer: &str, node: &Running) {
    party.ok(["peers", "ways", peer, &node.way()]);
}

/// One `packmule run`; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    ready: Value,
}

impl Running {
    /// Starts a node on loopback, and waits until it is ready.
    pub(crate) fn start(party: &Party, flags: &[&str]) -> Self {
        let mut args = vec!["run", "--json", "--no-discover"];
        args.extend(flags);
        if !flags.contains(&"--listen") {
            args.extend(["--listen", "tcp://127.0.0.1:0"]);
        }
        let mut command = party.command(args);
        command.stderr(Stdio::inherit());
        Self::of(command.spawn().expect("the binary runs"))
    }

    pub(crate) fn of(mut child: Child) -> Self {
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|err| panic!("{err}: {line}"));
        assert_eq!(ready["ready"], true, "{ready}");
        Self { child, ready }
    }

    /// Where it listens first.
    pub(crate) fn way(&self) -> String {
        self.ready["listen"][0].as_str().expect("a way").to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = self.pid().to_string();
        let killed = std::process::Command::new("kill").arg(&pid).status();
        assert!(killed.expect("kill runs").success());
        self.child.wait().expect("it ends").code()
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it is gone");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The JSON lines of a process, as they come.
pub(crate) struct Lines {
    child: Child,
    lines: Receiver<Value>,
}

impl Lines {
    pub(crate) fn of(mut child: Child) -> Self {
        let out = child.stdout.take().expect("a pipe");
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { return };
                let value = serde_json::from_str(&line).expect("a JSON line");
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Has a line like this come, or does it come in a moment?
    pub(crate) fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> bool {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            if is_it(&line) {
                return true;
            }
        }
        false
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
