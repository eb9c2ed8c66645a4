//! A stranger's plaintext into the message model: what is read is written and read the same,
//! no header is lost, and everything that looks into a message comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_agent::message::{Message, safe_filename};
use packmule_agent::protocol::{Context, discover_features, out_of_band, report_problem, respond};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = out_of_band::parse(text);
        if let Some(name) = safe_filename(text) {
            assert!(!name.is_empty() && name.len() <= 120 && !name.contains(['/', '\\', '\0']));
        }
    }
    let Ok(message) = Message::parse(data) else {
        return;
    };
    let whole: Value = serde_json::from_slice(data).expect("it was read");
    let written = message.to_value();
    for header in whole.as_object().expect("it was read").keys() {
        assert!(written.get(header).is_some(), "{header} is lost");
    }
    assert_eq!(Message::parse(&message.to_json()).as_ref(), Ok(&message));
    let _ = message.warnings();
    let _ = message.translations();
    let _ = message.received_orders();
    let _ = message.localized("content", &["fr", "en"]);
    for attachment in &message.attachments {
        if let Ok(Some(bytes)) = attachment.bytes() {
            let _ = attachment.check(&bytes);
        }
        let _ = attachment.verify(|_| None);
    }
    if let Ok(report) = report_problem::parse(&message) {
        assert!(report.text().chars().count() <= 4096);
    }
    let _ = discover_features::disclosed(&message);
    // Answers go to whoever asked, and are messages themselves.
    for answer in respond(&message, &Context::default()) {
        assert_eq!(answer.to.first(), message.from.as_ref());
        assert!(Message::parse(&answer.to_json()).is_ok());
    }
});
