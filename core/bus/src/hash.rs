//! SHA-256 of what may be long.
//!
//! Called for the names of envelopes, of wire forms and of transfers by codes. What can go wrong:
//! nothing, for any bytes. AWS-LC takes two thirds of the instructions of `sha2` where the
//! CPU has none for it (older PCs, a Raspberry Pi 4), and is not to be had where there is no C
//! (`docs/adr/0003`); what is short costs as much with either, and stays with `sha2`.

/// The digest of these bytes (FIPS 180-4).
#[cfg(not(any(target_family = "wasm", miri)))]
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    let said = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.copy_from_slice(said.as_ref());
    digest
}

/// The digest of these bytes (FIPS 180-4).
#[cfg(any(target_family = "wasm", miri))]
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use sha2::{Digest, Sha256};

    use super::sha256;

    /// NIST's first example for SHA-256 (FIPS 180-4, CSRC "Examples with Intermediate Values").
    #[test]
    fn the_standards_example_holds() {
        let said = HEXLOWER.encode(&sha256(b"abc"));
        assert_eq!(
            said,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn names_do_not_depend_on_who_hashes() {
        for length in [0, 1, 55, 56, 63, 64, 65, 4_096, 100_001] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let other: [u8; 32] = Sha256::digest(&bytes).into();
            assert_eq!(sha256(&bytes), other, "{length} bytes");
        }
    }
}
