//! packmule's agent behind the foreign peers' trait.

use packmule_agent::did::{DidDoc, did_of};
use packmule_agent::jose::ContentEncryption;
use packmule_agent::keys::{Curve, Keyring};
use packmule_agent::pack::{Jose, Limits, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use packmule_interop_foreign::{Parties, Peer, Plan, Read, Refusal};
use serde_json::Value;

/// A [`Packer`] with everybody's documents and keys.
pub struct Ours {
    packer: Box<dyn Packer>,
    docs: Vec<DidDoc>,
    book: DocBook,
    keys: Keyring,
}

impl Ours {
    /// The product's own packer.
    #[must_use]
    pub fn new(parties: &Parties) -> Self {
        Self::with(Box::new(Jose), parties)
    }

    /// Any packer behind the agent's trait.
    ///
    /// # Panics
    /// If the agent cannot read the parties' documents or keys.
    #[must_use]
    pub fn with(packer: Box<dyn Packer>, parties: &Parties) -> Self {
        let read = |doc: &Value| DidDoc::from_json(doc).expect("a document of the fixtures");
        let docs: Vec<DidDoc> = parties.docs().iter().map(read).collect();
        let secrets = Value::Object(parties.secrets().clone());
        let keys = Keyring::from_secrets_json(&secrets).expect("the keys of the fixtures");
        let book = book_of(docs.clone());
        Self {
            packer,
            docs,
            book,
            keys,
        }
    }

    /// The documents as `plan` wants them seen. The agent chooses keys by itself, from the
    /// documents; a plan that names keys gets documents with just those.
    fn book_for(&self, plan: &Plan) -> DocBook {
        let sender_curve = plan.from.as_deref().and_then(|kid| self.curve(kid));
        let docs = self.docs.iter().cloned().map(|mut doc| {
            if let Some(kid) = plan.from.as_deref().filter(|kid| did_of(kid) == doc.id) {
                doc.key_agreement.retain(|id| id == kid);
            }
            if let Some(kid) = plan.sign.as_deref().filter(|kid| did_of(kid) == doc.id) {
                doc.authentication.retain(|id| id == kid);
            }
            match plan.to.as_deref() {
                Some(kid) if did_of(kid) == doc.id && kid.contains('#') => {
                    doc.key_agreement.retain(|id| id == kid);
                }
                Some(did) if did == doc.id => {
                    doc.key_agreement
                        .retain(|id| self.curve(id) == sender_curve);
                }
                _ => {}
            }
            doc
        });
        book_of(docs)
    }

    fn curve(&self, kid: &str) -> Option<Curve> {
        self.keys.get(kid).map(|key| key.curve())
    }
}

/// A plan in the agent's words, with the documents that make it choose the plan's keys.
pub struct Prepared {
    plan: PackPlan,
    book: DocBook,
}

impl Ours {
    /// Puts `plan` into the agent's words.
    #[must_use]
    pub fn prepare(&self, plan: &Plan) -> Prepared {
        let wanted = PackPlan {
            to: plan.to.iter().map(|kid| did_of(kid).to_owned()).collect(),
            from: plan.from.as_deref().map(|kid| did_of(kid).to_owned()),
            sign: plan.sign.clone(),
            hide_sender: plan.hide_sender,
            enc_anon: match plan.enc.as_deref() {
                Some("A256GCM") => ContentEncryption::A256Gcm,
                Some("XC20P") => ContentEncryption::Xc20p,
                _ => ContentEncryption::A256CbcHs512,
            },
        };
        Prepared {
            plan: wanted,
            book: self.book_for(plan),
        }
    }

    /// Packs a plaintext message into exactly one packed message.
    ///
    /// # Errors
    /// The agent's words.
    pub fn pack_bytes(&self, plaintext: &[u8], how: &Prepared) -> Result<String, Refusal> {
        let mut packed = self
            .packer
            .pack(plaintext, &how.plan, &self.keys, &how.book)
            .map_err(Refusal::from_error)?;
        match (packed.pop(), packed.pop()) {
            (Some(one), None) => String::from_utf8(one).map_err(Refusal::from_error),
            _ => Err(Refusal("not exactly one packed message".into())),
        }
    }
}

impl Peer for Ours {
    fn pack(&self, message: &Value, plan: &Plan) -> Result<String, Refusal> {
        self.pack_bytes(message.to_string().as_bytes(), &self.prepare(plan))
    }

    fn unpack(&self, packed: &str) -> Result<Read, Refusal> {
        let opened = self
            .packer
            .open(
                packed.as_bytes(),
                &self.keys,
                &self.book,
                &Limits::default(),
            )
            .map_err(Refusal::from_error)?;
        Ok(Read {
            message: opened.message,
            sender_kid: opened.sender_kid,
            signer_kid: opened.signed_by,
        })
    }
}

fn book_of(docs: impl IntoIterator<Item = DidDoc>) -> DocBook {
    let mut book = DocBook::new();
    for doc in docs {
        book.insert(doc);
    }
    book
}
