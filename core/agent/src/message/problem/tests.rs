use super::*;
use crate::pack::OpenError;

fn code(text: &str) -> ProblemCode {
    ProblemCode::parse(text).unwrap()
}

#[test]
fn bob_reads_what_alice_could_not_do() {
    let told = code("e.p.xfer.cant-use-endpoint");
    assert_eq!(
        (told.sorter, &told.scope, told.descriptors.as_slice()),
        (
            Sorter::Error,
            &Scope::Protocol,
            ["xfer".to_owned(), "cant-use-endpoint".to_owned()].as_slice()
        )
    );
    assert_eq!(code("w.m.trust").scope, Scope::Message);
    assert_eq!(
        code("e.get-pay-details.payment-failed").scope,
        Scope::State("get-pay-details".to_owned())
    );
    // The spec's own over-size code has underscores.
    assert!(code("e.m.me.res.storage.message_too_big").is_about("me.res.storage"));
    // One descriptor SHOULD be there; a code without is read all the same.
    assert!(code("e.p").descriptors.is_empty());
}

#[test]
fn mallorys_codes_are_no_codes() {
    use CodeError::*;
    for (text, why) in [
        ("", Sorter),
        ("x.p.trust", Sorter),
        ("E.p.trust", Sorter),
        ("error.p.trust", Sorter),
        ("e", Scope),
        ("e.", Token),
        ("e.p.", Token),
        ("e.p..trust", Token),
        ("e.p.Trust", Token),
        ("e.p.-trust", Token),
        ("e.p.trust-", Token),
        ("e.p.a--b", Token),
        ("e.p.tru st", Token),
        ("e.p.trüst", Token),
        ("e.p.trust\n", Token),
        (&format!("e.p.{}", "a".repeat(256)), TooLong),
    ] {
        assert_eq!(ProblemCode::parse(text), Err(why), "{text:?}");
    }
}

#[test]
fn what_is_read_is_written_again() {
    for text in ["e.p", "w.m.trust.crypto", "e.idle.req.time", "w.p.a1-b2.c"] {
        assert_eq!(code(text).to_string(), text);
        assert_eq!(text.parse::<ProblemCode>().unwrap(), code(text));
    }
}

#[test]
fn readers_match_by_whole_tokens() {
    let told = code("e.p.xfer.cant-use-endpoint");
    for known in [
        "e",
        "e.",
        "e.p",
        "e.p.xfer",
        "e.p.xfer.",
        "e.p.xfer.cant-use-endpoint",
    ] {
        assert!(told.starts_with(known), "{known}");
    }
    for other in [
        "w",
        "e.m",
        "e.p.xf",
        "e.p.xfer.cant",
        "e.p.xfer.cant-use-endpoint.x",
    ] {
        assert!(!told.starts_with(other), "{other}");
    }
    assert!(told.is_about("xfer"));
    assert!(!told.is_about("xf"));
    assert!(!code("e.p").is_about("xfer"));
}

#[test]
fn an_answer_to_a_warning_never_undoes_less() {
    let state = |name: &str| Scope::State(name.to_owned());
    for (warning, wish, answer) in [
        ("w.p.trust", Scope::Message, "e.p.trust"),
        ("w.m.trust", Scope::Protocol, "e.p.trust"),
        ("w.m.trust", Scope::Message, "e.m.trust"),
        ("w.m.trust", state("idle"), "e.idle.trust"),
        ("w.idle.trust", Scope::Message, "e.idle.trust"),
        ("w.idle.trust", state("busy"), "e.p.trust"),
    ] {
        assert_eq!(
            code(warning).as_error(wish).to_string(),
            answer,
            "{warning}"
        );
    }
}

#[test]
fn the_most_special_comment_is_found() {
    for (text, comment) in [
        (
            "e.p.trust.crypto.bad-key",
            Some("Cryptographic operation failed."),
        ),
        (
            "e.p.trust.layers",
            Some("Failed to achieve required trust."),
        ),
        (
            "w.m.me.res.memory",
            Some("A required resource is inadequate or unavailable."),
        ),
        ("e.p.payment-failed", None),
    ] {
        assert_eq!(code(text).standard_comment(), comment, "{text}");
    }
}

#[test]
fn every_refusal_of_ours_has_a_code_with_a_comment() {
    for error in [
        OpenError::Crypto,
        OpenError::Version1,
        OpenError::NoFrom,
        OpenError::NoTo,
        OpenError::Malformed("x"),
        OpenError::Combination("x".to_owned()),
        OpenError::Inconsistent("x"),
        OpenError::FromPrior("x"),
    ] {
        let told = code(error.problem());
        assert!(told.standard_comment().is_some(), "{told}");
    }
}
