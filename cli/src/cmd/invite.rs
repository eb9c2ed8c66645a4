//! `packmule invite`: an out-of-band invitation as a URL, and as a QR code.

use packmule_agent::protocol::out_of_band;
use packmule_node::desk::invitation::{HOLDS, ISSUED, Terms, remember};
use packmule_node::{Change, Home};
use packmule_transports::qr::show_text;
use serde_json::json;

use crate::args::{Globals, InviteArgs};
use crate::fault::Fault;
use crate::flow::{files, pictures};
use crate::ui::output::Report;
use crate::ui::time::{now, rfc3339};

/// Codes above this version are hard on cheap cameras.
const EASY_VERSION: u8 = 25;

/// An invitation that was issued and remembered.
pub(crate) struct Issued {
    /// Its id, which the answer's `pthid` will name.
    pub(crate) id: String,
    /// The standard URL.
    pub(crate) url: String,
}

/// Makes one, remembers it, shows it.
pub(crate) fn run(globals: &Globals, args: &InviteArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    if let Some(id) = &args.revoke {
        return revoke(&home, id);
    }
    let terms = Terms {
        until: now().saturating_add(args.expires.unwrap_or(HOLDS)),
        uses: (!args.open).then_some(1),
    };
    let issued = issue(
        &home,
        terms,
        &args.base_url,
        args.goal.as_deref(),
        args.goal_code.as_deref(),
    )?;
    let mut text = issued.url.clone();
    text.push_str(&format!(
        "\n{}, until {}; `packmule invite --revoke {}` takes it back",
        if args.open {
            "for everybody who has it"
        } else {
            "for one person"
        },
        rfc3339(terms.until),
        issued.id,
    ));
    let mut warning = None;
    if args.qr || args.save.is_some() {
        let picture = show_text(&issued.url)?;
        if picture.version() > EASY_VERSION {
            warning = Some(
                "this code is large; a home made with `init --did-method key` has smaller ones",
            );
        }
        if let Some(path) = &args.save {
            match path.extension().and_then(|e| e.to_str()) {
                Some("png" | "svg") => pictures::save_one(&picture, path)?,
                _ => files::write_whole(path, format!("{}\n", issued.url).as_bytes())?,
            }
            text.push_str(&format!("\nsaved as {}", path.display()));
        }
        if args.qr {
            text = format!("{}{text}", picture.terminal());
        }
    }
    if let Some(warning) = warning {
        text.push_str(&format!("\nnote: {warning}"));
    }
    Ok(Report::new(
        text,
        json!({
            "id": issued.id,
            "url": issued.url,
            "did": home.did(),
            "saved": args.save,
            "until": terms.until,
            "uses": terms.uses,
        }),
    ))
}

/// Takes an invitation back: who answers it later stays a stranger.
fn revoke(home: &Home, id: &str) -> Result<Report, Fault> {
    if home.note(ISSUED, id)?.is_none() {
        return Err(
            Fault::not_found(format!("there is no open invitation {id:?}"))
                .hint("it was used up or taken back, or the id is not whole"),
        );
    }
    home.apply(&[Change::Note {
        topic: ISSUED.into(),
        key: id.to_owned(),
        value: None,
    }])?;
    Ok(Report::new(
        format!("the invitation {id} is taken back"),
        json!({ "revoked": id }),
    ))
}

/// Makes an invitation and remembers its id durably, before anybody can answer it.
pub(crate) fn issue(
    home: &Home,
    terms: Terms,
    base_url: &str,
    goal: Option<&str>,
    goal_code: Option<&str>,
) -> Result<Issued, Fault> {
    let invitation = out_of_band::invitation(home.did(), goal_code, goal);
    let url = out_of_band::to_url(&invitation, base_url)?;
    remember(home, &invitation.id, terms, now())?;
    Ok(Issued {
        id: invitation.id,
        url,
    })
}
