//! A process without free file descriptors goes on listening. Alone in its file: the limit holds
//! for the whole process.

use std::fs::File;
use std::time::Duration;

use packmule_bus::link::{Port, Transport, Way};
use packmule_tcp::Tcp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_crowd_at_the_door_is_let_in_as_others_leave() {
    let way = Way::parse("tcp://127.0.0.1:0").expect("a way");
    let mut kiosk = Tcp.listen(&way).await.expect("listens");
    let address = kiosk.way().as_str().trim_start_matches("tcp://").to_owned();
    let mut limit: Rlimit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).expect("a lower limit");
    let visitor = TcpStream::connect(&address).await.expect("connects");
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    assert!(!taken.is_empty(), "no descriptor was left to begin with");
    let probe = Tcp.probe().await;
    assert!(!probe.ready, "no socket can be opened");
    assert!(probe.finding.contains("os error 24"), "{}", probe.finding);
    // No descriptor is left for the visitor: accept waits, and does not give up.
    let early = timeout(Duration::from_millis(200), kiosk.accept()).await;
    assert!(early.is_err(), "accepted without a descriptor");
    taken.clear();
    assert!(Tcp.probe().await.ready);
    let late = timeout(Duration::from_secs(30), kiosk.accept()).await;
    match late.expect("in time") {
        Ok(Port::Link(link)) => assert!(link.with.starts_with("127.0.0.1:")),
        Ok(_) => panic!("something else came"),
        Err(fault) => panic!("the listener gave up: {fault}"),
    }
    drop(visitor);
}
