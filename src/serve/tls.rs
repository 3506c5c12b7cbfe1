//! TLS for a server: a certificate chain and its key, as PEM files that may be renewed while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::reread::{Reread, RereadError, read_small, wrong};

/// The certificate and key of a server: TLS 1.2 and 1.3. Renewed files are in use from the next connection on.
#[derive(Debug)]
pub struct Tls(Reread<Arc<ServerConfig>>);

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its private key (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    /// A file that cannot be read or holds something else, or a key of another certificate.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, RereadError> {
        Reread::new(vec![certificate.to_owned(), key.to_owned()], settings).map(Self)
    }

    /// What the next connection is accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.get())
    }
}

fn settings(files: &[PathBuf]) -> Result<Arc<ServerConfig>, RereadError> {
    let [certificate, key] = files else { return Err(wrong(Path::new(""), "a certificate and a key are needed")) };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read_small(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(certificate, format!("not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "no certificate in it: it should begin with -----BEGIN CERTIFICATE-----"));
    }
    let private = PrivateKeyDer::from_pem_slice(&read_small(key)?)
        .map_err(|error| wrong(key, format!("no private key in PEM: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| wrong(key, format!("not usable with {}: {error}", certificate.display())))?;
    Ok(Arc::new(settings))
}
