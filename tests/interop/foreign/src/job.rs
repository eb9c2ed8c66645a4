//! The peers' contract (`../README.md`): a task of jobs as JSON, and its results.

use serde_json::{Value, json};

use crate::{Parties, Peer, Plan};

/// Reads a task's `docs` and `secrets`.
///
/// # Errors
/// In words, when a member is missing.
pub fn parties(task: &Value) -> Result<Parties, String> {
    let docs = task["docs"].as_array().ok_or("no `docs`")?;
    let secrets = task["secrets"].as_object().ok_or("no `secrets`")?;
    Ok(Parties::new(docs.clone(), secrets.clone()))
}

/// Does every job of `task` with `peer`; the results are in the jobs' order.
pub fn run(peer: &dyn Peer, task: &Value) -> Value {
    let jobs = task["jobs"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    jobs.iter().map(|job| run_one(peer, job)).collect()
}

fn run_one(peer: &dyn Peer, job: &Value) -> Value {
    let name = &job["name"];
    if job["op"] == "pack" {
        return match peer.pack(&job["message"], &plan(job)) {
            Ok(packed) => json!({"name": name, "ok": true, "packed": packed}),
            Err(refusal) => json!({"name": name, "ok": false, "error": refusal.0}),
        };
    }
    match peer.unpack(job["packed"].as_str().unwrap_or_default()) {
        Ok(read) => json!({
            "name": name, "ok": true, "message": read.message,
            "sender_kid": read.sender_kid, "signer_kid": read.signer_kid,
        }),
        Err(refusal) => json!({"name": name, "ok": false, "error": refusal.0}),
    }
}

fn plan(job: &Value) -> Plan {
    let text = |name: &str| job[name].as_str().map(str::to_owned);
    Plan {
        to: text("to"),
        from: text("from"),
        sign: text("sign"),
        enc: text("enc"),
        hide_sender: job["hide_sender"].as_bool().unwrap_or(false),
    }
}
