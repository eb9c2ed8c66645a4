use super::*;
use crate::protocol::basic_message;

fn question() -> Message {
    basic_message::message("is the kiosk open?").between("did:example:alice", &["did:example:bob"])
}

fn text(comment: &str, args: Value) -> String {
    let mut message = message(&question(), &Report::default());
    message.body = Some(json!({ "code": "e.p.xfer", "comment": comment, "args": args }));
    parse(&message).unwrap().text()
}

#[test]
fn bob_tells_alice_what_went_wrong() {
    let asked = question();
    let code = ProblemCode::parse("e.m.xfer.cant-use-endpoint").unwrap();
    let mut told = Report::new(&code).with_comment(
        "Unable to use the {1} endpoint for {2}.",
        &["https://kiosk.example", "did:example:alice"],
    );
    told.escalate_to = Some("mailto:kiosk@example.org".to_owned());
    let sent = message(&asked, &told);
    assert_eq!(sent.pthid.as_deref(), Some(asked.id.as_str()));
    assert_eq!((sent.thid.as_deref(), &sent.ack), (None, &vec![asked.id]));
    assert_eq!(sent.to, ["did:example:alice"]);
    assert_eq!(sent.from.as_deref(), Some("did:example:bob"));

    let arrived = Message::parse(&sent.to_json()).unwrap();
    let read = parse(&arrived).unwrap();
    assert_eq!(read, told);
    assert_eq!(read.parsed().unwrap(), code);
    assert_eq!(
        read.text(),
        "Unable to use the https://kiosk.example endpoint for did:example:alice."
    );
}

#[test]
fn a_problem_late_in_a_thread_names_the_thread_not_the_message() {
    let mut asked = question();
    asked.thid = Some("the-first".to_owned());
    let sent = message(&asked, &Report::default());
    assert_eq!(sent.pthid.as_deref(), Some("the-first"));
}

#[test]
fn gaps_are_filled_as_the_spec_says() {
    for (comment, args, shown) in [
        ("{1} of {2}", json!(["a", "b"]), "a of b"),
        ("{2} of {1}, {1}", json!(["a", "b"]), "b of a, a"),
        // Missing and null.
        ("{1} of {2}", json!(["a"]), "a of ?"),
        ("{1} of {2}", json!([null, "b"]), "? of b"),
        ("{1}", json!(null), "?"),
        (
            "{99999999999999999999999}",
            json!([]),
            "{99999999999999999999999}",
        ),
        // More than the comment names.
        ("Failed.", json!(["a", "b"]), "Failed. a, b"),
        ("Failed: {2}.", json!(["a", "b", null]), "Failed: b. a, ?"),
        ("", json!(["a", "b"]), "a, b"),
        // What is no gap stays.
        ("{0} {} {x} {1 {1} }{", json!(["a"]), "{0} {} {x} {1 a }{"),
        // An argument is never read as a comment.
        ("{1}{2}", json!(["{2}", "b"]), "{2}b"),
        ("ü{1}ß", json!(["→"]), "ü→ß"),
        // Careless writers.
        ("{1} of {2}", json!([3, true]), "3 of true"),
        ("{1}", json!("a"), "a"),
    ] {
        assert_eq!(text(comment, args.clone()), shown, "{comment} with {args}");
    }
}

#[test]
fn without_a_comment_the_code_speaks() {
    let report = |code: &str| Report {
        code: code.to_owned(),
        ..Report::default()
    };
    assert_eq!(
        report("e.p.trust.crypto.bad-key").text(),
        "Cryptographic operation failed."
    );
    assert_eq!(report("Strange Code").text(), "Strange Code");
}

/// Mallory's report of a few kilobytes would be gigabytes with its gaps filled.
#[test]
fn mallory_cannot_blow_up_a_report() {
    let told = Report {
        comment: Some("{1}".repeat(100_000)),
        args: vec![Some("é".repeat(100_000))],
        ..Report::default()
    };
    let text = told.text();
    assert_eq!(text.chars().count(), MAX_TEXT);
    assert!(text.ends_with('…'));
    let many: Vec<_> = (0..100_000).collect();
    let mut sent = message(&question(), &Report::default());
    sent.body = Some(json!({ "code": "e.p.msg", "args": many }));
    assert_eq!(parse(&sent).unwrap().args.len(), MAX_ARGS);
}

#[test]
fn what_is_no_report_is_told_apart() {
    assert_eq!(parse(&question()), Err(ReportError::Type));
    let good = message(&question(), &Report::default());
    let mut orphan = good.clone();
    orphan.pthid = None;
    assert_eq!(parse(&orphan), Err(ReportError::Thread));
    for body in [None, Some(json!({})), Some(json!({ "code": 7 }))] {
        let mut codeless = good.clone();
        codeless.body = body;
        assert_eq!(parse(&codeless), Err(ReportError::Code));
    }
}
