//! The login that Affinidi's mediators want before anything else.
//!
//! What is it: a challenge, an answer that our key authenticates, and a token for every request
//! after that, renewed before it ends. There is no coordinate-mediation: an account is whoever
//! logged in, and messages are held for that DID alone. Who calls it: the keeper, when a visit
//! begins and before a token ends. What can go wrong: [`Fault`]; an answer that is another shape of
//! JSON than was seen there.

use packmule_agent::message::Message;
use packmule_http::hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::line::Line;
use crate::status::posix;

const LOGIN: &str = "https://affinidi.com/atm/1.0/authenticate";
const RENEW: &str = "https://affinidi.com/atm/1.0/authenticate/refresh";
/// A token that ends so soon is renewed first, in seconds.
const EARLY: u64 = 60;
/// How long our answer to a challenge counts, in seconds.
const COUNTS: u64 = 60;
/// Tokens that do not say when they end are trusted for so long, in seconds.
const UNSAID: u64 = 300;

/// That we are logged in, and until when.
#[derive(Debug)]
pub(crate) struct Pass {
    renewal: Option<String>,
    until: u64,
}

/// Where messages are posted, and where one logs in, at a mediator whose document names `base`.
pub(crate) fn inbound(base: &str) -> String {
    format!("{}/inbound", base.trim_end_matches('/'))
}

fn login(base: &str) -> String {
    format!("{}/authenticate", base.trim_end_matches('/'))
}

/// Logs in. From then on the line carries the token.
pub(crate) async fn log_in(line: &mut Line, base: &str, own: &str) -> Result<Pass, Fault> {
    line.headers.remove(AUTHORIZATION);
    let url = login(base);
    let question = json!({ "did": own }).to_string().into_bytes();
    let told = ask(line, &format!("{url}/challenge"), question).await?;
    let challenge = text(&told, "challenge").ok_or_else(nonsense)?;
    let session = told.get("sessionId").or_else(|| told.get("session_id"));
    let answer = json!({ "challenge": challenge, "session_id": session });
    enter(line, &url, LOGIN, answer).await
}

/// Makes sure that the token lasts a while.
pub(crate) async fn renew(
    line: &mut Line,
    base: &str,
    own: &str,
    pass: Pass,
) -> Result<Pass, Fault> {
    if pass.until > posix().saturating_add(EARLY) {
        return Ok(pass);
    }
    if let Some(renewal) = pass.renewal {
        let url = format!("{}/refresh", login(base));
        let body = json!({ "refresh_token": renewal });
        match enter(line, &url, RENEW, body).await {
            Ok(renewed) => {
                let renewal = renewed.renewal.or(Some(renewal));
                return Ok(Pass { renewal, ..renewed });
            }
            Err(fault @ (Fault::NoAnswer(_) | Fault::Slow | Fault::Busy { .. })) => {
                return Err(fault);
            }
            // It may have forgotten us: from the beginning, then.
            Err(_) => {}
        }
    }
    log_in(line, base, own).await
}

/// Shows who we are, and takes the token.
async fn enter(line: &mut Line, url: &str, kind: &str, body: Value) -> Result<Pass, Fault> {
    let mut message = Message::new(kind).with_body(body);
    message.expires_time = Some(posix().saturating_add(COUNTS));
    let packed = line.pack(message).await?;
    let told = ask(line, url, packed).await?;
    let token = text(&told, "access_token").ok_or_else(nonsense)?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut bearer = bearer.map_err(|_| nonsense())?;
    bearer.set_sensitive(true);
    line.headers.insert(AUTHORIZATION, bearer);
    let until = data(&told, "access_expires_at").and_then(Value::as_u64);
    Ok(Pass {
        renewal: text(&told, "refresh_token").map(str::to_owned),
        until: until.unwrap_or_else(|| posix().saturating_add(UNSAID)),
    })
}

async fn ask(line: &mut Line, url: &str, body: Vec<u8>) -> Result<Value, Fault> {
    let body = line.post_to(url, "application/json", body).await?;
    serde_json::from_slice(&body).map_err(|_| nonsense())
}

fn data<'a>(told: &'a Value, name: &str) -> Option<&'a Value> {
    told.get("data")?.get(name)
}

fn text<'a>(told: &'a Value, name: &str) -> Option<&'a str> {
    data(told, name)?.as_str()
}

fn nonsense() -> Fault {
    Fault::Nonsense("its login speaks another language".to_owned())
}
