//! Reading a JWE: general or flattened, every producer's habits that do no harm.
//!
//! What is tolerated, and told (as [`Jwe::lenient`]): anoncrypt without `apv` (Veramo) and
//! with `epk` in the recipient's header (Indicio). What is not: `apv` that does not fit the
//! recipients, authcrypt without sender or over another cipher than A256CBC-HS512,
//! compression, critical extensions.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::header::{self, Epk, JweHeader, OpenHeader};
use super::super::kdf::key_encryption_key;
use super::super::members::{Members, required};
use super::super::{ContentEncryption, JoseError, KeyAlgorithm, unbase64};
use crate::crypto::agree::AgreePublic;
use crate::crypto::content;
use crate::keys::{Curve, PublicKey, SecretKey};

/// A JWE whose header was read and found consistent; nothing is decrypted yet.
pub(crate) struct Jwe<'a> {
    pub(crate) alg: KeyAlgorithm,
    pub(crate) enc: ContentEncryption,
    /// `skid`, or what `apu` says when there is none; authcrypt always has one.
    pub(crate) sender_kid: Option<String>,
    pub(crate) recipients: Vec<Recipient<'a>>,
    pub(crate) lenient: Leniency,
    aad: Cow<'a, str>,
    extra_aad: Option<&'a str>,
    epk: Option<(Curve, AgreePublic)>,
    apu: Vec<u8>,
    apv: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Ciphertext<'a>,
    tag: Vec<u8>,
}

/// As the member says it, or apart from the JSON.
enum Ciphertext<'a> {
    Base64(&'a str),
    Bytes(&'a [u8]),
}

/// Faults that were overlooked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leniency {
    pub(crate) missing_apv: bool,
    pub(crate) epk_per_recipient: bool,
}

/// One for whom the content key is wrapped.
pub(crate) struct Recipient<'a> {
    pub(crate) kid: Cow<'a, str>,
    encrypted_key: Cow<'a, str>,
    epk: Option<Epk<'a>>,
}

/// The sender's key, for authcrypt.
type Sender<'a> = Option<&'a PublicKey>;

#[derive(Deserialize)]
struct WireRecipient<'a> {
    #[serde(borrow, default)]
    header: OpenHeader<'a>,
    #[serde(borrow)]
    encrypted_key: Cow<'a, str>,
}

impl<'a> Jwe<'a> {
    /// Reads and checks everything that needs no secret. A ciphertext that is `apart` stands in
    /// for the member, which is empty then.
    pub(crate) fn parse(
        members: &'a Members<'a>,
        apart: Option<&'a [u8]>,
    ) -> Result<Self, JoseError> {
        let aad = required(members.protected.as_ref(), "protected")?;
        let protected = unbase64(aad, "protected")?;
        let header: JweHeader<'_> = header::parse(&protected)?;
        refuse_version_1(&header)?;
        if header.crit.is_some() {
            return Err(JoseError::unsupported("header", "crit"));
        }
        if header.zip.is_some() {
            return Err(JoseError::unsupported("header", "zip"));
        }
        let alg = header.alg.as_deref().ok_or(JoseError::Malformed("alg"))?;
        let alg = KeyAlgorithm::from_name(alg).ok_or_else(|| JoseError::unsupported("alg", alg))?;
        let enc = header.enc.as_deref().ok_or(JoseError::Malformed("enc"))?;
        let enc =
            ContentEncryption::from_name(enc).ok_or_else(|| JoseError::unsupported("enc", enc))?;
        if alg == KeyAlgorithm::Ecdh1Pu && enc != ContentEncryption::A256CbcHs512 {
            return Err(JoseError::unsupported("enc for authcrypt", enc.name()));
        }

        let recipients = recipients(members, header.kid.as_deref())?;
        let apu = optional_bytes(header.apu.as_deref(), "apu")?;
        let sender_kid = sender_kid(alg, header.skid.as_deref(), apu.as_deref())?;
        let mut lenient = Leniency::default();
        let apv = optional_bytes(header.apv.as_deref(), "apv")?;
        match &apv {
            Some(apv) => {
                if apv.as_slice() != super::apv(recipients.iter().map(|one| one.kid.as_ref())) {
                    return Err(JoseError::Inconsistent("apv"));
                }
            }
            None if alg == KeyAlgorithm::EcdhEs => lenient.missing_apv = true,
            None => return Err(JoseError::Malformed("apv")),
        }
        let epk = match &header.epk {
            Some(epk) => Some(epk.point()?),
            None if alg == KeyAlgorithm::EcdhEs => {
                lenient.epk_per_recipient = true;
                None
            }
            None => return Err(JoseError::Malformed("epk")),
        };
        let extra_aad = match &members.aad {
            Some(_) => Some(required(members.aad.as_ref(), "aad")?.as_ref()),
            None => None,
        };
        Ok(Self {
            alg,
            enc,
            sender_kid,
            recipients,
            lenient,
            aad: Cow::Borrowed(aad),
            extra_aad,
            epk,
            apu: apu.unwrap_or_default(),
            apv: apv.unwrap_or_default(),
            iv: unbase64(required(members.iv.as_ref(), "iv")?, "iv")?,
            ciphertext: match (required(members.ciphertext.as_ref(), "ciphertext")?, apart) {
                (empty, Some(bytes)) if empty.is_empty() => Ciphertext::Bytes(bytes),
                (text, _) => Ciphertext::Base64(text),
            },
            tag: unbase64(required(members.tag.as_ref(), "tag")?, "tag")?,
        })
    }

