//! Somebody between two of our kind who takes the subprotocol out of the request: what is left
//! is WebSocket as strangers speak it. Bytes pass as they are, both ways, ends too.

use packmule_bus::link::Way;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// A way that leads to `way`, for one visitor.
pub(crate) async fn between(way: &Way) -> Way {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let here = listener.local_addr().expect("an address");
    let there = way.as_str().trim_start_matches("ws://");
    let (there, path) = there.split_once('/').expect("a path");
    let (there, door) = (there.to_owned(), format!("ws://{here}/{path}"));
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.expect("a visitor");
        let mut far = TcpStream::connect(there).await.expect("connects");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(near.read_u8().await.expect("a request"));
        }
        let head = String::from_utf8(head).expect("text");
        let plain: String = head
            .split_inclusive("\r\n")
            .filter(|line| !line.contains("packmule"))
            .collect();
        assert_ne!(head, plain, "the subprotocol was asked for");
        far.write_all(plain.as_bytes()).await.expect("written");
        let (mut from_near, mut to_near) = near.split();
        let (mut from_far, mut to_far) = far.split();
        // When either side ends, both do.
        tokio::select! {
            _ = copy(&mut from_near, &mut to_far) => {}
            _ = copy(&mut from_far, &mut to_near) => {}
        }
    });
    Way::parse(&door).expect("a way")
}
