//! TLS for those who dial: whom to believe, and the connection.
//!
//! What is it: rustls over AWS-LC, the primitives that the rest of the product uses, with the
//! system's list of authorities or one that was given. Who calls it: `wss` here, `https` over there. What
//! can go wrong: a machine without a list of authorities, which `packmule doctor` tells; a server
//! whose certificate is not theirs, which is no answer. TLS hides who talks to whom from the
//! wire; what is said is protected by each message itself.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Duplex;

/// Authorities whose word about a server's name counts.
#[derive(Default)]
pub struct Trust {
    given: Option<RootCertStore>,
    /// Read when the first connection needs it.
    config: OnceLock<Arc<ClientConfig>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = if self.given.is_some() {
            "given"
        } else {
            "the system's"
        };
        f.debug_tuple("Trust").field(&whom).finish()
    }
}

impl Trust {
    /// Whom the system believes: its list of authorities, or that of the files which the
    /// environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// Only these authorities, as PEM.
    ///
    /// # Errors
    /// If there is none among the bytes.
    pub fn only(pem: &[u8]) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(invalid)?;
            roots.add(certificate).map_err(invalid)?;
        }
        if roots.is_empty() {
            return Err(invalid("there is no certificate in it"));
        }
        Ok(Self {
            given: Some(roots),
            config: OnceLock::new(),
        })
    }

    /// How many authorities are believed.
    ///
    /// # Errors
    /// If the system has no list that can be read.
    pub fn authorities(&self) -> io::Result<usize> {
        self.roots().map(|roots| roots.len())
    }

    fn roots(&self) -> io::Result<RootCertStore> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Some lists have entries that no library can read: the others count.
        let (believed, _) = roots.add_parsable_certificates(found.certs);
        if believed > 0 {
            return Ok(roots);
        }
        let why = found.errors.first().map(ToString::to_string);
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            why.unwrap_or_else(|| "the system has no list of authorities".to_owned()),
        ))
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }

    /// Puts TLS on a connection, and makes sure that the server there has this name.
    ///
    /// # Errors
    /// If it has not, or the handshake goes wrong otherwise. How long it may take is the caller's
    /// matter.
    pub async fn secure(&self, stream: TcpStream, host: &str) -> io::Result<Box<dyn Duplex>> {
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let connector = TlsConnector::from(self.config()?);
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

fn invalid(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}
