//! The servers, and alice's and bob's ends of them.

use std::sync::Arc;

use packmule_bus::link::{Mailbox, Port, Transport, Way};
use packmule_mail::{Account, Address, Login, Mailto, Outbox, Protocol, Server, Tls};
use packmule_places::MailServer;
use zeroize::Zeroizing;

/// Somebody whose mailbox is empty.
pub(crate) fn newcomer(number: usize) -> String {
    format!("bob{number}@edge.test")
}

pub(crate) struct Stage {
    pub(crate) server: MailServer,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let server = tokio::task::spawn_blocking(MailServer::start).await;
        Self {
            server: server.expect("it starts"),
        }
    }

    pub(crate) fn trust(&self) -> Arc<Tls> {
        let ca = self.server.ca().as_bytes();
        Arc::new(Tls::default().believing(ca).expect("an authority"))
    }

    pub(crate) fn outbox(&self, port: u16) -> Outbox {
        let url = format!("smtp://127.0.0.1:{port}");
        let server = Server::parse(&url, Protocol::Smtp, true, None, Arc::default());
        let alice = Address::parse("alice@kiosk.test").expect("an address");
        Outbox::new(server.expect("a server"), alice)
    }

    pub(crate) async fn way(&self, whom: &str) -> Box<dyn Mailbox> {
        let outbox = Arc::new(self.outbox(self.server.ports().smtp));
        let way = Way::parse(&format!("mailto:{whom}")).expect("a way");
        match Mailto::new(outbox).open(&way).await {
            Ok(Port::Mailbox(mailbox)) => mailbox,
            Ok(_) => panic!("no mailbox"),
            Err(fault) => panic!("{fault}"),
        }
    }

    pub(crate) fn account(&self, whom: &str) -> Account {
        let login = Login::new(whom, Zeroizing::new("pw".to_owned()));
        let url = format!("imap://127.0.0.1:{}", self.server.ports().imap);
        let server = Server::parse(&url, Protocol::Imap, true, login, Arc::default());
        Account::new(server.expect("a server"))
    }
}
