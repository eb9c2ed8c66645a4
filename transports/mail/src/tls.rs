//! TLS for those who dial mail servers: whom to believe, and who we are.
//!
//! What is it: rustls over AWS-LC, with the system's authorities or given ones, and a certificate
//! of our own where a server wants one. Who calls it: `dial`. What can go wrong: a machine without
//! authorities, which `packmule doctor` tells; a server whose certificate is not its own, whose
//! reason is told as rustls has it.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom we believe, and what we show.
#[derive(Default)]
pub struct Tls {
    roots: Option<RootCertStore>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// Made when the first connection needs it.
    config: OnceLock<Arc<ClientConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("given_authorities", &self.roots.is_some())
            .field("certificate", &self.own.is_some())
            .finish()
    }
}

impl Tls {
    /// Believes these authorities only, as PEM.
    ///
    /// # Errors
    /// If there is none among the bytes.
    pub fn believing(mut self, pem: &[u8]) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(invalid)?).map_err(invalid)?;
        }
        if roots.is_empty() {
            return Err(invalid("there is no certificate in it"));
        }
        self.roots = Some(roots);
        Ok(self)
    }

    /// Shows this certificate to servers that ask for one: its chain and its key, as PEM.
    ///
    /// # Errors
    /// If there is no certificate or no key among the bytes.
    pub fn showing(mut self, chain: &[u8], key: &[u8]) -> io::Result<Self> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(invalid)?;
        if chain.is_empty() {
            return Err(invalid("there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| invalid("there is no private key in it"))?;
        self.own = Some((chain, key));
        Ok(self)
    }

    /// How many authorities are believed.
    ///
    /// # Errors
    /// If the system has no list that can be read.
    pub fn authorities(&self) -> io::Result<usize> {
        self.roots().map(|roots| roots.len())
    }

    fn roots(&self) -> io::Result<RootCertStore> {
        if let Some(given) = &self.roots {
            return Ok(given.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Some lists have entries that no library can read: the others count.
        let (believed, _) = roots.add_parsable_certificates(found.certs);
        if believed > 0 {
            return Ok(roots);
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the system has no list of authorities (Debian: ca-certificates)",
        ))
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(self.roots()?);
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(invalid)?,
        };
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }

    /// Puts TLS on a connection, and makes sure that the server there has this name.
    pub(crate) async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let connector = TlsConnector::from(self.config()?);
        connector.connect(name, stream).await
    }
}

fn invalid(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}
