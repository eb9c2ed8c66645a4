//! The simulator from the command line: plans, traces, channels for other programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::Value;

fn packmule(args: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_packmule"))
        .args(args)
        .output()
        .expect("packmule runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        done.status.code().expect("it exits"),
        text(&done.stdout),
        text(&done.stderr),
    )
}

fn json(text: &str) -> Value {
    let last = text.lines().last().expect("a line");
    serde_json::from_str(last).expect(last)
}

#[test]
fn a_plan_runs_over_its_seeds_and_tells_which_faults_fired() {
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.html");
    let page = page.to_str().expect("a path");
    let (code, out, err) = packmule(&[
        "sim",
        "run",
        "power-cuts",
        "--seeds",
        "0..6",
        "--json",
        "--report",
        page,
    ]);
    assert_eq!(code, 0, "{out}{err}");
    let told = json(&out);
    assert_eq!(told["seeds"], 6);
    assert_eq!(told["violations"], 0);
    assert!(told["faults_fired"]["crash"].as_u64() > Some(0), "{told}");
    let again = packmule(&["sim", "run", "power-cuts", "--seeds", "0..6", "--json"]);
    assert_eq!(
        json(&again.1)["hash"],
        told["hash"],
        "the same seeds, the same story"
    );
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("<svg") && page.contains("All promises were kept"));
}

#[test]
fn plans_and_presets_are_listed_and_unknown_ones_are_told_apart() {
    let (code, out, _) = packmule(&["sim", "plans"]);
    assert!(code == 0 && out.contains("mixed"), "{out}");
    let (code, out, _) = packmule(&["sim", "presets"]);
    assert!(
        code == 0 && out.contains("ble-185") && out.contains("satellite"),
        "{out}"
    );
    let (code, out, _) = packmule(&["sim", "presets", "ble-185"]);
    assert!(code == 0 && out.contains("# published"), "{out}");
    let (code, _, err) = packmule(&["sim", "presets", "pigeon"]);
    assert!(code == 3 && err.contains("pigeon"), "{err}");
    let (code, _, _) = packmule(&["sim", "run", "no-such-plan"]);
    assert_eq!(code, 3);
    let (code, _, err) = packmule(&["sim", "run", "mixed", "--seeds", "5..5"]);
    assert!(code == 2 && err.contains("no seeds"), "{err}");
}

#[test]
fn a_trace_is_replayed_and_a_hostile_one_is_refused_by_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("valley.conn");
    let file = path.to_str().expect("a path");
    std::fs::write(
        &path,
        "1 CONN alice mule up\n60 CONN alice mule down\n100 CONN mule bob up\n4000 CONN bob mule down\n",
    )
    .expect("a trace");
    let (code, out, err) = packmule(&["sim", "trace", file, "--json"]);
    assert_eq!(code, 0, "{err}");
    let told = json(&out);
    for key in ["delivery", "overhead", "median_latency_s", "cpu_s"] {
        assert!(told[key].is_number(), "{key} in {told}");
    }
    assert!(told["delivery"].as_f64() > Some(0.0), "{told}");
    std::fs::write(&path, "1 CONN alice mule up\n0 CONN alice mule down\n").expect("a trace");
    let (code, _, err) = packmule(&["sim", "trace", file]);
    assert!(code == 6 && err.contains("line 2"), "{err}");
}

#[test]
fn a_client_of_any_language_speaks_through_a_slow_channel() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = server.local_addr().expect("its address").to_string();
    let mut proxy = Command::new(env!("CARGO_BIN_EXE_packmule"))
        .args([
            "sim",
            "link",
            "--preset",
            "internet",
            "--listen",
            "127.0.0.1:0",
        ])
        .args(["--to", &to, "--seed", "4", "--loss", "0.2", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the proxy");
    let mut lines = BufReader::new(proxy.stdout.take().expect("its output")).lines();
    let ready = json(&lines.next().expect("a ready line").expect("text"));
    let at = ready["listen"].as_str().expect("an address");
    let echo = std::thread::spawn(move || {
        let (mut socket, _) = server.accept().expect("a visitor");
        let mut all = Vec::new();
        socket.read_to_end(&mut all).expect("bytes");
        socket.write_all(&all).expect("an answer");
    });
    let mut alice = TcpStream::connect(at).expect("the proxy listens");
    alice.write_all(&[7; 5000]).expect("bytes");
    alice.shutdown(std::net::Shutdown::Write).expect("done");
    let mut got = Vec::new();
    alice.read_to_end(&mut got).expect("an answer");
    assert_eq!(got, [7; 5000]);
    echo.join().expect("the server");
    let id = proxy.id().to_string();
    let ended = Command::new("kill").args(["-TERM", &id]).status();
    assert!(ended.expect("kill runs").success());
    let told = json(&lines.next().expect("metrics").expect("text"));
    assert_eq!(
        (&told["connections"], &told["forth_bytes"]),
        (&1.into(), &5000.into())
    );
    assert!(proxy.wait().expect("it ends").success());
}
