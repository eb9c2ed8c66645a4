//! The mediator: one server, five shapes, from what was seen of the real ones
//! (docs: each oddity is told where it is played).

use std::collections::VecDeque;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use packmule_agent::did::Service;
use packmule_agent::message::{Attachment, Message};
use packmule_agent::protocol::mediation::{self, Ask, Outcome};
use packmule_agent::protocol::pickup::{self, Status};
use packmule_agent::protocol::{discover_features, report_problem};
use serde_json::{Value, json};

use super::desk::{Mailbox, Person};
use super::live;
use super::wire::{Request, Response};

const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// Whose manners the mediator has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// Coordinate-mediation 3.0 alone; pages of ten.
    Estoc,
    /// 2.0 alone, refuses `return_route`, denies twice, moves to another DID.
    RootsId,
    /// 2.0 alone, compares the whole media type, is slow with nothing to say.
    Identus,
    /// A login, no coordinate-mediation, answers within JSON of its own.
    Affinidi,
    /// As ours: pickup 4.0.
    Own,
}

/// What goes wrong with the next request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It is followed, and the answer ends in its middle.
    CutAnswer,
    /// It is read, not followed, and the connection ends.
    CutBefore,
    /// 503 with `Retry-After: 1`.
    Busy,
    /// 200, and a body that is no message.
    Garbage,
    /// Nothing for so long that nobody waits.
    Hang,
}

pub(crate) struct Peer {
    pub(crate) shape: Shape,
    pub(crate) person: Person,
    /// Who it is after it moved.
    pub(crate) second: Person,
    state: Mutex<Mailbox>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    pub(crate) requests: Mutex<Vec<String>>,
    pub(crate) sockets: Mutex<Vec<std::sync::mpsc::Sender<Vec<u8>>>>,
}

