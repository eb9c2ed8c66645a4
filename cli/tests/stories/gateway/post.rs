//! A gateway that writes and reads mail: forwards leave by it and come by it, through a real
//! Postfix and a real Dovecot.

use std::sync::Arc;

use packmule_agent::did::Service;
use packmule_agent::protocol::mediation;
use packmule_agent::protocol::pickup::{self, Version};
use packmule_places::MailServer;
use packmule_transports::mail::{Address, Outbox, Protocol, Server};
use tokio::runtime::Runtime;

use super::client::{Client, letters};
use super::service::Gateway;
use crate::crew::{Running, pause_until};
use crate::stage::{Party, Stage};

/// Two mailboxes at the same server, neither with a secret worth a TLS handshake here.
fn mailbox(server: &MailServer, address: &str) -> String {
    let ports = server.ports();
    format!(
        "address = \"{address}\"\n\
         submission = {{ server = \"smtp://127.0.0.1:{}\", open = true }}\n\
         imap = {{ server = \"imap://127.0.0.1:{}\", open = true, user = \"{address}\", password-file = \"pw\" }}\n",
        ports.smtp, ports.imap
    )
}

#[test]
fn a_forward_goes_on_by_mail_and_one_that_came_by_mail_reaches_its_mailbox() {
    let (stage, server) = (Stage::new(), MailServer::start());
    // Bob has a mailbox and nothing else, and his document says so.
    let bob = Party {
        home: stage.path("bob"),
    };
    let endpoint = "mailto:bob@edge.test";
    bob.ok(["init", "--kdf-memory", "8", "--endpoint", endpoint]);
    std::fs::write(bob.home.join("pw"), "pw\n").unwrap();
    let lines = format!("[mail]\n{}", mailbox(&server, "bob@edge.test"));
    std::fs::write(bob.home.join("node.toml"), lines).unwrap();
    let _bobs = Running::start(&bob, &[]);

    // Set up before there is a home: it is made around the settings.
    let home = stage.folder("kiosk");
    std::fs::write(home.join("pw"), "pw\n").unwrap();
    let lines = mailbox(&server, "kiosk@kiosk.test");
    let lines = format!("[mail]\n{lines}\n[strangers]\ncarry = true\nforward = true\n");
    std::fs::write(home.join("gateway.toml"), lines).unwrap();
    let kiosk = Gateway::start(&stage, "kiosk", &[]);
    let carol = Client::with(&kiosk, &[Service::didcomm(&kiosk.did)]);
    carol.ask(mediation::request(mediation::Version::V3));

    // Carol leaves it at the kiosk, by HTTP; the kiosk mails it.
    let letter = carol.letter_to(&bob.did(), "by the kiosk's mail");
    assert_eq!(carol.forward(&bob.did(), &letter), 202);
    pause_until("bob has it", || {
        bob.texts()
            .iter()
            .filter(|text| *text == "by the kiosk's mail")
            .count()
            == 1
    });

    // Dave mails a forward to the kiosk, which puts what is in it into carol's mailbox.
    let dave = Client::of(&kiosk);
    let forward = dave.forwarded(carol.did(), &dave.letter(&carol, "by mail to the kiosk"));
    let url = format!("smtp://127.0.0.1:{}", server.ports().smtp);
    let submission = Server::parse(&url, Protocol::Smtp, true, None, Arc::default()).unwrap();
    let outbox = Outbox::new(submission, Address::parse("dave@edge.test").unwrap());
    let to = [Address::parse("kiosk@kiosk.test").unwrap()];
    let runtime = Runtime::new().unwrap();
    let sent = runtime.block_on(outbox.send(&forward, &to));
    sent.expect("Postfix takes it");
    pause_until("it is in carol's mailbox", || {
        let page = letters(&carol.ask(pickup::delivery_request(Version::V3, 10, None)));
        let words = page.iter().filter_map(|(_, packed)| carol.read(packed));
        words.eq(["by mail to the kiosk".to_owned()])
    });
}
