//! The control socket: asked, watched, abused, left behind.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use packmule_node::control::{
    Client, ClientError, EventLine, MAX_LINE, Parcel, Reply, Request, Urgency, VERSION,
};
use packmule_node::{Node, NodeConfig, StartError, Submit, SubmitError};
use serde_json::json;

use crate::stage::{Party, Stage, next, until};

/// Clients block, nodes do not: each has its own thread.
async fn client<T: Send + 'static>(
    party: &Party,
    talk: impl FnOnce(Client) -> T + Send + 'static,
) -> T {
    let dir = party.home.dir().to_owned();
    let talking = tokio::task::spawn_blocking(move || talk(Client::connect(&dir).unwrap()));
    talking.await.unwrap()
}

fn socket(party: &Party) -> PathBuf {
    party.home.dir().join("node.sock")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sends_watches_and_asks_why() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (a, b) = (stage.run(&alice).await, stage.run(&bob).await);
    let watching = {
        let dir = alice.home.dir().to_owned();
        let watch = tokio::task::spawn_blocking(move || Client::connect(&dir)?.watch());
        let mut watch = watch.await.unwrap().unwrap();
        tokio::task::spawn_blocking(move || {
            watch.find_map(|event| match event.unwrap() {
                EventLine::Progress { id, rung, .. } if rung == "delivered" => Some(id),
                _ => None,
            })
        })
    };
    let did = alice.did.did.clone();
    let sent = client(&alice, move |mut node| {
        assert_eq!(node.did(), did);
        assert_eq!(node.pid(), std::process::id());
        let message = json!({ "type": "https://didcomm.org/basicmessage/2.0/message",
                              "body": { "content": "by socket" } });
        node.ask(&Request::Send {
            to: "bob".into(),
            message,
            by: Vec::new(),
            priority: Urgency::Urgent,
        })
    });
    let Reply::Queued { message_id, ids } = sent.await.unwrap() else {
        panic!("it was queued");
    };
    assert_eq!(next(&b).await, "by socket");
    assert_eq!(watching.await.unwrap().as_ref(), ids.first());
    // By the message's own id, and by the beginning of the envelope's.
    let beginning = ids[0].chars().take(8).collect();
    for id in [message_id.unwrap(), beginning] {
        let why = client(&alice, move |mut node| node.ask(&Request::Why { id })).await;
        let Reply::Why { why: Some(why) } = why.unwrap() else {
            panic!("alice holds it");
        };
        assert_eq!(
            (why.origin.as_str(), why.rung.as_str()),
            ("own", "delivered")
        );
    }
    let status = client(&bob, |mut node| node.ask(&Request::Status)).await;
    let Reply::Status(status) = status.unwrap() else {
        panic!("a status was asked for");
    };
    assert_eq!(status.listening, ["mem:bob"]);
    assert_eq!(status.pid, std::process::id());
    drop((a, b));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_told() {
    let stage = Stage::new();
    let (alice, _) = stage.pair();
    let _a = stage.run(&alice).await;
    let refusals = client(&alice, |mut node| {
        [
            Request::Why {
                id: "nobody".into(),
            },
            Request::Submit(Parcel {
                to: "carol".into(),
                packed: "{}".into(),
                ..Parcel::default()
            }),
            Request::Send {
                to: "bob".into(),
                message: json!({ "body": {} }),
                by: Vec::new(),
                priority: Urgency::Normal,
            },
        ]
        .map(|request| node.ask(&request).unwrap_err().to_string())
    })
    .await;
    assert!(refusals[0].contains("is held here"), "{refusals:?}");
    assert!(refusals[1].contains("no peer"), "{refusals:?}");
    assert!(refusals[2].contains("no type"), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_nobody_becomes_a_dead_letter_that_is_retried_and_forgotten() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let a = stage.run(&alice).await;
    let submit = |expires| {
        Request::Submit(Parcel {
            to: bob.did.did.clone(),
            packed: r#"{"protected":"e30","ciphertext":"AAAA"}"#.into(),
            expires,
            ..Parcel::default()
        })
    };
    let request = submit(Some(1));
    let expired = client(&alice, move |mut node| node.ask(&request)).await;
    assert!(expired.is_err(), "its time was over before it began");
    let request = submit(None);
    let queued = client(&alice, move |mut node| node.ask(&request)).await;
    let Reply::Queued { ids, .. } = queued.unwrap() else {
        panic!("it was queued");
    };
    let id = ids[0].clone();
    let done = client(&alice, move |mut node| node.ask(&Request::Forget { id })).await;
    assert_eq!(done.unwrap(), Reply::Done { changed: true });
    let id: packmule_bus::EnvelopeId = ids[0].parse().unwrap();
    // Taken back, it is over: whoever asks is told so.
    let why = a.why(id).await;
    assert!(why.is_none_or(|why| why.rung.starts_with("refused")));
    assert!(!a.retry(id).await.unwrap() || !a.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dead_already_is_not_said_to_be_queued() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let a = stage.run(&alice).await;
    let packed = br#"{"protected":"e30","ciphertext":"AAAA"}"#;
    let soon = std::time::SystemTime::now() + Duration::from_secs(6);
    let soon = soon.duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut events = a.events();
    let submit = || {
        let options = Submit {
            expires: Some(soon.as_secs()),
            ..Submit::default()
        };
        a.submit(packed.to_vec(), &bob.did.did, options)
    };
    let id = submit().await.unwrap();
    assert_eq!(submit().await.unwrap(), id, "it is held");
    until(
        &mut events,
        |event| matches!(event, EventLine::Progress { rung, .. } if rung.starts_with("expired")),
    )
    .await;
    assert!(matches!(submit().await, Err(SubmitError::NotTaken(_))));
    assert_eq!(a.dead_letters().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_clients_are_told_off_and_others_served() {
    let stage = Stage::new();
    let (alice, _) = stage.pair();
    let _a = stage.run(&alice).await;
    let path = socket(&alice);
    let attack = tokio::task::spawn_blocking(move || {
        let line = |stream: &mut UnixStream| {
            let (mut text, mut byte) = (Vec::new(), [0]);
            while stream.read(&mut byte).unwrap_or(0) == 1 && byte[0] != b'\n' {
                text.push(byte[0]);
            }
            String::from_utf8(text).unwrap()
        };
        // Seats taken by those who say nothing.
        let silent: Vec<_> = (0..20)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let mut mallory = UnixStream::connect(&path).unwrap();
        assert!(line(&mut mallory).contains(&format!(r#""version":{VERSION}"#)));
        for nonsense in [
            "{}\n",
            "\n",
            "[1]\n",
            "{\"verb\":\"stopp\"}\n",
            "\u{1f434}\n",
        ] {
            mallory.write_all(nonsense.as_bytes()).unwrap();
            assert!(line(&mut mallory).contains("not a request"), "{nonsense:?}");
        }
        // A line without an end.
        let piece = vec![b'x'; 64 << 10];
        let mut written = 0;
        while written < 8 * MAX_LINE && mallory.write_all(&piece).is_ok() {
            written += piece.len();
        }
        assert!(written < 8 * MAX_LINE, "the node read all of it");
        drop(silent);
    });
    attack.await.unwrap();
    let status = client(&alice, |mut node| node.ask(&Request::Status)).await;
    assert!(matches!(status, Ok(Reply::Status(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_a_home_and_a_socket_left_behind_is_no_obstacle() {
    let stage = Stage::new();
    let alice = stage.party("alice");
    // What a crashed node leaves.
    drop(std::os::unix::net::UnixListener::bind(socket(&alice)).unwrap());
    fs::write(alice.home.dir().join("node.lock"), "4711\n").unwrap();
    assert!(matches!(
        Client::connect(alice.home.dir()),
        Err(ClientError::NoNode)
    ));

    let a = stage.run(&alice).await;
    let facts = fs::metadata(socket(&alice)).unwrap();
    assert!(facts.file_type().is_socket());
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    let keys = alice.home.unlock(b"mules never forget").unwrap();
    let second = Node::start(alice.home.clone(), keys, Vec::new(), NodeConfig::default()).await;
    let Err(StartError::Running { pid }) = second else {
        panic!("two nodes on one home");
    };
    assert_eq!(pid, Some(std::process::id()));

    let stopped = client(&alice, |mut node| node.ask(&Request::Stop)).await;
    assert!(stopped.is_ok());
    a.ended().await;
    drop(a);
    let again = stage.run(&alice).await;
    again.stop().await;
    assert!(matches!(
        Client::connect(alice.home.dir()),
        Err(ClientError::NoNode)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_with_a_very_long_path_has_its_socket_elsewhere() {
    let stage = Stage::new();
    let deep = stage.place.path().join("a".repeat(60)).join("b".repeat(60));
    let alice = stage.party_in("alice", &deep);
    let a = stage.run(&alice).await;
    // A client finds it by the home alone, whatever its own environment says.
    let elsewhere = fs::read_link(socket(&alice)).unwrap();
    assert!(!elsewhere.starts_with(alice.home.dir()));
    let status = client(&alice, |mut node| node.ask(&Request::Status)).await;
    assert!(status.is_ok());
    a.stop().await;
    assert!(!elsewhere.exists());
    assert!(fs::symlink_metadata(socket(&alice)).is_err());
}
