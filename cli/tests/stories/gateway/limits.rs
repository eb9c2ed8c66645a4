//! What one visitor may ask for.

use packmule_agent::protocol::mediation::{self, Answer};
use packmule_agent::protocol::trust_ping;

use super::client::{Client, post};
use super::service::Gateway;
use crate::stage::Stage;

#[test]
fn who_asks_too_often_is_held_back_and_others_are_served() {
    let stage = Stage::new();
    let gateway = Gateway::start(
        &stage,
        "kiosk",
        &[
            ("PACKMULE_GATEWAY_LIMITS__RATE_PER_SENDER", "1"),
            ("PACKMULE_GATEWAY_LIMITS__BURST_PER_SENDER", "5"),
        ],
    );
    let (alice, mallory) = (Client::of(&gateway), Client::of(&gateway));
    let ping = |client: &Client| client.post(&client.pack(trust_ping::ping(true)));
    // On a busy machine a ping may take long enough to be within the rate.
    let held_back = (0..300).any(|_| ping(&mallory) == 429);
    assert!(held_back);
    assert_eq!(ping(&alice), 202);
}

#[test]
fn a_message_that_is_too_long_is_told_so() {
    let stage = Stage::new();
    let gateway = Gateway::start(
        &stage,
        "kiosk",
        &[("PACKMULE_GATEWAY_LIMITS__MAX_MESSAGE", "100kB")],
    );
    let kind = "application/didcomm-encrypted+json";
    assert_eq!(post(&gateway.address, kind, &vec![b'{'; 200_000]).0, 413);
}

#[test]
fn a_mailbox_is_for_those_whom_the_keeper_lets_in() {
    let stage = Stage::new();
    let gateway = Gateway::start(
        &stage,
        "kiosk",
        &[("PACKMULE_GATEWAY_ACCOUNTS__OPEN", "false")],
    );
    let alice = Client::of(&gateway);
    let denied = alice.ask(mediation::request(mediation::Version::V2));
    assert_eq!(mediation::read_answer(&denied), Some(Answer::Denied));
    let (did, address) = (alice.did().to_owned(), gateway.address.clone());
    gateway.kill();
    let list = format!("[\"{did}\"]");
    let gateway = Gateway::at(
        &stage,
        "kiosk",
        &address,
        &[
            ("PACKMULE_GATEWAY_ACCOUNTS__OPEN", "false"),
            ("PACKMULE_GATEWAY_ACCOUNTS__ALLOW", &list),
        ],
    );
    let granted = alice.ask(mediation::request(mediation::Version::V2));
    assert!(matches!(
        mediation::read_answer(&granted),
        Some(Answer::Granted(_))
    ));
    drop(gateway);
}
