//! JSON Web Encryption (RFC 7516): general and flattened JSON in, general JSON out.

pub(crate) mod decrypt;
pub(crate) mod encrypt;
#[cfg(test)]
mod tests;

/// `apv`: SHA-256 over the recipients' key ids, sorted and joined by dots (§5.1.9).
fn apv<'a>(kids: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut kids: Vec<&str> = kids.into_iter().collect();
    kids.sort_unstable();
    crate::crypto::sha256(&[kids.join(".").as_bytes()])
}
