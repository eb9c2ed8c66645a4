//! `packmule accept`: a peer from an invitation, and a first hello in the outbox.
//!
//! The hello is a trust-ping whose `pthid` is the invitation's id: when it arrives, by whatever
//! way, the inviter's packmule adds us as a peer by itself.

use std::path::PathBuf;

use packmule_agent::did::{DidDoc, did_of, short_form, web_url};
use packmule_agent::protocol::trust_ping;
use packmule_agent::resolve::Resolver;
use packmule_node::desk::{ENDED, Protection};
use packmule_node::{Change, PeerRecord, REMOVED_PEERS};
use serde_json::json;

use crate::args::{AcceptArgs, Globals};
use crate::cmd::foreign::docs_in;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::invitation::{self, Found};
use crate::flow::party::Party;
use crate::ui::output::{Report, one_line};
use crate::ui::time::now;

/// Accepts.
pub(crate) fn run(globals: &Globals, args: &AcceptArgs) -> Result<Report, Fault> {
    let (did, pthid) = match invitation::find(&args.source)? {
        Found::Did(did) => (did, None),
        Found::Invitation(message) => {
            let from = message
                .from
                .clone()
                .ok_or_else(|| Fault::damaged("the invitation does not say from whom it is"))?;
            (from, Some(message.id.clone()))
        }
    };
    let party = crate::home::unlock(globals)?;
    let given = given_docs(&args.did_doc)?;
    if let Some(renewed) = keep_docs(&party, &did, &given)? {
        return Ok(renewed);
    }
    let accepted = accept(
        &party,
        &did,
        pthid.as_deref(),
        args.name.as_deref(),
        !args.no_hello,
    )?;
    let mut text = format!(
        "{} is a peer now: {}",
        accepted.name,
        one_line(&accepted.did, 100)
    );
    match &accepted.hello {
        Some(_) => {
            text.push_str("\na hello waits to go; `packmule export` or `packmule qr save` sends it")
        }
        None => text.push_str("\nno hello was queued: it learns of you by your first message"),
    }
    Ok(Report::new(
        text,
        json!({ "name": accepted.name, "did": accepted.did, "hello": accepted.hello }),
    ))
}

/// The documents in these files.
fn given_docs(files: &[PathBuf]) -> Result<Vec<DidDoc>, Fault> {
    let mut docs = Vec::new();
    for file in files {
        docs.extend(docs_in(file)?);
    }
    Ok(docs)
}

/// Keeps the documents that were given: there is no network to fetch them from. When `did` is a
/// peer already that is all there is to do, and the report of it comes back.
fn keep_docs(party: &Party, did: &str, given: &[DidDoc]) -> Result<Option<Report>, Fault> {
    let did = did_of(did);
    if given.is_empty() {
        return Ok(None);
    }
    let Some(doc) = given.iter().find(|doc| doc.id == did) else {
        let hint = format!("packmule accept {did} --did-doc FILE, with the document of that DID");
        return Err(Fault::damaged("the document is about another DID").hint(hint));
    };
    let now = now();
    party.keep(doc, now)?;
    party.home().keep_doc(did, doc, now)?;
    let Some(known) = party.home().find_peer(did)? else {
        return Ok(None);
    };
    let renewed = PeerRecord {
        doc: doc.to_json(),
        ..known.clone()
    };
    party.home().update_peer(did, &renewed)?;
    Ok(Some(Report::new(
        format!("{} has a new document now", known.name),
        json!({ "name": known.name, "did": known.did, "renewed": true }),
    )))
}

/// Who became a peer.
pub(crate) struct Accepted {
    pub(crate) name: String,
    pub(crate) did: String,
    /// The id of the hello that was queued.
    pub(crate) hello: Option<String>,
}

/// Adds the peer and queues the hello, both or neither.
pub(crate) fn accept(
    party: &Party,
    did: &str,
    pthid: Option<&str>,
    name: Option<&str>,
    hello: bool,
) -> Result<Accepted, Fault> {
    let did = did_of(did);
    party.learn_form(did)?;
    let doc = party.docs().resolve(did)?;
    if packmule_agent::did::same_did(did, party.did()) {
        return Err(Fault::usage("this invitation is your own").hint("give it to someone else"));
    }
    let short = short_form(did).unwrap_or(did);
    if let Some(known) = party
        .home()
        .find_peer(did)?
        .or(party.home().find_peer(short)?)
    {
        return Err(
            Fault::new(Exit::Exists, format!("{} is a peer already", known.name))
                .hint(format!("`packmule send {} …` writes to it", known.name)),
        );
    }
    let name = match name {
        Some(name) if party.home().find_peer(name)?.is_some() => {
            return Err(
                Fault::new(Exit::Exists, format!("there is a peer {name:?} already"))
                    .hint("choose another --name"),
            );
        }
        Some(name) => name.to_owned(),
        // The store chooses: only it knows which are free when it writes.
        None => String::new(),
    };
    // The book of a did:web knows how old the document is; others do not change.
    if web_url(did).is_err() {
        party.learn(did, doc.clone())?;
    }
    let mut changes = vec![Change::AddPeer(PeerRecord {
        name,
        did: did.to_owned(),
        doc: doc.to_json(),
        added: now(),
    })];
    // Whoever was removed comes back by our own will, and so does one that had ended it.
    for (topic, key) in [(REMOVED_PEERS, short), (ENDED, did)] {
        changes.push(Change::Note {
            topic: topic.into(),
            key: key.to_owned(),
            value: None,
        });
    }
    let mut hello_id = None;
    if hello {
        let mut ping = trust_ping::ping(false);
        ping.pthid = pthid.map(str::to_owned);
        hello_id = Some(ping.id.clone());
        let records = party.records(did, ping, Protection::Auth)?;
        changes.extend(records.into_iter().map(Change::Queue));
    }
    let applied = party.home().apply(&changes)?;
    let name = applied.added.into_iter().next().ok_or_else(|| {
        Fault::new(Exit::Exists, "it has become a peer meanwhile")
            .hint("`packmule peers` tells its name")
    })?;
    Ok(Accepted {
        name,
        did: did.to_owned(),
        hello: hello_id,
    })
}
