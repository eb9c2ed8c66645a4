//! Homes are made; an invitation crosses as a picture.

use packmule_node::desk::invitation::{HOLDS, Terms};
use packmule_transports::qr::show_text;

use super::stage::{Stage, expect};
use crate::cmd::{accept, invite};
use crate::fault::Fault;
use crate::flow::invitation::{self, Found};
use crate::flow::pictures;
use crate::ui::output::one_line;
use crate::ui::time::now;

/// Two homes, keys sealed with a passphrase.
pub(super) fn homes(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    stage.cast()?;
    let alice = one_line(stage.alice()?.did(), 60);
    let bob = one_line(stage.bob()?.did(), 60);
    Ok(vec![
        format!("alice is {alice}"),
        format!("bob is   {bob}"),
        "their keys are sealed with a passphrase (Argon2id, XChaCha20-Poly1305)".into(),
    ])
}

/// Alice's invitation is drawn, read back from the picture, and accepted by bob.
pub(super) fn invitation(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let terms = Terms {
        until: now().saturating_add(HOLDS),
        uses: Some(1),
    };
    let issued = invite::issue(
        stage.alice()?.home(),
        terms,
        "https://packmule.example/i",
        Some("to meet at the well"),
        None,
    )?;
    let picture = show_text(&issued.url)?;
    let path = stage.dir.join("invitation.png");
    pictures::save_one(&picture, &path)?;
    let Found::Invitation(found) = invitation::find(&path.display().to_string())? else {
        return expect(false, "the picture holds no invitation").map(|()| Vec::new());
    };
    expect(
        found.id == issued.id,
        "the picture holds another invitation",
    )?;
    let from = found.from.clone().unwrap_or_default();
    accept::accept(stage.bob()?, &from, Some(&found.id), Some("alice"), true)?;
    Ok(vec![
        format!(
            "alice shows a QR code (version {}, {} characters of URL): {}",
            picture.version(),
            issued.url.len(),
            path.display()
        ),
        "bob reads it from the picture, adds alice, and queues a hello that names the invitation"
            .into(),
    ])
}
