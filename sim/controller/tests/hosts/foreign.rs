//! bumble as the peer: its host over H4 and TCP on a controller of ours, in both roles of the DIF's
//! profile.
//!
//! Run by `.ci/parts/57-hci.sh`, which installs it and says where in `PACKMULE_BUMBLE`. Time is
//! real here, for another process takes part; nothing is asserted of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use packmule_bus::link::{Mailbox, Port, Transport};
use packmule_bus::{Envelope, EnvelopeId, Kind};
use packmule_controller::{Room, serve};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use crate::messages::packed;
use crate::radio::Terms;
use crate::{HEAD, Node, way};

/// Its address, and bytes of its messages.
const STRANGER: &str = "C0:00:00:00:00:09";
const SIZES: [usize; 3] = [1, 1_000, 20_000];
/// Ends what would otherwise hang for ever.
const PATIENCE: Duration = Duration::from_secs(180);

/// A directory with messages for the stranger to send.
struct Desk {
    at: PathBuf,
    files: Vec<PathBuf>,
}

impl Desk {
    fn new(name: &str) -> Self {
        let at = env::temp_dir().join(format!("packmule-hci-{name}-{}", std::process::id()));
        fs::create_dir_all(&at).expect("a directory");
        let files = SIZES.map(|size| {
            let file = at.join(format!("{size}.letter"));
            fs::write(&file, packed(size, 9)).expect("a letter");
            file
        });
        Self {
            at,
            files: files.to_vec(),
        }
    }

    fn back(file: &Path) -> EnvelopeId {
        let back = fs::read(file.with_extension("back")).expect("what came to the stranger");
        Envelope::from_packed(&back).expect("a message").id()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.at);
    }
}

/// The stranger's process, with a controller in this room.
struct Stranger(Child);

impl Stranger {
    async fn start(room: &Room, words: &[&str], desk: &Desk) -> Self {
        let python = env::var_os("PACKMULE_BUMBLE").expect("PACKMULE_BUMBLE: a python with bumble");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let room = room.clone();
        spawn_local(async move {
            let (stream, _) = listener.accept().await.expect("bumble connects");
            serve(room.port([9; 6]), stream).await
        });
        let child = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/hosts/stranger.py"
            ))
            .arg(format!("tcp-client:127.0.0.1:{port}"))
            .args(words)
            .args(&desk.files)
            .spawn();
        Self(child.expect("python starts"))
    }

    /// It ends by itself, content.
    async fn ends(mut self) {
        loop {
            if let Some(status) = self.0.try_wait().expect("its state") {
                assert!(status.success(), "bumble: {status}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn for_real(told: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        timeout(PATIENCE, told).await.expect("it does not hang");
    });
}

async fn comes(by: &dyn Mailbox, size: usize) {
    let came = by.collect().await.expect("it comes");
    let sent = Envelope::from_packed(&packed(size, 9)).expect("a message");
    let came = Envelope::from_packed(&came.bytes).expect("a message");
    assert_eq!(came.id(), sent.id(), "{size} bytes");
    println!("{size} bytes came from bumble as {}", came.id());
}

async fn goes(by: &dyn Mailbox, size: usize) -> EnvelopeId {
    let letter = packed(size, 1);
    by.deliver(letter.clone(), Kind::Encrypted)
        .await
        .expect("it goes");
    Envelope::from_packed(&letter).expect("a message").id()
}

#[test]
#[ignore = "needs bumble: ./check --only hci installs it"]
fn a_central_that_nobody_here_wrote_brings_messages_and_takes_some() {
    for_real(async {
        let (room, desk) = (Room::new(1), Desk::new("central"));
        let kiosk = Node::new::<{ 247 + HEAD }>(&room, 1, Terms::default());
        let door = kiosk.ble.listen(&way("ble:any?didcomm")).await;
        let mut door = door.expect("listens");
        let at = door.way().to_string();
        let words = ["central", at.strip_prefix("ble:").expect("a way")];
        let bumble = Stranger::start(&room, &words, &desk).await;
        let Ok(Port::Mailbox(letters)) = door.accept().await else {
            panic!("no mailbox");
        };
        let mut sent = Vec::new();
        for size in SIZES {
            comes(&*letters, size).await;
            sent.push(goes(&*letters, size).await);
        }
        bumble.ends().await;
        assert!(desk.files.iter().map(|file| Desk::back(file)).eq(sent));
    });
}

#[test]
#[ignore = "needs bumble: ./check --only hci installs it"]
fn a_peripheral_that_nobody_here_wrote_takes_messages_and_gives_some() {
    for_real(async {
        let (room, desk) = (Room::new(2), Desk::new("peripheral"));
        let alice = Node::new::<{ 247 + HEAD }>(&room, 1, Terms::default());
        let bumble = Stranger::start(&room, &["peripheral"], &desk).await;
        let to = way(&format!("ble:{STRANGER}?didcomm"));
        // Python takes its time to start.
        let letters = loop {
            match alice.ble.open(&to).await {
                Ok(Port::Mailbox(letters)) => break letters,
                Ok(_) => panic!("no mailbox"),
                Err(why) => println!("not yet: {why}"),
            }
        };
        let mut sent = Vec::new();
        for size in SIZES {
            sent.push(goes(&*letters, size).await);
            comes(&*letters, size).await;
        }
        drop(letters);
        bumble.ends().await;
        assert!(desk.files.iter().map(|file| Desk::back(file)).eq(sent));
    });
}
