//! The server's own certificate.
//!
//! What is it: a chain and a key as PEM, to be replaced while the server runs. Who calls it:
//! whoever configures a server. What can go wrong: files that hold something else, or a key that
//! belongs to another certificate; then the old one stays.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate with its chain and key.
pub struct Certificate(Mutex<Arc<ServerConfig>>);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl Certificate {
    /// From PEM: the chain, its first certificate being the server's own, and the key.
    ///
    /// # Errors
    /// If they are not that, or do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> io::Result<Self> {
        read(chain, key).map(|config| Self(Mutex::new(config)))
    }

    /// From files with the same.
    ///
    /// # Errors
    /// As [`Self::from_pem`], and if a file cannot be read.
    pub fn from_files(chain: &Path, key: &Path) -> io::Result<Self> {
        Self::from_pem(&std::fs::read(chain)?, &std::fs::read(key)?)
    }

    /// Takes another one for the connections that come from now on.
    ///
    /// # Errors
    /// As [`Self::from_pem`]; the old one stays.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> io::Result<()> {
        let config = read(chain, key)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

fn read(chain: &[u8], key: &[u8]) -> io::Result<Arc<ServerConfig>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(invalid)?;
    if chain.is_empty() {
        return Err(invalid("there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(invalid)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(invalid)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(invalid)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn invalid(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}
