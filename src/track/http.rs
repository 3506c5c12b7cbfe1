//! Requests to a tracking server: bounded in time, size and number of attempts, and without a redirect, so that what proves who asks
//! goes to that server only.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

use super::TrackError;

/// How a server is spoken to: what MLflow's clients read of the environment.
#[derive(Clone, Default)]
pub struct Access {
    /// Goes before the token, with the password.
    pub username: Option<String>,
    /// With the name.
    pub password: Option<String>,
    /// A bearer token.
    pub token: Option<String>,
    /// Certificates that are trusted in place of Mozilla's.
    pub certificates: Option<PathBuf>,
    /// How long a request may take.
    pub timeout: Option<Duration>,
}

impl Access {
    /// From variables by their name.
    pub fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = |name: &str| variable(name).filter(|value| !value.is_empty());
        let seconds = said("MLFLOW_HTTP_REQUEST_TIMEOUT").and_then(|value| value.parse().ok());
        Self {
            username: said("MLFLOW_TRACKING_USERNAME"),
            password: said("MLFLOW_TRACKING_PASSWORD"),
            token: said("MLFLOW_TRACKING_TOKEN"),
            certificates: said("MLFLOW_TRACKING_SERVER_CERT_PATH").map(PathBuf::from),
            timeout: seconds.filter(|&seconds| (1..=3_600).contains(&seconds)).map(Duration::from_secs),
        }
    }

    /// The header's value: a name with its password goes before a token, as in MLflow's own client.
    fn authorization(&self) -> Option<String> {
        match (&self.username, &self.password, &self.token) {
            (Some(name), Some(password), _) => Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))),
            (_, _, Some(token)) => Some(format!("Bearer {token}")),
            _ => None,
        }
    }
}

impl fmt::Debug for Access {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("certificates", &self.certificates)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A server that is asked.
pub(super) struct Client {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(base: String, access: &Access) -> Result<Self, TrackError> {
        let roots = access.certificates.as_deref().map(certificates).transpose()?;
        let mut tls = TlsConfig::builder();
        if let Some(roots) = roots {
            tls = tls.root_certs(RootCerts::from(roots));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(access.timeout.unwrap_or(REQUEST)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("flowshrike/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, base, authorization: access.authorization() })
    }

    /// Asks for JSON.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, TrackError> {
        retrying(|| json(self.send("GET", path, query, None, "")?))
    }

    /// Asks for bytes, at most so many.
    pub(super) fn get_bytes(&self, path: &str, most: usize) -> Result<Vec<u8>, TrackError> {
        retrying(|| bytes(self.send("GET", path, &[], None, "")?, most))
    }

    /// Says something that may be said twice.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, TrackError> {
        retrying(|| self.post_once(path, body))
    }

    /// Says something that must not be said twice.
    pub(super) fn post_once(&self, path: &str, body: &Value) -> Result<Value, TrackError> {
        json(self.send("POST", path, &[], Some(body.to_string().as_bytes()), "application/json")?)
    }

    /// Puts a file. MLflow answers that with nothing, or with an empty object.
    pub(super) fn put(&self, path: &str, content: &[u8]) -> Result<(), TrackError> {
        retrying(|| {
            let answer = self.send("PUT", path, &[], Some(content), "application/octet-stream")?;
            let said = bytes(answer, ANSWER)?;
            if said.is_empty() { Ok(()) } else { object(&said).map(drop) }
        })
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        content: Option<&[u8]>,
        media: &str,
    ) -> Result<Answer, TrackError> {
        let mut request = ureq::http::Request::builder().method(method).uri(self.address(path, query));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if content.is_some() {
            request = request.header("content-type", media);
        }
        // The error would repeat the header's value.
        let unfit = |_| {
            TrackError::Target("the address or what MLFLOW_TRACKING_TOKEN holds cannot be part of a request".to_owned())
        };
        let answer = match content {
            Some(content) => self.agent.run(request.body(content).map_err(unfit)?),
            None => self.agent.run(request.body(SendBody::none()).map_err(unfit)?),
        };
        answer.map_err(failed)
    }

