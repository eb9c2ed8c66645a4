//! The gateway's process: started, asked, ended gently or not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stage::{Party, Stage};

/// One `packmule gateway`; dropped, it is killed.
pub(super) struct Gateway {
    child: Child,
    pub(super) did: String,
    /// Host and port.
    pub(super) address: String,
}

impl Gateway {
    /// Starts one on a home of the stage, on a port of the system's choice.
    pub(super) fn start(stage: &Stage, name: &str, environment: &[(&str, &str)]) -> Self {
        Self::at(stage, name, "127.0.0.1:0", environment)
    }

    /// One that others reach at another address has to be given the port where it listens.
    pub(super) fn at(stage: &Stage, name: &str, at: &str, environment: &[(&str, &str)]) -> Self {
        Self::with(stage, name, at, environment, &[])
    }

    /// With flags of one's own.
    pub(super) fn with(
        stage: &Stage,
        name: &str,
        at: &str,
        environment: &[(&str, &str)],
        flags: &[&str],
    ) -> Self {
        let party = Party {
            home: stage.path(name),
        };
        let mut command = party.command(["gateway", "--json", "--listen", at]);
        command
            .args(flags)
            .env_remove("PACKMULE_PASSPHRASE")
            // Many clients of one address, as fast as they can.
            .env("PACKMULE_GATEWAY_LIMITS__RATE_PER_ADDRESS", "0")
            .env("PACKMULE_GATEWAY_LIMITS__RATE_PER_SENDER", "0")
            .env("PACKMULE_GATEWAY_ACCOUNTS__NEW_PER_ADDRESS", "0")
            .envs(environment.iter().copied())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|err| panic!("{err}: {line}"));
        assert_eq!(ready["pid"], child.id());
        let http = ready["http"].as_str().unwrap();
        let public = http.trim_start_matches("http://").trim_end_matches('/');
        assert_eq!(ready["ws"], format!("ws://{public}/"));
        let address = if at.ends_with(":0") { public } else { at };
        Self {
            did: ready["did"].as_str().unwrap().to_owned(),
            address: address.to_owned(),
            child,
        }
    }

    /// A page: status and text.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Waits until a line of `/metrics` says this.
    pub(super) fn until(&self, line: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let told = self.get("/metrics").1;
            if told.lines().any(|one| one == line) {
                return;
            }
            assert!(Instant::now() < end, "no {line} in\n{told}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Resident memory in kB.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    }

    /// SIGHUP: it reads its configuration again.
    pub(super) fn hangup(&self) {
        let pid = self.child.id().to_string();
        let mut kill = std::process::Command::new("kill");
        let told = kill.args(["-HUP", &pid]).status();
        assert!(told.unwrap().success());
    }

    /// The latest lines of its log.
    pub(super) fn log(&self, stage: &Stage, name: &str) -> String {
        let told = packmule_gateway::admin::ask(&stage.path(name), "log.json");
        told.unwrap().to_string()
    }

    /// SIGTERM, and its exit code.
    pub(super) fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let told = std::process::Command::new("kill").arg(&pid).status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap().code()
    }

    /// kill -9.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
