//! Why following the API was interrupted.

use std::io;

/// Why a list or a watch ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The time that it was asked for is over.
    #[error("the watch has ended")]
    Ended,
    /// The server no longer knows what has changed since: all is listed anew.
    #[error("the server has forgotten what has changed since")]
    Expired,
    #[error("the API refuses ({0}): the account needs list and watch of pods and services, in all namespaces")]
    Denied(u16),
    #[error("the API answers with status {0}")]
    Status(u16),
    #[error("nothing comes from the API")]
    Silent,
    #[error("the connection failed: {0}")]
    Disconnected(String),
    #[error("what the API sends cannot be read: {0}")]
    Garbage(String),
    #[error("what the API sends is too large")]
    TooLarge,
    #[error("{path} cannot be used: {error}")]
    Credentials { path: String, error: io::Error },
}

impl Fault {
    /// All reasons, as labels of a metric.
    pub(super) const REASONS: [&'static str; 9] =
        ["ended", "expired", "denied", "status", "silent", "disconnected", "garbage", "too_large", "credentials"];

    /// The reason as a label of a metric.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Denied(_) => "denied",
            Self::Status(_) => "status",
            Self::Silent => "silent",
            Self::Disconnected(_) => "disconnected",
            Self::Garbage(_) => "garbage",
            Self::TooLarge => "too_large",
            Self::Credentials { .. } => "credentials",
        }
    }

    /// What a status other than 200 means.
    pub(super) const fn of_status(code: u16) -> Self {
        match code {
            401 | 403 => Self::Denied(code),
            410 => Self::Expired,
            _ => Self::Status(code),
        }
    }
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Self {
        // hyper's own text leaves out what lies beneath.
        let beneath = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::Disconnected(format!("{error}{beneath}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_among_the_labels() {
        let faults = [
            Fault::Ended,
            Fault::of_status(410),
            Fault::of_status(403),
            Fault::of_status(500),
            Fault::Silent,
            Fault::Disconnected(String::new()),
            Fault::Garbage(String::new()),
            Fault::TooLarge,
            Fault::Credentials { path: String::new(), error: io::Error::other("x") },
        ];
        assert_eq!(faults.map(|fault| fault.reason()), Fault::REASONS);
    }
}
