//! A fresh pair of links, opened as a node opens them.
//!
//! What is it: one listens, one dials, both come back. Who calls it: the tests and benches of
//! transports, for [`links`](fn@crate::links) to try. What can go wrong: a transport that does
//! not get so far keeps no promise at all, and ends the test.

use packmule_bus::link::{Link, Port, Transport, Way};

/// Listens at `at` and dials what that became: the dialer's end and the listener's.
///
/// # Panics
/// When `at` is no way, and when either end is not a link.
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "without a pair there is nothing to try"
)]
pub async fn pair(transport: &dyn Transport, at: &str) -> (Link, Link) {
    let at = Way::parse(at).expect("a way");
    let mut kiosk = transport.listen(&at).await.expect("it listens");
    let way = kiosk.way();
    match tokio::join!(transport.open(&way), kiosk.accept()) {
        (Ok(Port::Link(near)), Ok(Port::Link(far))) => (near, far),
        (near, far) => panic!(
            "no link by {way}: {:?} here, {:?} there",
            near.err(),
            far.err()
        ),
    }
}
