//! `packmule mail test`: one message to ourselves, by the servers that are set up.
//!
//! What is it: the whole way of a mail, in the foreground. Who calls it: people who have just
//! written their settings. What can go wrong: each step says which it was and what the server
//! said; other messages in the account are looked at and left.

use std::time::{Duration, Instant};

use packmule_transports::mail::{Mailer, recipients};
use serde_json::json;
use tokio::runtime::Builder;
use tokio::time::timeout_at;

use crate::args::{Globals, MailTestArgs, MailVerb};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::settings::Settings;
use crate::ui::output::Report;

/// Runs one of its verbs.
pub(crate) fn run(globals: &Globals, verb: &MailVerb) -> Result<Report, Fault> {
    match verb {
        MailVerb::Test(args) => test(globals, args),
    }
}

fn test(globals: &Globals, args: &MailTestArgs) -> Result<Report, Fault> {
    let dir = crate::home::dir(globals)?;
    let settings = Settings::of_home(&dir)?;
    let mailer = settings.mailer(&dir)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(go(&mailer, args))
}

fn failed(step: &str, why: &str) -> Fault {
    Fault::new(Exit::Refused, format!("{step}: {why}"))
        .hint("`packmule doctor` looks at each server alone")
}

async fn go(mailer: &Mailer, args: &MailTestArgs) -> Result<Report, Fault> {
    let outbox = mailer.outbox.as_ref().ok_or_else(|| {
        Fault::not_found("there is no [mail.submission] in node.toml")
            .hint("`packmule run --help` shows the section")
    })?;
    let own = outbox.from().to_string();
    let to = recipients(&format!("mailto:{}", args.to.as_deref().unwrap_or(&own)));
    let to = to.ok_or_else(|| Fault::usage("--to is no address"))?;
    let began = Instant::now();
    // The account is watched before the mail is sent, so that nobody else takes it.
    let watched = match (&mailer.account, &args.to) {
        (Some(account), None) => Some(
            account
                .open()
                .await
                .map_err(|why| failed("receiving", &why))?,
        ),
        _ => None,
    };
    let id = format!("packmule-mail-test-{}", began_id());
    let message = json!({
        "id": id,
        "type": "https://didcomm.org/empty/1.0/empty",
        "body": {},
    });
    let message = message.to_string().into_bytes();
    let sent = outbox.send(&message, &to).await;
    sent.map_err(|fault| failed("sending", &fault.to_string()))?;
    let sent = began.elapsed();
    let Some(mailbox) = watched else {
        return Ok(Report::new(
            format!("sent in {} ms; nobody waits for it here", sent.as_millis()),
            json!({ "sent_ms": sent.as_millis(), "received_ms": null }),
        ));
    };
    let until = tokio::time::Instant::now() + Duration::from_secs(args.patience);
    let mut others = Vec::new();
    loop {
        let came = timeout_at(until, mailbox.collect()).await;
        let came = came
            .map_err(|_| failed("receiving", "it did not come in time"))?
            .map_err(|fault| failed("receiving", &fault.to_string()))?;
        if came.bytes == message {
            let settled = came.settle.settle().await;
            settled.map_err(|fault| failed("putting away", &fault.to_string()))?;
            let received = began.elapsed();
            return Ok(Report::new(
                format!(
                    "sent in {} ms, received after {} ms, put away",
                    sent.as_millis(),
                    received.as_millis()
                ),
                json!({ "sent_ms": sent.as_millis(), "received_ms": received.as_millis() }),
            ));
        }
        // Let go of, it would come again at once.
        others.push(came);
    }
}

/// Tells one test from another.
fn began_id() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_nanos())
}
