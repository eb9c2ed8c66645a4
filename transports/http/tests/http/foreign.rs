//! Foreign programs at the other end: curl as client, Python's `http.server` as server.

use std::process::Stdio;
use std::sync::Arc;

use crate::stage::{ENCRYPTED, Kiosk, PATIENCE};
use packmule_bus::Kind;
use packmule_bus::link::{LinkError, Mailbox, Port, Transport, Way};
use packmule_http::Http;
use packmule_http::server::{Answer, Certificate, Config, Limits};
use tempfile::tempdir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Runs curl; its exit code and what it printed.
async fn curl(args: &[&str]) -> (Option<i32>, String) {
    let run = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "50"])
        .args(args)
        .stdin(Stdio::null())
        .output();
    let run = timeout(PATIENCE, run).await.expect("in time");
    let run = run.expect("curl is needed as a foreign client (Debian: curl)");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    (
        run.status.code(),
        said + &String::from_utf8_lossy(&run.stderr),
    )
}

/// What curl is told to believe a certificate, and to tell the status.
fn trusting<'a>(trusted: &'a str, post: &[&'a str]) -> Vec<&'a str> {
    let trust = ["--cacert", trusted, "-w", "|%{http_code}"];
    [&trust[..], post].concat()
}

#[tokio::test]
async fn curl_posts_under_tls_to_a_certificate_of_ours() {
    let place = tempdir().expect("a folder");
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let own = own.expect("a certificate");
    let (chain, key) = (place.path().join("chain.pem"), place.path().join("key.pem"));
    std::fs::write(&chain, own.cert.pem()).expect("written");
    std::fs::write(&key, own.signing_key.serialize_pem()).expect("written");
    let certificate = Certificate::from_files(&chain, &key).expect("belong together");
    let config = Config {
        path: "/didcomm".to_owned(),
        certificate: Some(Arc::new(certificate)),
        limits: Limits {
            message: 100_000,
            ..Limits::default()
        },
        ..Config::at("127.0.0.1:0")
    };
    let kiosk = Kiosk::with(config, Answer::Reply(b"{\"ok\":1}".to_vec())).await;
    let url = format!("https://localhost:{}/didcomm", kiosk.address.port());
    let kind = format!("Content-Type: {ENCRYPTED}");
    let trusted = chain.to_str().expect("text");
    let post = ["-H", &kind, "--data-binary", "{\"ciphertext\":1}", &url];
    let (code, said) = curl(&trusting(trusted, &post)).await;
    assert_eq!((code, said.as_str()), (Some(0), "{\"ok\":1}|200"));
    // Without our certificate it is nobody's: 60 is curl's word for that.
    let (code, said) = curl(&post).await;
    assert_eq!(code, Some(60), "{said}");
    assert_eq!(kiosk.came(), 1);
    // More than is taken: by curl's own caution (100-continue), and without it.
    let giant = place.path().join("giant");
    std::fs::write(&giant, vec![b'x'; 20 << 20]).expect("written");
    let giant = format!("@{}", giant.to_str().expect("text"));
    for caution in ["Expect: 100-continue", "Expect:"] {
        let post = ["-H", caution, "-H", &kind, "--data-binary", &giant, &url];
        let (code, said) = curl(&trusting(trusted, &post)).await;
        assert!(said.contains("|413"), "{caution}: {code:?} {said}");
    }
}

/// Answers as the path says, and prints what it is asked.
const SERVER: &str = r#"
import http.server, sys
JWE = b'{"protected":"e30","ciphertext":"AA","recipients":[]}'
class Cloud(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *args): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        print(self.command, self.path, self.headers['Content-Type'], body.decode(), flush=True)
        self.close_connection = False
        told, reply, more = {
            '/ok': (202, b'', {}),
            '/reply': (200, JWE, {'Content-Type': 'application/json'}),
            '/words': (200, b'thank you', {}),
            '/full': (503, b'', {'Retry-After': '17'}),
            '/slow': (429, b'', {'Retry-After': 'Fri, 31 Dec 1999 23:59:59 GMT'}),
            '/large': (413, b'', {}),
            '/never': (403, b'', {}),
            '/moved': (307, b'', {'Location': '/reply'}),
            '/gone': (302, b'', {'Location': '/ok'}),
            '/round': (307, b'', {'Location': '/round'}),
            '/stale': (202, b'', {}),
        }[self.path]
        self.send_response(told)
        for name, value in more.items(): self.send_header(name, value)
        self.send_header('Content-Length', str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)
        # Without a word of it: the client believes that the connection is kept.
        if self.path == '/stale': self.close_connection = True
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Cloud)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct Cloud {
    _child: Child,
    port: String,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Cloud {
    async fn open() -> Self {
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python is needed as a foreign server (Debian: python3)");
        let told = child.stdout.take().expect("piped");
        let mut lines = BufReader::new(told).lines();
        let port = timeout(PATIENCE, lines.next_line()).await.expect("in time");
        let port = port.expect("read").expect("a port");
        Self {
            _child: child,
            port,
            lines,
        }
    }

    async fn mailbox(&self, path: &str) -> Box<dyn Mailbox> {
        let way = Way::parse(&format!("http://127.0.0.1:{}{path}", self.port)).expect("a way");
        match Http::default().open(&way).await {
            Ok(Port::Mailbox(mailbox)) => mailbox,
            Ok(_) => panic!("no mailbox by {way}"),
            Err(fault) => panic!("{fault}"),
        }
    }

    async fn asked(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("in time").expect("read").expect("a line")
    }
}

async fn deliver(mailbox: &dyn Mailbox) -> Result<(), LinkError> {
    let deliver = mailbox.deliver(b"{}".to_vec(), Kind::Encrypted);
    timeout(PATIENCE, deliver).await.expect("in time")
}

#[tokio::test]
async fn a_foreign_server_is_asked_by_the_letter() {
    let mut cloud = Cloud::open().await;
    let ok = cloud.mailbox("/ok").await;
    for _ in 0..3 {
        deliver(&*ok).await.expect("taken");
        assert_eq!(cloud.asked().await, format!("POST /ok {ENCRYPTED} {{}}"));
    }
    let reply = cloud.mailbox("/reply").await;
    deliver(&*reply).await.expect("taken");
    let came = timeout(PATIENCE, reply.collect()).await.expect("in time");
    assert!(came.expect("comes").bytes.starts_with(b"{\"protected\""));
    deliver(&*cloud.mailbox("/words").await)
        .await
        .expect("taken");
}

#[tokio::test]
async fn a_foreign_server_says_no() {
    let cloud = Cloud::open().await;
    for (path, word) in [("/full", "17 s"), ("/slow", "Fri, 31 Dec 1999")] {
        match deliver(&*cloud.mailbox(path).await).await {
            Err(LinkError::Busy(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    let large = deliver(&*cloud.mailbox("/large").await).await;
    assert!(
        matches!(large, Err(LinkError::TooLarge { .. })),
        "{large:?}"
    );
    let never = deliver(&*cloud.mailbox("/never").await).await;
    assert!(matches!(never, Err(LinkError::Refused(_))), "{never:?}");
}

#[tokio::test]
async fn one_redirect_is_followed_and_no_other() {
    let mut cloud = Cloud::open().await;
    let moved = cloud.mailbox("/moved").await;
    deliver(&*moved).await.expect("taken");
    assert!(cloud.asked().await.starts_with("POST /moved"));
    assert_eq!(cloud.asked().await, format!("POST /reply {ENCRYPTED} {{}}"));
    let came = timeout(PATIENCE, moved.collect()).await.expect("in time");
    assert!(came.is_ok());
    for path in ["/gone", "/round"] {
        let said = deliver(&*cloud.mailbox(path).await).await;
        assert!(
            matches!(said, Err(LinkError::Refused(_))),
            "{path}: {said:?}"
        );
    }
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_no_message() {
    let mut cloud = Cloud::open().await;
    let stale = cloud.mailbox("/stale").await;
    for _ in 0..5 {
        deliver(&*stale).await.expect("taken, on a new connection");
        assert!(cloud.asked().await.starts_with("POST /stale"));
    }
}
