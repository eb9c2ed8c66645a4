//! What servers say, fit for people and logs.
//!
//! What is it: one line of bounded length, in which no address tells who a mail is for. Who calls
//! it: whoever passes a server's words on. What can go wrong: nothing; a word with an `@` that is
//! no address loses its beginning.

/// Characters of what is passed on.
const MAX: usize = 300;

/// Control characters become spaces, addresses keep their domain.
pub(crate) fn fit(words: &str) -> String {
    let clean = words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX * 4);
    let clean: String = clean.collect();
    let mut out = String::with_capacity(clean.len());
    for word in clean.split(' ').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        match word.rsplit_once('@') {
            Some((before, after)) => {
                let open = before.find(['<', '(', '[', '"', '=']);
                out.push_str(open.and_then(|at| before.get(..=at)).unwrap_or_default());
                out.push_str("…@");
                out.push_str(after);
            }
            None => out.push_str(word),
        }
    }
    out.chars().take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn addresses_keep_their_domains_and_lines_become_one() {
        assert_eq!(
            fit("5.1.1 <bob@edge.test>: Recipient\r\n rejected: bob@edge.test"),
            "5.1.1 <…@edge.test>: Recipient rejected: …@edge.test"
        );
        assert_eq!(fit(&"x".repeat(5000)).len(), 300);
        assert_eq!(fit("to=alice@a.test,bob@b.test"), "to=…@b.test");
    }
}
