//! The Affinidi mediator with its embedded store, synced on every message as ours is:
//! `packmule-peer-affinidi FOLDER ADDRESS:PORT` prints one ready line and runs until it is
//! interrupted. Open to everybody, without limits on how much one sends to another.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use affinidi_messaging_mediator::store::{FjallDurability, FjallStore, FjallTuning};
use affinidi_messaging_test_mediator::{AccessListModeType, TestMediator, acl::allow_all};

/// When it stops asking a store that fails: after so many failures, for so many seconds.
const BREAKER: (u32, u64) = (5, 10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(at)) = (words.next(), words.next()) else {
        return Err("usage: packmule-peer-affinidi FOLDER ADDRESS:PORT".into());
    };
    let tuning = FjallTuning {
        durability: FjallDurability::Sync,
        ..FjallTuning::default()
    };
    let store = FjallStore::open_with_tuning(&folder, BREAKER.0, BREAKER.1, tuning)?;
    let mediator = TestMediator::builder()
        .store(Arc::new(store))
        .listen_addr(at.parse()?)
        .acl_mode(AccessListModeType::ExplicitDeny)
        .global_acl_default(allow_all())
        .enable_forwarding(true)
        .enable_external_forwarding(false)
        .enable_streaming(true)
        .queue_send_limit_per_peer(-1)
        .spawn()
        .await?;
    let ready = serde_json::json!({
        "did": mediator.did(),
        "http": mediator.endpoint().to_string(),
        "ws": mediator.ws_endpoint().to_string(),
        "pid": std::process::id(),
    });
    println!("{ready}");
    std::io::stdout().flush()?;
    tokio::signal::ctrl_c().await?;
    mediator.shutdown();
    Ok(())
}
