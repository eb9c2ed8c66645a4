//! Makes messages for `fixtures/envelopes`: `cargo run -p packmule-bus --example vectors DIR`.
//!
//! Structurally exact, from a fixed seed; the copies of Appendix C and of foreign messages that
//! lie beside them come from `fixtures/didcomm`.
#[path = "../benches/samples/mod.rs"]
#[expect(dead_code, reason = "this user needs a part of it")]
mod samples;

use std::path::PathBuf;

use samples::{METHODS, Rng, b64, party, plain, sealed, signed};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let mut rng = Rng(5);
    for method in METHODS {
        let alice = party(&mut rng, method, "https://hop.nimbus.is");
        let bob = party(&mut rng, method, "https://hop.nimbus.is");
        let name = format!("{method:?}").to_lowercase();
        let bare = plain(&mut rng, &alice, &bob, 20);
        let auth = sealed(&mut rng, Some(&alice), &bob, bare.len());
        let anon = sealed(&mut rng, None, &bob, auth.json.len());
        let jws = signed(&mut rng, &alice, &bare);
        for (kind, packed) in [
            ("plain", bare),
            ("signed", jws),
            ("auth", auth.json),
            ("anon-auth", anon.json),
        ] {
            std::fs::write(folder.join(format!("{kind}-{name}.packed")), packed)?;
        }
    }
    let header = b64(
        r#"{"alg":"EdDSA","kid":"did:jwk:eyJjcnYiOiJFZDI1NTE5Iiwia3R5IjoiT0tQIiwieCI6IkdEVHJJNjZLMHBGZk81NHRsQ1N2ZmpqTmFwSXM0NGR6cG5lQmd5eDBTM0UifQ#0","typ":"JWM"}"#,
    );
    let odd = [
        ("jws-flat-detached", format!(r#"{{"protected":"{header}","header":{{"n":[-7,null,true,{{"é":"\u0000"}}]}},"signature":"AAEC"}}"#)),
        ("jwe-flat", r#"{"protected":"e30","header":{"kid":"did:example:bob#key-1"},"encrypted_key":"AQ","iv":"","ciphertext":"AAAA","tag":"_w","aad":"YWFk","unprotected":{"b":1,"aa":18446744073709551615}}"#.to_owned()),
        ("raw-padded", r#"{"protected":"e30=","recipients":[],"ciphertext":"AA=="}"#.to_owned()),
        ("raw-other", "no DIDComm message at all".to_owned()),
    ];
    for (name, packed) in odd {
        std::fs::write(folder.join(format!("{name}.packed")), packed)?;
    }
    Ok(())
}
