//! People with keys and a socket, and nothing of packmule's but its agent library.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use packmule_agent::did::{Method, NewDid, Service, create};
use packmule_agent::keys::Keyring;
use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, Limits, PackPlan, Packer};
use packmule_agent::protocol::pickup::{self, Answer};
use packmule_agent::protocol::{basic_message, routing};
use packmule_agent::resolve::DocBook;
use tokio_tungstenite::tungstenite::{self, WebSocket};

use super::service::Gateway;

const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// Somebody with a DID.
pub(super) struct Client {
    new: NewDid,
    keys: Keyring,
    gateway: String,
    pub(super) address: String,
}

impl Client {
    pub(super) fn of(gateway: &Gateway) -> Self {
        Self::with(gateway, &[])
    }

    /// Whose document says where messages for it go.
    pub(super) fn with(gateway: &Gateway, services: &[Service]) -> Self {
        let new = create(Method::Peer2, services).unwrap();
        Self {
            keys: new.secrets.iter().cloned().collect(),
            new,
            gateway: gateway.did.clone(),
            address: gateway.address.clone(),
        }
    }

    pub(super) fn did(&self) -> &str {
        &self.new.did
    }

    /// For the gateway, authenticated.
    pub(super) fn pack(&self, message: Message) -> Vec<u8> {
        self.pack_for(&self.gateway, message)
    }

    fn pack_for(&self, to: &str, mut message: Message) -> Vec<u8> {
        message.from = Some(self.did().to_owned());
        message.to = vec![to.to_owned()];
        let plan = PackPlan {
            from: Some(self.did().to_owned()),
            to: vec![to.to_owned()],
            ..PackPlan::default()
        };
        self.packed(&message, &plan)
    }

    fn packed(&self, message: &Message, plan: &PackPlan) -> Vec<u8> {
        let packed = Jose.pack(&message.to_json(), plan, &self.keys, &DocBook::new());
        packed.unwrap().remove(0)
    }

    fn anonymous(&self, mut message: Message) -> Vec<u8> {
        message.from = None;
        message.to = vec![self.gateway.clone()];
        let plan = PackPlan {
            to: vec![self.gateway.clone()],
            ..PackPlan::default()
        };
        self.packed(&message, &plan)
    }

    /// Says it is from another, with keys of its own.
    pub(super) fn forged(&self, as_if: &Self) -> Vec<u8> {
        let mut message = pickup::status_request(pickup::Version::V3, None);
        message.from = Some(as_if.did().to_owned());
        message.to = vec![self.gateway.clone()];
        message.return_route = Some("all".to_owned());
        // Our packer would not: a signed message in the same way is caught by the same check.
        let kid = self.new.secrets[0].0.clone();
        let mut keys = Keyring::new();
        keys.insert(
            as_if.new.secrets[0].0.clone(),
            self.keys.get(&kid).unwrap().clone(),
        );
        let plan = PackPlan {
            from: Some(as_if.did().to_owned()),
            to: vec![self.gateway.clone()],
            ..PackPlan::default()
        };
        let mut book = DocBook::new();
        let mut doc = self.new.doc.to_json().to_string();
        doc = doc.replace(self.did(), as_if.did());
        let doc = serde_json::from_str(&doc).unwrap();
        book.insert(packmule_agent::DidDoc::from_json(&doc).unwrap());
        let packed = Jose.pack(&message.to_json(), &plan, &keys, &book);
        packed.unwrap().remove(0)
    }

    /// A text for somebody.
    pub(super) fn letter(&self, to: &Self, words: &str) -> Vec<u8> {
        self.letter_to(to.did(), words)
    }

    /// A text for a DID.
    pub(super) fn letter_to(&self, to: &str, words: &str) -> Vec<u8> {
        self.pack_for(to, basic_message::message(words))
    }

    /// The text of a letter, if it is for us.
    pub(super) fn read(&self, packed: &[u8]) -> Option<String> {
        let message = self.open(packed)?;
        basic_message::content(&message).map(str::to_owned)
    }

    pub(super) fn open(&self, packed: &[u8]) -> Option<Message> {
        let limits = Limits::default();
        let opened = Jose
            .open(packed, &self.keys, &DocBook::new(), &limits)
            .ok()?;
        Message::parse(&opened.plaintext).ok()
    }

    /// Posts, and answers the status.
    pub(super) fn post(&self, packed: &[u8]) -> u16 {
        post(&self.address, ENCRYPTED, packed).0
    }

    pub(super) fn post_anonymous(&self, message: Message) -> u16 {
        self.post(&self.anonymous(message))
    }

    /// A forward from nobody; the status.
    pub(super) fn forward(&self, next: &str, packed: &[u8]) -> u16 {
        self.post(&self.forwarded(next, packed))
    }

