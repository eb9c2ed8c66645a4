//! What a mail server answers about recipients, by a word of the test's.
//!
//! What is it: a server of Postfix's policy protocol. Who calls it: Postfix, at its moody port. What
//! can go wrong: nobody asks any more; then its threads end with the test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

/// How often somebody is turned away, and in which words. Afterwards they are welcome.
pub(super) type Moods = Arc<Mutex<BTreeMap<String, (usize, String)>>>;

/// Postfix's policy protocol: lines up to an empty one, and an action.
pub(super) fn judge(policy: &TcpListener, moods: &Moods) {
    for stream in policy.incoming().flatten() {
        let moods = Arc::clone(moods);
        std::thread::spawn(move || {
            let Ok(mut answer) = stream.try_clone() else {
                return;
            };
            let mut whom = String::new();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(recipient) = line.strip_prefix("recipient=") {
                    recipient.clone_into(&mut whom);
                }
                if !line.is_empty() {
                    continue;
                }
                let action = {
                    let mut moods = moods.lock().unwrap_or_else(PoisonError::into_inner);
                    match moods.get_mut(&whom) {
                        Some((left, words)) if *left > 0 => {
                            *left -= 1;
                            words.clone()
                        }
                        _ => "dunno".to_owned(),
                    }
                };
                if write!(answer, "action={action}\n\n").is_err() {
                    return;
                }
            }
        });
    }
}