    /// Decrypts for one recipient. `sender` must be there for authcrypt, and only then.
    pub(crate) fn decrypt(
        &self,
        recipient: &Recipient<'_>,
        secret: &SecretKey,
        sender: Sender<'_>,
    ) -> Result<Vec<u8>, JoseError> {
        let own;
        let (curve, epk) = match (&self.epk, &recipient.epk) {
            (Some(epk), _) => epk,
            (None, Some(epk)) => {
                own = epk.point()?;
                &own
            }
            (None, None) => return Err(JoseError::Malformed("epk")),
        };
        let mine = secret.agreement().filter(|_| secret.curve() == *curve);
        let mine = mine.ok_or(JoseError::Key)?;
        let ze = mine.agree(epk).map_err(|_| JoseError::Key)?;
        let kek = match (self.alg, sender) {
            (KeyAlgorithm::EcdhEs, None) => {
                key_encryption_key(self.alg, &[&ze], &self.apu, &self.apv, None)
            }
            (KeyAlgorithm::Ecdh1Pu, Some(sender)) => {
                let zs = secret.agree_static(sender).map_err(|_| JoseError::Key)?;
                let tag = Some(self.tag.as_slice());
                key_encryption_key(self.alg, &[&ze, &zs], &self.apu, &self.apv, tag)
            }
            _ => return Err(JoseError::Key),
        };
        let wrapped = unbase64(&recipient.encrypted_key, "encrypted_key")?;
        let cek = content::unwrap(&kek, &wrapped).map_err(|_| JoseError::Crypto)?;
        let mut text = match self.ciphertext {
            Ciphertext::Base64(text) => unbase64(text, "ciphertext")?,
            Ciphertext::Bytes(bytes) => bytes.to_vec(),
        };
        let aad = self.aad.as_bytes();
        match self.extra_aad {
            None => content::open(self.enc, &cek, &[aad], &self.iv, &mut text, &self.tag),
            Some(extra) => {
                let aad = [aad, b".", extra.as_bytes()];
                content::open(self.enc, &cek, &aad, &self.iv, &mut text, &self.tag)
            }
        }
        .map_err(|_| JoseError::Crypto)?;
        Ok(text)
    }
}

/// Aries envelopes (RFC 0019) name themselves in `typ` and in `alg`.
fn refuse_version_1(header: &JweHeader<'_>) -> Result<(), JoseError> {
    let typ = header.typ.as_deref().unwrap_or_default();
    let alg = header.alg.as_deref().unwrap_or_default();
    let known = typ == "JWM/1.0" || typ.ends_with("didcomm-envelope-enc");
    if known || alg == "Authcrypt" || alg == "Anoncrypt" {
        return Err(JoseError::Version1);
    }
    Ok(())
}

/// The recipients of a general JWE, or the one of a flattened.
fn recipients<'a>(
    members: &'a Members<'a>,
    protected_kid: Option<&str>,
) -> Result<Vec<Recipient<'a>>, JoseError> {
    let wire: Vec<WireRecipient<'a>> = if let Some(list) = members.recipients {
        if members.encrypted_key.is_some() || members.header.is_some() {
            return Err(JoseError::Malformed("general and flattened form at once"));
        }
        serde_json::from_str(list.get()).map_err(|_| JoseError::Malformed("recipients"))?
    } else {
        let header = match members.header {
            Some(raw) => {
                serde_json::from_str(raw.get()).map_err(|_| JoseError::Malformed("header"))?
            }
            None => OpenHeader::default(),
        };
        let key = required(members.encrypted_key.as_ref(), "encrypted_key")?;
        vec![WireRecipient {
            header,
            encrypted_key: Cow::Borrowed(key),
        }]
    };
    if wire.is_empty() {
        return Err(JoseError::Malformed("recipients"));
    }
    let alone = wire.len() == 1;
    wire.into_iter()
        .map(|one| {
            let kid = match (one.header.kid, protected_kid) {
                (Some(kid), _) => kid,
                (None, Some(kid)) if alone => Cow::Owned(kid.to_owned()),
                _ => return Err(JoseError::Malformed("kid")),
            };
            Ok(Recipient {
                kid,
                encrypted_key: one.encrypted_key,
                epk: one.header.epk,
            })
        })
        .collect()
}

/// §5.1.10: the sender is in `skid`; when that is absent, in `apu`. Both must agree.
fn sender_kid(
    alg: KeyAlgorithm,
    skid: Option<&str>,
    apu: Option<&[u8]>,
) -> Result<Option<String>, JoseError> {
    if alg == KeyAlgorithm::EcdhEs {
        return Ok(None);
    }
    let apu = apu.ok_or(JoseError::Malformed("apu"))?;
    let apu = std::str::from_utf8(apu).map_err(|_| JoseError::Malformed("apu"))?;
    if skid.is_some_and(|skid| skid != apu) {
        return Err(JoseError::Inconsistent("apu"));
    }
    Ok(Some(apu.to_owned()))
}

fn optional_bytes(text: Option<&str>, what: &'static str) -> Result<Option<Vec<u8>>, JoseError> {
    text.map(|text| unbase64(text, what)).transpose()
}
