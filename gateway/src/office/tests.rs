//! An office with a node that reaches nobody, and who comes to its doors.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packmule_agent::did::{Method, Service, create, short_form};
use packmule_agent::keystore::Cost;
use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, PackPlan, Packer};
use packmule_agent::protocol::{basic_message, mediation, pickup, trust_ping};
use packmule_agent::resolve::DocBook;
use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Port, Settle};
use packmule_http::hyper::Request;
use packmule_http::hyper::body::Bytes;
use packmule_http::server::{Answer, Reception, Share, Visitor};
use packmule_node::{Home, Node, NodeConfig};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::{Door, Kept, Near, Office};
use crate::config::Config;
use crate::mediator::tests::stage::Person;
use crate::mediator::{Mediator, Policy};
use crate::store::{Limits, MailboxStore, Moment, SqliteStore};
use crate::token::Token;

/// Longer than anything here takes; only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Kiosk {
    office: Arc<Office>,
    door: Door,
    did: String,
    _links: mpsc::Receiver<Port>,
    _closing: watch::Sender<bool>,
    _dir: TempDir,
}

impl Kiosk {
    async fn open(config: Config, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = "https://kiosk.example/".to_owned();
        let new = create(Method::Peer2, &[Service::didcomm(&url)]).unwrap();
        let home = Home::create_with(&dir.path().join("home"), &new, b"mules", Cost::TEST);
        let home = Arc::new(home.unwrap());
        let mut keys = packmule_agent::keys::Keyring::new();
        for (kid, key) in &new.secrets {
            keys.insert(kid.clone(), key.clone());
        }
        let token = Token::of(home.dir()).unwrap();
        let near = Near::of(&home).unwrap();
        let node = Node::start(home, keys, Vec::new(), NodeConfig::default()).await;
        let store = SqliteStore::open(&dir.path().join("mailboxes"), limits).unwrap();
        let store: Arc<dyn MailboxStore> = Arc::new(store);
        let mediator = Mediator::new(Arc::clone(&store), &new.did, Policy::default());
        let (closing, closes) = watch::channel(false);
        let kept = Kept { near, token };
        let office = Office::new(node.unwrap(), mediator, store, kept, &config, url, closes);
        let office = Arc::new(office);
        let (tell, links) = mpsc::channel(1);
        Self {
            door: Door::new(Arc::clone(&office), tell),
            office,
            did: new.did,
            _links: links,
            _closing: closing,
            _dir: dir,
        }
    }

    async fn usual() -> Self {
        Self::open(Config::default(), Limits::default()).await
    }

    /// A letter that wants its answer on the same connection.
    fn asks(&self, who: &Person, mut message: Message) -> Vec<u8> {
        message.return_route = Some("all".to_owned());
        who.pack(message, &self.did)
    }
}

fn visitor() -> Visitor {
    Visitor {
        address: SocketAddr::from(([192, 0, 2, 1], 4711)),
        secure: true,
        at_door: true,
        share: Share::default(),
    }
}

/// The machine itself, or what comes by a proxy on it.
fn local() -> Visitor {
    Visitor {
        address: SocketAddr::from(([127, 0, 0, 1], 4711)),
        ..visitor()
    }
}

/// The visitor's end of a WebSocket.
struct Line {
    says: Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
    /// What became of each message: was it settled?
    settled: mpsc::UnboundedSender<bool>,
    hears: mpsc::UnboundedSender<Vec<u8>>,
}

struct Mark(mpsc::UnboundedSender<bool>, bool);

impl Settle for Mark {
    fn settle(mut self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        self.1 = true;
        Box::pin(async { Ok(()) })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}

impl Mailbox for Line {
    fn deliver(&self, packed: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        let told = self.hears.send(packed).map_err(|_| LinkError::Closed);
        Box::pin(async { told })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let said = std::future::poll_fn(|cx| self.says.lock().unwrap().poll_recv(cx)).await;
            let settle = Box::new(Mark(self.settled.clone(), false));
            let collected = |bytes| Collected { bytes, settle };
            said.map(collected).ok_or(LinkError::Closed)
        })
    }
}

struct Phone {
    says: mpsc::UnboundedSender<Vec<u8>>,
    settled: mpsc::UnboundedReceiver<bool>,
    heard: mpsc::UnboundedReceiver<Vec<u8>>,
    talk: tokio::task::JoinHandle<()>,
}

