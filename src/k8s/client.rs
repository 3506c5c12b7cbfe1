//! One GET after another to the API server: HTTP/1.1 over TLS, with a bearer token.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::fault::Fault;
use super::{Credentials, Patience};

/// Where the API server is, and what one is known by there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    host: String,
    port: u16,
    server: ServerName<'static>,
    credentials: Credentials,
}

/// An address of an API server that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address of an API server: it is https://HOST:PORT, without a path")]
pub struct ApiError(String);

impl Api {
    /// An API server by its URL.
    ///
    /// # Errors
    /// It is not `https`, or has a path.
    pub fn at(url: &str, credentials: Credentials) -> Result<Self, ApiError> {
        let wrong = || ApiError(url.to_owned());
        let authority = url.strip_prefix("https://").ok_or_else(wrong)?.trim_end_matches('/');
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(443), |port| port.parse().map_err(|_| wrong()))?;
        Self::on(host, port, credentials).ok_or_else(wrong)
    }

    /// The API server that Kubernetes tells every pod of: what `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` hold.
    #[must_use]
    pub fn in_cluster(host: &str, port: &str, credentials: Credentials) -> Option<Self> {
        Self::on(host, port.parse().ok()?, credentials)
    }

    fn on(host: &str, port: u16, credentials: Credentials) -> Option<Self> {
        let server = ServerName::try_from(host.to_owned()).ok()?;
        Some(Self { host: host.to_owned(), port, server, credentials })
    }

    /// The port that is connected to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is a name, which must be looked up.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        matches!(self.server, ServerName::DnsName(_))
    }

    /// The files that are read, also when they are renewed.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.credentials.token_file, &self.credentials.ca_file].into_iter()
    }

    /// The host as it stands in a URL.
    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// A connection to the API server.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    api: Arc<Api>,
    patience: Patience,
    driver: tokio::task::JoinHandle<()>,
}

impl Connection {
    /// Connects, and checks that it is the cluster's server.
    pub(super) async fn open(api: &Arc<Api>, patience: Patience) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| Fault::Disconnected(error.to_string());
        let config = Arc::new(trust(&api.credentials.ca_file)?);
        let connecting = async {
            let tcp = TcpStream::connect((api.host.as_str(), api.port)).await.map_err(failed)?;
            tcp.set_nodelay(true).map_err(failed)?;
            notice_death(&tcp).map_err(failed)?;
            let tls = TlsConnector::from(config).connect(api.server.clone(), tcp).await.map_err(failed)?;
            Ok::<_, Fault>(handshake(TokioIo::new(tls)).await?)
        };
        let (sender, connection) = timeout(patience.connect, connecting).await.map_err(|_| Fault::Silent)??;
        // Its end shows in the answers.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, api: Arc::clone(api), patience, driver })
    }

    /// Asks for a path with its query.
    pub(super) async fn get(&mut self, path: &str) -> Result<Body, Fault> {
        let Credentials { token_file, .. } = &self.api.credentials;
        let unusable = |error| Fault::Credentials { path: token_file.display().to_string(), error };
        let token = std::fs::read_to_string(token_file).map_err(unusable)?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| unusable(std::io::Error::other("it holds no token")))?;
        bearer.set_sensitive(true);
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(HOST, self.api.authority())
            .header(USER_AGENT, concat!("flowshrike/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, bearer)
            .body(Empty::new())
            .map_err(|error| Fault::Disconnected(error.to_string()))?;
        let asking = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let answer = timeout(self.patience.answer, asking).await.map_err(|_| Fault::Silent)??;
        match answer.status().as_u16() {
            200 => Ok(Body { body: answer.into_body(), rest: VecDeque::new() }),
            code => Err(Fault::of_status(code)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer as it comes.
pub(super) struct Body {
    body: Incoming,
    /// What has come and was not yet taken.
    rest: VecDeque<u8>,
}

impl Body {
    /// All of it, of at most so many bytes.
    pub(super) async fn whole(mut self, silence: Duration, most: usize) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(silence).await? {
            if whole.len() + piece.len() > most {
                return Err(Fault::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// The next line, without its end; none at the end of the answer.
    pub(super) async fn line(&mut self, silence: Duration, most: usize) -> Result<Option<Vec<u8>>, Fault> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.rest.iter().skip(looked).position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=looked + end).collect();
                return Ok(Some(line));
            }
            looked = self.rest.len();
            if looked > most {
                return Err(Fault::TooLarge);
            }
            match self.piece(silence).await? {
                Some(piece) => self.rest.extend(piece),
                None if self.rest.is_empty() => return Ok(None),
                None => return Err(Fault::Disconnected("it ends amid a line".to_owned())),
            }
        }
    }

    async fn piece(&mut self, silence: Duration) -> Result<Option<Bytes>, Fault> {
        loop {
            match timeout(silence, self.body.frame()).await.map_err(|_| Fault::Silent)? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// Trust in the cluster's own authority, and in no other.
fn trust(ca_file: &PathBuf) -> Result<ClientConfig, Fault> {
    let unusable = |error| Fault::Credentials { path: ca_file.display().to_string(), error };
    let text = std::fs::read(ca_file).map_err(unusable)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| unusable(std::io::Error::other(error.to_string())))?;
        roots.add(certificate).map_err(|error| unusable(std::io::Error::other(error)))?;
    }
    if roots.is_empty() {
        return Err(unusable(std::io::Error::other("it holds no certificate")));
    }
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|error| unusable(std::io::Error::other(error)))
}

/// A watch may be silent for minutes: the kernel asks whether the other side is still there.
fn notice_death(tcp: &TcpStream) -> std::io::Result<()> {
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(tcp, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(tcp, 3)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Option<(String, u16, String)> {
        let credentials = Credentials { token_file: "t".into(), ca_file: "c".into() };
        let api = Api::at(url, credentials).ok()?;
        Some((api.host.clone(), api.port, api.authority()))
    }

    #[test]
    fn urls_of_api_servers() {
        for (url, expected) in [
            ("https://10.96.0.1", Some(("10.96.0.1", 443, "10.96.0.1:443"))),
            ("https://api.example:6443/", Some(("api.example", 6443, "api.example:6443"))),
            ("https://[fd00::1]:6443", Some(("fd00::1", 6443, "[fd00::1]:6443"))),
            ("https://[fd00::1]", Some(("fd00::1", 443, "[fd00::1]:443"))),
            ("http://10.96.0.1", None),
            ("https://10.96.0.1:70000", None),
            ("https://host/path", None),
            ("https://[fd00::1]x", None),
            ("https://", None),
        ] {
            let expected = expected.map(|(host, port, authority)| (host.to_owned(), port, authority.to_owned()));
            assert_eq!(at(url), expected, "{url}");
        }
    }
}