    /// A letter in an onion for these mediators, the first one outermost.
    pub(super) fn wrapped(&self, to: &Self, words: &str, by: &[&str]) -> Vec<u8> {
        let by: Vec<String> = by.iter().map(|did| (*did).to_owned()).collect();
        let letter = self.letter(to, words);
        routing::wrap(&letter, to.did(), &by, &DocBook::new()).unwrap()
    }

    pub(super) fn forwarded(&self, next: &str, packed: &[u8]) -> Vec<u8> {
        self.anonymous(routing::forward(next, packed).unwrap())
    }

    /// Asks with return_route, and opens the answer.
    pub(super) fn ask(&self, mut message: Message) -> Message {
        message.return_route = Some("all".to_owned());
        let asked = message.id.clone();
        let (status, body) = post(&self.address, ENCRYPTED, &self.pack(message));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let answer = self.open(&body).expect("an answer for us");
        let thread = answer.thid.as_ref().or(answer.pthid.as_ref());
        assert_eq!(thread, Some(&asked));
        answer
    }
}

/// The same, with a gateway that may be gone.
pub(super) fn try_ask(client: &Client, mut message: Message) -> Option<Message> {
    message.return_route = Some("all".to_owned());
    let packed = client.pack(message);
    match try_post(&client.address, ENCRYPTED, &packed) {
        Ok((200, body)) => client.open(&body),
        _ => None,
    }
}

/// The messages of a delivery, with their ids.
pub(super) fn letters(delivery: &Message) -> Vec<(String, Vec<u8>)> {
    let Some(Answer::Delivery { items, .. }) = pickup::read_answer(delivery) else {
        return Vec::new();
    };
    let whole = items
        .into_iter()
        .map(|item| (item.id.unwrap(), item.packed.unwrap()));
    whole.collect()
}

/// POSTs: the status and the body.
pub(super) fn post(address: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    try_post(address, kind, body).unwrap()
}

/// The same, with a server that may be gone.
pub(super) fn try_post(address: &str, kind: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, answer.split_off(end + 4)))
}

/// A WebSocket by a library that is not packmule's.
pub(super) struct Socket(WebSocket<TcpStream>);

impl Socket {
    pub(super) fn open(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(&gateway.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let url = format!("ws://{}/", gateway.address);
        Self(tungstenite::client(url, stream).unwrap().0)
    }

    /// The same, with a server that may be gone.
    pub(super) fn at(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let opened = tungstenite::client(format!("ws://{address}/"), stream);
        Ok(Self(opened.map_err(io::Error::other)?.0))
    }

    /// Says something, to a server that may be gone.
    pub(super) fn say(&mut self, client: &Client, mut message: Message) -> io::Result<()> {
        message.return_route = Some("all".to_owned());
        let packed = String::from_utf8_lossy(&client.pack(message)).into_owned();
        let sent = self.0.send(tungstenite::Message::text(packed));
        sent.map_err(io::Error::other)
    }

    /// The next message that comes, for so long, from a server that may be gone.
    pub(super) fn try_next(&mut self, client: &Client, wait: Duration) -> io::Result<Message> {
        self.0.get_ref().set_read_timeout(Some(wait))?;
        loop {
            match self.0.read() {
                Ok(tungstenite::Message::Text(text)) => {
                    let opened = client.open(text.as_bytes());
                    return opened.ok_or_else(|| io::ErrorKind::InvalidData.into());
                }
                Ok(_) => self.0.flush().map_err(io::Error::other)?,
                Err(tungstenite::Error::Io(error)) => return Err(error),
                Err(other) => return Err(io::Error::other(other)),
            }
        }
    }

    /// Says something, and hears the answer to it.
    pub(super) fn ask(&mut self, client: &Client, mut message: Message) -> Message {
        message.return_route = Some("all".to_owned());
        let packed = String::from_utf8(client.pack(message)).unwrap();
        self.0.send(tungstenite::Message::text(packed)).unwrap();
        self.next(client)
    }

    /// Answers the pings that have come, as a browser does by itself; no message may have.
    pub(super) fn is_alive(&mut self) {
        self.0.get_ref().set_nonblocking(true).unwrap();
        loop {
            match self.0.read() {
                Ok(tungstenite::Message::Ping(_)) => self.0.flush().unwrap(),
                Ok(other) => panic!("nothing was to come but {other}"),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    break;
                }
                Err(error) => panic!("cut off while it only listened: {error}"),
            }
        }
        self.0.get_ref().set_nonblocking(false).unwrap();
    }

    /// The next message that comes.
    pub(super) fn next(&mut self, client: &Client) -> Message {
        loop {
            match self.0.read().unwrap() {
                tungstenite::Message::Text(text) => {
                    // What answers the ping behind it.
                    self.0.flush().unwrap();
                    return client.open(text.as_bytes()).expect("a message for us");
                }
                tungstenite::Message::Binary(_) => panic!("JSON goes as text"),
                _ => self.0.flush().unwrap(),
            }
        }
    }
}