impl Phone {
    fn calls(kiosk: &Kiosk) -> Self {
        let (says, said) = mpsc::unbounded_channel();
        let (settling, settled) = mpsc::unbounded_channel();
        let (hears, heard) = mpsc::unbounded_channel();
        let line = Line {
            says: Mutex::new(said),
            settled: settling,
            hears,
        };
        let office = Arc::clone(&kiosk.office);
        let talk = tokio::spawn(async move { office.talk(Arc::new(line), &visitor()).await });
        Self {
            says,
            settled,
            heard,
            talk,
        }
    }

    async fn says(&mut self, packed: Vec<u8>) -> bool {
        self.says.send(packed).unwrap();
        timeout(PATIENCE, self.settled.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn hears(&mut self) -> Vec<u8> {
        timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn what_makes_no_sense_does_not_end_a_conversation_and_a_full_disk_does() {
    let alice = Person::new(Method::Key);
    let stranger = Person::new(Method::Key);
    let config = Config {
        accounts: crate::config::Accounts {
            deny: vec![stranger.did.clone()],
            ..Default::default()
        },
        ..Config::default()
    };
    let limits = Limits {
        account_letters: 1,
        ..Limits::default()
    };
    let kiosk = Kiosk::open(config, limits).await;
    let mut phone = Phone::calls(&kiosk);
    let nobody = Person::new(Method::Key);
    for useless in [
        b"not an envelope".to_vec(),
        kiosk.asks(&stranger, trust_ping::ping(true)),
        alice.pack(basic_message::message("hi"), &nobody.did),
    ] {
        assert!(phone.says(useless).await);
    }
    let ask = kiosk.asks(&alice, mediation::request(mediation::Version::V3));
    assert!(phone.says(ask).await);
    let granted = alice.open(&phone.hears().await);
    assert!(mediation::read_answer(&granted).is_some());
    // Straight to her mailbox, which takes one.
    for fits in [true, false] {
        let letter = stranger.pack(basic_message::message("hi"), &alice.did);
        assert_eq!(phone.says(letter).await, fits);
    }
    timeout(PATIENCE, phone.talk).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_talks_too_fast_is_read_more_slowly_and_not_cut_off() {
    let mut config = Config::default();
    config.limits.rate_per_address = 20;
    config.limits.burst_per_address = 1;
    config.limits.rate_per_sender = 20;
    config.limits.burst_per_sender = 1;
    let kiosk = Kiosk::open(config, Limits::default()).await;
    let alice = Person::new(Method::Key);
    let mut phone = Phone::calls(&kiosk);
    let began = Instant::now();
    for _ in 0..6 {
        let ping = kiosk.asks(&alice, trust_ping::ping(true));
        phone.says.send(ping).unwrap();
    }
    for _ in 0..6 {
        let pong = alice.open(&phone.hears().await);
        assert!(pong.is(trust_ping::PIURI, "ping-response"));
    }
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn what_is_for_nobody_here_is_not_accepted() {
    let kiosk = Kiosk::usual().await;
    let (alice, bob) = (Person::new(Method::Key), Person::new(Method::Key));
    kiosk
        .office
        .store
        .open_account(&alice.did, Moment::now())
        .await
        .unwrap();
    let refused = Answer::Refused {
        status: 404,
        retry_after: None,
    };
    for (to, said) in [(&alice.did, Answer::Accepted), (&bob.did, refused)] {
        let letter = bob.pack(basic_message::message("hi"), to);
        assert_eq!(kiosk.door.receive(letter, visitor()).await, said);
    }
    assert_eq!(kiosk.office.totals().await.unwrap().letters, 1);
}

/// As the method's specification wants it: the long form until the other side has shown that it
/// knows it, the short one from then on.
#[tokio::test]
async fn who_goes_by_the_short_form_once_it_is_known_is_understood() {
    let kiosk = Kiosk::usual().await;
    let alice = Person::new(Method::Peer4);
    let short = short_form(&alice.did).unwrap().to_owned();
    let mut docs = DocBook::new();
    docs.learn(&alice.did).unwrap();
    let asks_shortly = || {
        let mut message = pickup::status_request(pickup::Version::V3, None);
        message.return_route = Some("all".to_owned());
        message.from = Some(short.clone());
        message.to = vec![kiosk.did.clone()];
        let plan = PackPlan {
            to: message.to.clone(),
            from: message.from.clone(),
            ..PackPlan::default()
        };
        let mut keys = packmule_agent::keys::Keyring::new();
        for (kid, key) in &alice.new.secrets {
            keys.insert(kid.clone(), key.clone());
        }
        Jose.pack(&message.to_json(), &plan, &keys, &docs)
            .unwrap()
            .remove(0)
    };
    let unknown = kiosk.door.receive(asks_shortly(), visitor()).await;
    assert!(matches!(unknown, Answer::Refused { status: 400, .. }));

    let request = kiosk.asks(&alice, mediation::request(mediation::Version::V3));
    let granted = kiosk.door.receive(request, visitor()).await;
    assert!(matches!(granted, Answer::Reply(_)), "{granted:?}");
    for _ in 0..2 {
        let told = kiosk.door.receive(asks_shortly(), visitor()).await;
        assert!(matches!(told, Answer::Reply(_)), "{told:?}");
        // As at a new start: from what the home keeps.
        kiosk.office.node.desk().refresh().unwrap();
    }
    let kept = kiosk.office.node.desk().home().kept_docs().unwrap();
    assert!(kept.iter().any(|(did, ..)| *did == short));
}

#[tokio::test]
async fn numbers_are_for_the_machine_itself_and_for_operators() {
    let behind_a_proxy = Config {
        public_url: Some("https://kiosk.example/".to_owned()),
        ..Config::default()
    };
    for (config, from_here) in [(Config::default(), 200), (behind_a_proxy, 401)] {
        let kiosk = Kiosk::open(config, Limits::default()).await;
        let ask = async |visitor, token: Option<&str>| {
            let mut request = Request::get("/metrics");
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let request = request.body(Bytes::new()).unwrap();
            kiosk.door.page(request, visitor).await.status().as_u16()
        };
        let token = kiosk.office.token.text();
        assert_eq!(ask(local(), None).await, from_here);
        assert_eq!(ask(visitor(), None).await, 401);
        assert_eq!(ask(visitor(), Some("guessed")).await, 401);
        assert_eq!(ask(visitor(), Some(token)).await, 200);
    }
}

#[tokio::test]
async fn who_is_turned_away_from_now_on_hears_nothing_more() {
    let kiosk = Kiosk::usual().await;
    let mallory = Person::new(Method::Key);
    let now = Moment::now();
    kiosk
        .office
        .store
        .open_account(&mallory.did, now)
        .await
        .unwrap();
    let mut phone = Phone::calls(&kiosk);
    let live = pickup::live(pickup::Version::V3, true);
    assert!(phone.says(kiosk.asks(&mallory, live)).await);
    phone.hears().await;
    assert!(kiosk.office.seats.has(&mallory.did));

    let mut config = Config::default();
    config.accounts.deny = vec![mallory.did.clone()];
    kiosk.office.adopt(&config);
    timeout(PATIENCE, &mut phone.talk).await.unwrap().unwrap();
    assert!(!kiosk.office.seats.has(&mallory.did));
}

#[tokio::test]
async fn whoever_asks_for_pages_asks_so_often_and_counts_are_a_second_old_at_most() {
    let mut config = Config::default();
    config.limits.rate_per_address = 1;
    config.limits.burst_per_address = 3;
    let kiosk = Kiosk::open(config, Limits::default()).await;
    let (began, mut taken) = (Instant::now(), 0);
    loop {
        let request = Request::get("/metrics").body(Bytes::new()).unwrap();
        match kiosk.door.page(request, local()).await.status().as_u16() {
            200 => taken += 1,
            429 => break,
            other => panic!("{other}"),
        }
        assert!(taken < 100, "nobody is ever refused");
    }
    let since = began.elapsed().as_secs();
    assert!((3..=4 + since).contains(&taken), "{taken} in {since} s");
    let well = Request::get("/healthz").body(Bytes::new()).unwrap();
    assert_eq!(kiosk.door.page(well, local()).await.status(), 200);

    let accounts = async || kiosk.office.totals().await.unwrap().accounts;
    assert_eq!(accounts().await, 0);
    kiosk
        .office
        .store
        .open_account("did:example:a", Moment::now())
        .await
        .unwrap();
    let began = Instant::now();
    while accounts().await == 0 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
