//! Writing a JWE, strictly: common `epk`, `apu` and `apv` in the protected header, recipients
//! in sorted order (Indicio's library checks `apv` over the order on the wire), members in
//! the order of the reference implementation. Written straight into one buffer.

use base64_simd::URL_SAFE_NO_PAD;

use super::super::kdf::key_encryption_key;
use super::super::{ContentEncryption, JoseError, KeyAlgorithm, base64, push_json};
use crate::crypto::agree::AgreeSecret;
use crate::crypto::content;
use crate::keys::{Curve, PublicKey, SecretKey};

/// Who encrypts to whom, and how. All keys are of one curve.
#[derive(Debug)]
pub struct Encryption<'a> {
    /// Content encryption; authcrypt takes A256CBC-HS512 alone.
    pub enc: ContentEncryption,
    /// Authcrypt when there is one: key id and key.
    pub sender: Option<(&'a str, &'a SecretKey)>,
    /// At least one: key id and key.
    pub recipients: Vec<(&'a str, &'a PublicKey)>,
}

/// Encrypts one layer with keys in hand; the result is General JSON (§5.1). Nothing is
/// checked about what is inside: for messages use [`crate::pack`], for a routing key of a
/// `forward` this.
///
/// # Errors
/// [`JoseError::Key`] for no recipients or keys of several curves,
/// [`JoseError::Unsupported`] for authcrypt with another `enc`, [`JoseError::Library`].
pub fn encrypt(plaintext: &[u8], mut plan: Encryption<'_>) -> Result<Vec<u8>, JoseError> {
    plan.recipients.sort_unstable_by_key(|(kid, _)| *kid);
    let curve = plan.recipients.first().ok_or(JoseError::Key)?.1.curve();
    let alg = if plan.sender.is_some() {
        KeyAlgorithm::Ecdh1Pu
    } else {
        KeyAlgorithm::EcdhEs
    };
    // The draft (§2.1) allows ECDH-1PU with key wrapping only over AES-CBC-HMAC: no other
    // tag commits to the content.
    if alg == KeyAlgorithm::Ecdh1Pu && plan.enc != ContentEncryption::A256CbcHs512 {
        return Err(JoseError::unsupported("enc", plan.enc.name()));
    }
    let library = |_| JoseError::Library;
    let ephemeral = AgreeSecret::generate(curve).map_err(library)?;
    let apv = super::apv(plan.recipients.iter().map(|(kid, _)| *kid));
    let protected = protected(
        alg,
        &plan,
        curve,
        &ephemeral.public().map_err(library)?,
        &apv,
    );
    let protected = base64(&protected);

    let cek = content::generate(plan.enc).map_err(library)?;
    let mut text = Vec::with_capacity(plaintext.len() + 16);
    text.extend_from_slice(plaintext);
    let sealed =
        content::seal(plan.enc, &cek, &[protected.as_bytes()], &mut text).map_err(library)?;

    let kids: usize = plan.recipients.iter().map(|(kid, _)| kid.len() + 160).sum();
    let mut out = Vec::with_capacity(protected.len() + kids + text.len() / 3 * 4 + 256);
    out.extend_from_slice(br#"{"protected":""#);
    out.extend_from_slice(protected.as_bytes());
    out.extend_from_slice(br#"","recipients":["#);
    for (index, (kid, key)) in plan.recipients.iter().enumerate() {
        let peer = key
            .agreement()
            .filter(|_| key.curve() == curve)
            .ok_or(JoseError::Key)?;
        let ze = ephemeral.agree(peer).map_err(|_| JoseError::Key)?;
        let kek = match plan.sender {
            None => key_encryption_key(alg, &[&ze], b"", &apv, None),
            Some((skid, secret)) => {
                let zs = secret.agree_static(key).map_err(|_| JoseError::Key)?;
                let tag = Some(sealed.tag());
                key_encryption_key(alg, &[&ze, &zs], skid.as_bytes(), &apv, tag)
            }
        };
        let wrapped = content::wrap(&kek, &cek).map_err(library)?;
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"header":{"kid":"#);
        push_json(&mut out, kid);
        out.extend_from_slice(br#"},"encrypted_key":""#);
        URL_SAFE_NO_PAD.encode_append(&wrapped, &mut out);
        out.extend_from_slice(br#""}"#);
    }
    out.extend_from_slice(br#"],"iv":""#);
    URL_SAFE_NO_PAD.encode_append(sealed.iv(), &mut out);
    out.extend_from_slice(br#"","ciphertext":""#);
    URL_SAFE_NO_PAD.encode_append(&text, &mut out);
    out.extend_from_slice(br#"","tag":""#);
    URL_SAFE_NO_PAD.encode_append(sealed.tag(), &mut out);
    out.extend_from_slice(br#""}"#);
    Ok(out)
}

/// The protected header, members in the order that `packmule-bus`'s template knows: typ, alg,
/// enc, skid, apu, apv, epk{crv, kty, x, y}.
fn protected(
    alg: KeyAlgorithm,
    plan: &Encryption<'_>,
    curve: Curve,
    epk: &[u8],
    apv: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"typ":"application/didcomm-encrypted+json","alg":""#);
    out.extend_from_slice(alg.name().as_bytes());
    out.extend_from_slice(br#"","enc":""#);
    out.extend_from_slice(plan.enc.name().as_bytes());
    if let Some((skid, _)) = plan.sender {
        out.extend_from_slice(br#"","skid":"#);
        push_json(&mut out, skid);
        out.extend_from_slice(br#","apu":""#);
        URL_SAFE_NO_PAD.encode_append(skid.as_bytes(), &mut out);
    }
    out.extend_from_slice(br#"","apv":""#);
    URL_SAFE_NO_PAD.encode_append(apv, &mut out);
    out.extend_from_slice(br#"","epk":{"crv":""#);
    out.extend_from_slice(curve.name().as_bytes());
    out.extend_from_slice(br#"","kty":""#);
    out.extend_from_slice(curve.kty().as_bytes());
    out.extend_from_slice(br#"","x":""#);
    if curve.is_okp() {
        URL_SAFE_NO_PAD.encode_append(epk, &mut out);
    } else {
        let point = epk.get(1..).unwrap_or_default();
        let (x, y) = point.split_at_checked(curve.size()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode_append(x, &mut out);
        out.extend_from_slice(br#"","y":""#);
        URL_SAFE_NO_PAD.encode_append(y, &mut out);
    }
    out.extend_from_slice(br#""}}"#);
    out
}