    fn address(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut address = format!("{}/{path}", self.base);
        for (at, (key, value)) in query.iter().enumerate() {
            address.push(if at == 0 { '?' } else { '&' });
            address += key;
            address.push('=');
            address += &escaped(value);
        }
        address
    }
}

/// A path's part or a query's value.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// What a server answers.
type Answer = ureq::http::Response<Body>;

/// Asks again, a few times and after a while, where that may help.
pub(super) fn retrying<T>(mut ask: impl FnMut() -> Result<T, TrackError>) -> Result<T, TrackError> {
    for wait in WAITS {
        match ask() {
            Err(error) if error.is_passing() => thread::sleep(wait),
            outcome => return outcome,
        }
    }
    ask()
}

fn json(answer: Answer) -> Result<Value, TrackError> {
    object(&bytes(answer, ANSWER)?)
}

fn object(content: &[u8]) -> Result<Value, TrackError> {
    match serde_json::from_slice(content) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(TrackError::Answer(format!("`{}` is no JSON object", shown(content)))),
    }
}

/// The body of an answer that says yes.
fn bytes(mut answer: Answer, most: usize) -> Result<Vec<u8>, TrackError> {
    let status = answer.status().as_u16();
    let content = answer.body_mut().with_config().limit(most as u64).read_to_vec();
    if (200..300).contains(&status) {
        return content.map_err(failed);
    }
    let content = content.unwrap_or_default();
    let told: Value = serde_json::from_slice(&content).unwrap_or_default();
    let part = |key: &str| told.get(key).and_then(Value::as_str);
    let code = part("error_code").unwrap_or_default().to_owned();
    let message = match status {
        300..=399 => "it sends elsewhere; give the address that it means".to_owned(),
        401 | 403 => "not allowed; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            .to_owned(),
        _ => shown(part("message").map_or(content.as_slice(), str::as_bytes)),
    };
    Err(TrackError::Refused { status, code, message })
}

fn failed(error: ureq::Error) -> TrackError {
    match error {
        ureq::Error::Timeout(what) => TrackError::TimedOut(what.to_string()),
        ureq::Error::Io(error) => TrackError::Unreachable(error.to_string()),
        ureq::Error::HostNotFound => TrackError::Unreachable("no such host".to_owned()),
        ureq::Error::ConnectionFailed => TrackError::Unreachable("no connection".to_owned()),
        ureq::Error::BodyExceedsLimit(most) => TrackError::Answer(format!("more than {most} bytes")),
        ureq::Error::Protocol(error) => TrackError::Answer(error.to_string()),
        other => TrackError::Unreachable(other.to_string()),
    }
}

/// What a server said, as a piece of one line.
fn shown(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content.get(..SHOWN).unwrap_or(content));
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, TrackError> {
    let pem = std::fs::read(path).map_err(TrackError::file(path))?;
    let none = || TrackError::Target(format!("{}: no certificates in PEM", path.display()));
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| none())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// A server on another continent answers the first packet well within this.
const CONNECT: Duration = Duration::from_secs(5);
/// A model of some megabytes over a slow line; a server that hangs holds a command up once for as long.
const REQUEST: Duration = Duration::from_secs(60);
/// Between attempts: a server that is being restarted is back by then, or not soon.
const WAITS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(1_000)];
/// Bytes of an answer in JSON.
const ANSWER: usize = 4 << 20;
/// Bytes of an answer that an error repeats.
const SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_in_the_header_and_in_no_debug_text() {
        let access = |name: &str, password: &str, token: &str| {
            let of = [("USERNAME", name), ("PASSWORD", password), ("TOKEN", token)];
            let find = |key: &str| of.iter().find(|(suffix, _)| key == format!("MLFLOW_TRACKING_{suffix}"));
            Access::of_variables(|key| find(key).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(access("me", "secret", "t").authorization().as_deref(), Some("Basic bWU6c2VjcmV0"));
        assert_eq!(access("me", "", "secret").authorization().as_deref(), Some("Bearer secret"));
        assert_eq!(access("", "", "").authorization(), None);
        let all = access("me", "secret", "secret");
        let client = Client::new("http://127.0.0.1:1".to_owned(), &all).expect("a client");
        assert!(!format!("{all:?} {client:?}").contains("secret"));
    }

    #[test]
    fn a_query_keeps_its_shape_whatever_is_asked_for() {
        let client = Client::new("http://h".to_owned(), &Access::default()).expect("a client");
        assert_eq!(client.address("a/b", &[("q", "x&y=z é"), ("r", "~")]), "http://h/a/b?q=x%26y%3Dz%20%C3%A9&r=~");
    }
}
