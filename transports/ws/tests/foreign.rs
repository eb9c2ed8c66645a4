//! A foreign WebSocket library at the other end: Python's `websockets`, as client and as server.

#![expect(
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use std::process::Stdio;
use std::time::Duration;

use packmule_bus::Kind;
use packmule_bus::link::{LinkError, Port, Transport, Way};
use packmule_ws::Ws;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than Python takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A peer in Python that speaks by its own library; dropped, it ends.
fn python(program: &str, door: &str) -> Child {
    Command::new(interpreter())
        .args(["-c", program, door])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it just ran")
}

/// The first Python that has the library: Debian's own may not be the first one in the path.
fn interpreter() -> &'static str {
    let has = |python: &&str| {
        let look = std::process::Command::new(python)
            .args(["-c", "import websockets"])
            .stderr(Stdio::null())
            .status();
        look.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has);
    found.expect("a foreign WebSocket library is needed (Debian: python3-websockets)")
}

async fn ends_well(child: Child) {
    let done = timeout(PATIENCE, child.wait_with_output()).await;
    let done = done.expect("in time").expect("ends");
    assert!(
        done.status.success(),
        "the peer failed: {}",
        String::from_utf8_lossy(&done.stdout)
    );
}

const CLIENT: &str = r#"
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], max_size=None) as bob:
        assert bob.subprotocol is None
        await bob.send('{"from":"bob"}')
        await bob.send(b'\x00\x01\xff')
        await bob.send('{"long":"' + 'x' * 1000000 + '"}')
        assert await bob.recv() == '{"to":"bob"}'
        assert await bob.recv() == bytes(range(256)) * 300
        await asyncio.wait_for(await bob.ping(b'there?'), 30)
asyncio.run(main())
"#;

#[tokio::test]
async fn bob_comes_with_another_library() {
    let any_port = Way::parse("ws://127.0.0.1:0/didcomm").expect("a way");
    let mut kiosk = Ws::default().listen(&any_port).await.expect("listens");
    let bob = python(CLIENT, kiosk.way().as_str());
    let port = timeout(PATIENCE, kiosk.accept()).await.expect("in time");
    let Ok(Port::Mailbox(mailbox)) = port else {
        panic!("a stranger has a mailbox");
    };
    let letter = async || -> Result<Vec<u8>, LinkError> {
        let came = timeout(PATIENCE, mailbox.collect()).await.expect("in time");
        let came = came?;
        came.settle.settle().await?;
        Ok(came.bytes)
    };
    assert_eq!(letter().await.expect("comes"), b"{\"from\":\"bob\"}");
    assert_eq!(letter().await.expect("comes"), b"\x00\x01\xff");
    assert_eq!(letter().await.expect("comes").len(), 1_000_011);
    let bytes: Vec<u8> = (0..=255).cycle().take(256 * 300).collect();
    let sending = async {
        let first = mailbox.deliver(b"{\"to\":\"bob\"}".to_vec(), Kind::Encrypted);
        first.await.expect("taken");
        mailbox.deliver(bytes, Kind::Other).await.expect("taken");
    };
    timeout(PATIENCE, sending).await.expect("in time");
    assert!(matches!(letter().await, Err(LinkError::Closed)));
    ends_well(bob).await;
}

const SERVER: &str = r#"
import asyncio, websockets
async def cloud(socket, *path):
    assert await socket.recv() == '{"to":"cloud"}'
    await socket.send('{"from":"cloud"}')
    await socket.wait_closed()
    done.set_result(None)
async def main():
    global done
    done = asyncio.get_running_loop().create_future()
    async with websockets.serve(cloud, '127.0.0.1', 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.wait_for(done, 60)
asyncio.run(main())
"#;

async fn cloud() -> (Child, Way) {
    let mut cloud = python(SERVER, "");
    let told = cloud.stdout.take().expect("piped");
    let mut lines = BufReader::new(told).lines();
    let port = timeout(PATIENCE, lines.next_line()).await.expect("in time");
    let port = port.expect("read").expect("a port");
    let way = Way::parse(&format!("ws://127.0.0.1:{port}/ws"));
    (cloud, way.expect("a way"))
}

#[tokio::test]
async fn the_cloud_runs_another_library() {
    let (cloud, way) = cloud().await;
    let Ok(Port::Mailbox(mailbox)) = Ws::default().open(&way).await else {
        panic!("a stranger has a mailbox");
    };
    let deliver = mailbox.deliver(b"{\"to\":\"cloud\"}".to_vec(), Kind::Encrypted);
    timeout(PATIENCE, deliver)
        .await
        .expect("in time")
        .expect("taken");
    let came = timeout(PATIENCE, mailbox.collect()).await.expect("in time");
    assert_eq!(came.expect("comes").bytes, b"{\"from\":\"cloud\"}");
    drop(mailbox);
    ends_well(cloud).await;
}
