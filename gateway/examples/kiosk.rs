//! A kiosk in a program of your own: a gateway that is founded, serves one visitor, and ends.
//!
//! usage: cargo run -p packmule-gateway --example kiosk
//!
//! What `packmule gateway` does, without its command line: read a configuration, start, tell the
//! DID and the invitation to whoever puts up the poster, serve until told to end. The visitor is
//! alice's phone, which knows nothing but the DID and the address: it posts a ping that only the
//! kiosk can read, as any DIDComm client would.

use std::error::Error;
use std::path::Path;

use packmule_agent::did::{Method, create};
use packmule_agent::keys::Keyring;
use packmule_agent::protocol::out_of_band;
use packmule_agent::{DocBook, Jose, PackPlan, Packer};
use packmule_gateway::config::Config;
use packmule_gateway::{Gateway, Plan};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// As an operator would write it. Port 0 is any free one; a kiosk in life has an address that its
/// visitors reach (`public-url`), since the DID of its home names that for ever.
const SETTINGS: &str = r#"
listen = "127.0.0.1:0"
metrics = true

[accounts]
most = 100
"#;

#[tokio::main]
async fn main() -> Outcome<()> {
    let place = tempfile::tempdir()?;
    let settings = place.path().join("gateway.toml");
    std::fs::write(&settings, SETTINGS)?;
    let plan = Plan {
        // The environment may change a setting, as it may for `packmule gateway`; here it has none.
        config: Config::load(Some(Path::new(&settings)), std::iter::empty())?,
        // Made when it is not there yet. Keep it: the DID, its keys and all mailboxes are in it.
        home: place.path().join("home"),
        // Without one the home opens itself from then on: for machines that nobody attends.
        passphrase: Some(b"correct horse".to_vec()),
        // Links besides the web: packmule-tcp, Bluetooth, NFC, as `dyn` values.
        transports: Vec::new(),
        mailboxes: None,
    };
    // From here on it is bound, and what it holds is there; nobody is served yet.
    let gateway = Gateway::start(plan).await?;
    let (did, address) = (gateway.did().to_owned(), gateway.address());
    let invitation = out_of_band::to_url(&gateway.invitation(), gateway.url())?;
    println!("the kiosk is {did}");
    println!("on its poster: {invitation}");

    // It serves until this says so; a program in life waits for SIGTERM here.
    let (end, told) = oneshot::channel::<()>();
    let serving = tokio::spawn(gateway.run(async move {
        let _ = told.await;
    }));

    let status = visit(&address.to_string(), &ping(&did)?).await?;
    println!("alice posted a ping: {status}");
    let metrics = get(&address.to_string(), "/metrics").await?;
    let lines = metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count();
    println!("and {lines} numbers for the operator");

    let _ = end.send(());
    serving.await?;
    println!("the kiosk has ended");
    if !status.contains(" 202 ") || lines < 10 {
        return Err("the kiosk did not take a ping, or has no numbers".into());
    }
    Ok(())
}

/// What alice's phone packs: authenticated encryption, her name and her words for the kiosk alone.
fn ping(kiosk: &str) -> Outcome<Vec<u8>> {
    let alice = create(Method::Key, &[])?;
    let mut keys = Keyring::new();
    keys.extend(alice.secrets);
    let message = json!({
        "id": "1",
        "typ": "application/didcomm-plain+json",
        "type": "https://didcomm.org/trust-ping/2.0/ping",
        "from": alice.did,
        "to": [kiosk],
        "body": { "response_requested": false },
    });
    let plan = PackPlan {
        from: Some(alice.did.clone()),
        to: vec![kiosk.to_owned()],
        ..PackPlan::default()
    };
    // A did:peer says all of itself: no document has to be fetched, and the book is empty.
    let packed = Jose.pack(
        message.to_string().as_bytes(),
        &plan,
        &keys,
        &DocBook::new(),
    )?;
    Ok(packed.concat())
}

/// Posts a packed message; the status line of the answer.
async fn visit(address: &str, packed: &[u8]) -> Outcome<String> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/didcomm-encrypted+json\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let answer = ask(address, &[head.as_bytes(), packed].concat()).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

async fn get(address: &str, path: &str) -> Outcome<String> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    ask(address, head.as_bytes()).await
}

async fn ask(address: &str, request: &[u8]) -> Outcome<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