impl Peer {
    pub(crate) fn start(shape: Shape) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut services = vec![Service::didcomm(&url)];
        if shape == Shape::Affinidi {
            services[0].uri = format!("{url}/mediator/v1");
            services.push(Service {
                kind: "Authentication".to_owned(),
                uri: format!("{url}/mediator/v1/authenticate"),
                ..Service::default()
            });
        }
        let peer = Arc::new(Self {
            shape,
            person: Person::at(&services),
            second: Person::at(&services),
            state: Mutex::default(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            sockets: Mutex::default(),
        });
        let server = Arc::clone(&peer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let peer = Arc::clone(&server);
                std::thread::spawn(move || peer.serve(stream));
            }
        });
        peer
    }

    pub(crate) fn did(&self) -> &str {
        self.person.did()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Mailbox> {
        self.state.lock().unwrap()
    }

    pub(crate) fn fail_next(&self, faults: &[Fault]) {
        self.faults.lock().unwrap().extend(faults);
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(request) = Request::read(&mut reader) {
            if request.header("upgrade").is_some() {
                return live::serve(self, &request, stream);
            }
            let fault = self.faults.lock().unwrap().pop_front();
            let response = match fault {
                None => self.answer(&request),
                Some(Fault::CutBefore) => return,
                Some(Fault::CutAnswer) => return self.answer(&request).write_half(&mut stream),
                Some(Fault::Busy) => Response {
                    more: "Retry-After: 1\r\n".to_owned(),
                    ..Response::empty(503)
                },
                Some(Fault::Garbage) => Response::of(200, "text/html", "<html>Log in here</html>"),
                Some(Fault::Hang) => {
                    std::thread::sleep(Duration::from_secs(3));
                    return;
                }
            };
            if response.write(&mut stream).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> Response {
        match self.shape {
            Shape::Affinidi => self.affinidi(request),
            // The whole header is compared.
            Shape::Identus if request.header("content-type") != Some(ENCRYPTED) => {
                Response::empty(400)
            }
            _ => {
                let Some((asked, sender)) = self.opened(&request.body) else {
                    return Response::empty(400);
                };
                if self.shape == Shape::RootsId && asked.return_route.is_some() {
                    return Response::of(
                        400,
                        "application/json",
                        r#"{"error":"INVALID_PLAINTEXT"}"#,
                    );
                }
                match self.follow(&asked) {
                    Some(reply) => self.standard(reply, &sender),
                    None => Response::empty(202),
                }
            }
        }
    }

    pub(crate) fn opened(&self, packed: &[u8]) -> Option<(Message, String)> {
        let opened = self
            .person
            .open(packed)
            .or_else(|| self.second.open(packed));
        let (asked, sender) = opened?;
        self.requests.lock().unwrap().push(asked.type_uri.clone());
        Some((asked, sender))
    }

    fn standard(&self, reply: Message, to: &str) -> Response {
        match self.shape {
            Shape::RootsId => {
                let mut reply = reply;
                self.person.leaves_for(&self.second).stamp(&mut reply);
                Response::of(202, "application/json", self.second.pack(reply, to))
            }
            // A JSON string that holds the message.
            Shape::Identus => {
                let packed = String::from_utf8(self.person.pack(reply, to)).unwrap();
                Response::of(
                    200,
                    "application/json; charset=utf-8",
                    json!(packed).to_string(),
                )
            }
            _ => Response::of(200, ENCRYPTED, self.person.pack(reply, to)),
        }
    }

    /// What follows from a message: an answer or none.
    pub(crate) fn follow(&self, asked: &Message) -> Option<Message> {
        if let Some(ask) = mediation::read_ask(asked) {
            let (version, ask) = ask.unwrap();
            let spoken = match self.shape {
                Shape::Estoc => version == mediation::Version::V3,
                Shape::RootsId | Shape::Identus => version == mediation::Version::V2,
                Shape::Own => true,
                Shape::Affinidi => false,
            };
            return Some(if spoken {
                self.mediate(asked, version, ask)
            } else {
                unsupported(asked)
            });
        }
        if let Some(ask) = pickup::read_ask(asked) {
            let (version, ask) = ask.unwrap();
            if version == pickup::Version::V4 && self.shape != Shape::Own {
                return Some(unsupported(asked));
            }
            return Some(self.pick_up(asked, version, ask));
        }
        if self.shape == Shape::Own {
            let features = discover_features::ours_as_mediator();
            return Some(
                discover_features::answer(asked, &features, 1)
                    .unwrap_or_else(|| unsupported(asked)),
            );
        }
        Some(unsupported(asked))
    }

    fn mediate(&self, asked: &Message, version: mediation::Version, ask: Ask) -> Message {
        let mut state = self.state();
        match ask {
            Ask::Request if self.shape == Shape::RootsId && state.granted => {
                mediation::deny(asked, version)
            }
            Ask::Request => {
                state.granted = true;
                state.account = asked.from.clone().unwrap();
                mediation::grant(asked, version, &[self.did()])
            }
            Ask::Update(changes) => {
                let outcomes: Vec<_> = changes
                    .into_iter()
                    .map(|change| {
                        let outcome = match change.action {
                            // Whoever has the account needs no entry there.
                            _ if self.shape == Shape::Estoc && state.account == change.did => {
                                Outcome::ClientError
                            }
                            _ if change.did.contains("evil") => Outcome::ClientError,
                            mediation::Action::Add if state.dids.insert(change.did.clone()) => {
                                Outcome::Success
                            }
                            mediation::Action::Remove if state.dids.remove(&change.did) => {
                                Outcome::Success
                            }
                            _ => Outcome::NoChange,
                        };
                        (change, outcome)
                    })
                    .collect();
                let mut answer = mediation::updated(asked, version, &outcomes);
                if self.shape == Shape::RootsId {
                    rename(&mut answer, "recipient_did", "recipient_key");
                }
                answer
            }
            Ask::Query(page) => {
                // Small pages, to be read one after the other.
                let offset = page.map_or(0, |page| page.offset) as usize;
                let dids: Vec<String> = state.dids.iter().skip(offset).take(3).cloned().collect();
                let remaining = state.dids.len().saturating_sub(offset + dids.len());
                let listing = mediation::Listing {
                    dids,
                    offset: offset as u32,
                    remaining: remaining as u32,
                };
                let mut answer = mediation::listed(asked, version, &listing);
                if self.shape == Shape::RootsId {
                    rename(&mut answer, "recipient_did", "recipient_key");
                }
                answer
            }
        }
    }

    fn pick_up(&self, asked: &Message, version: pickup::Version, ask: pickup::Ask) -> Message {
        let mut state = self.state();
        if !state.granted && self.shape != Shape::Affinidi {
            let report = report_problem::Report::new(&"e.m.req.no-account".parse().unwrap());
            return report_problem::message(asked, &report);
        }
        let status = |count: usize, live: bool| {
            let status = Status {
                count: count as u64,
                live: Some(live),
                ..Status::default()
            };
            pickup::status(asked, version, &status)
        };
        match ask {
            pickup::Ask::Status { .. } => status(state.len(), false),
            pickup::Ask::Delivery { limit, .. } => {
                let most = if self.shape == Shape::Estoc { 10 } else { 100 };
                let page = state.page(most.min(limit as usize));
                if page.is_empty() && version == pickup::Version::V3 {
                    if self.shape == Shape::Identus {
                        std::thread::sleep(Duration::from_millis(200));
                    }
                    return status(0, false);
                }
                let mut answer = pickup::delivery(asked, version, None, &page);
                if self.shape == Shape::RootsId {
                    // As JSON, not as base64.
                    answer.attachments = page
                        .into_iter()
                        .map(|(id, packed)| Attachment {
                            id: Some(id),
                            ..Attachment::json(serde_json::from_slice(&packed).unwrap())
                        })
                        .collect();
                }
                answer
            }
            pickup::Ask::Received(ids) => {
                state.ack(&ids);
                status(state.len(), false)
            }
            pickup::Ask::Live(on) => status(state.len(), on),
        }
    }

    /// Challenge, answer, token; then everything at `inbound`, answered within JSON.
    fn affinidi(&self, request: &Request) -> Response {
        let json = |value: Value| Response::of(200, "application/json", value.to_string());
        let token = || {
            let mut state = self.state();
            state.logins += 1;
            let token = format!("token-{}", state.logins);
            state.token = Some(token.clone());
            // The first one ends at once, and is renewed.
            let ends = if state.logins == 1 {
                1
            } else {
                4_000_000_000_u64
            };
            json(json!({ "data": {
                "access_token": token, "access_expires_at": ends,
                "refresh_token": "again", "refresh_expires_at": 4_000_000_000_u64,
            }}))
        };
        match request.path.as_str() {
            "/mediator/v1/authenticate/challenge" => json(json!({
                "sessionId": "s1", "data": { "challenge": "c1" },
            })),
            "/mediator/v1/authenticate" => {
                let (message, _) = self.opened(&request.body).unwrap();
                let body = message.body.unwrap();
                assert_eq!(body, json!({ "challenge": "c1", "session_id": "s1" }));
                assert!(message.expires_time.is_some());
                token()
            }
            "/mediator/v1/authenticate/refresh" => {
                let (message, _) = self.opened(&request.body).unwrap();
                assert_eq!(message.body_text("refresh_token"), Some("again"));
                token()
            }
            "/mediator/v1/inbound" => {
                let known = self
                    .state()
                    .token
                    .clone()
                    .map(|token| format!("Bearer {token}"));
                if known.is_none() || request.header("authorization") != known.as_deref() {
                    return Response::empty(401);
                }
                let (asked, sender) = self.opened(&request.body).unwrap();
                if asked.return_route.is_none() {
                    return Response::empty(400);
                }
                if mediation::read_ask(&asked).is_some() {
                    return Response::of(501, "application/json", r#"{"errorCode":1}"#);
                }
                let Some(reply) = self.follow(&asked) else {
                    return json(json!({ "sessionId": "s1", "data": { "Stored": {} } }));
                };
                let packed = String::from_utf8(self.person.pack(reply, &sender)).unwrap();
                json(json!({ "sessionId": "s1", "data": { "Ephemeral": packed } }))
            }
            _ => Response::empty(404),
        }
    }
}

fn unsupported(asked: &Message) -> Message {
    let report = report_problem::Report::new(&"e.p.msg.unsupported".parse().unwrap());
    report_problem::message(asked, &report)
}

/// Old names of members.
fn rename(message: &mut Message, from: &str, to: &str) {
    let text = message.body.as_ref().unwrap().to_string();
    message.body = serde_json::from_str(&text.replace(from, to)).ok();
}
