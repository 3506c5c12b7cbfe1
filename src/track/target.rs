//! Where runs go: what `--track` or MLFLOW_TRACKING_URI says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::TrackError;

/// A tracker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An MLflow server: its address without a slash at the end.
    Server(String),
    /// A folder in the layout of MLflow's file store.
    Folder(PathBuf),
}

impl FromStr for Target {
    type Err = TrackError;

    /// The error does not repeat an address that may hold a password.
    fn from_str(text: &str) -> Result<Self, TrackError> {
        let refused = |why: &str| Err(TrackError::Target(why.to_owned()));
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return if text.is_empty() {
                refused("no tracking server: give its address or a folder with --track, or set MLFLOW_TRACKING_URI")
            } else {
                Ok(Self::Folder(text.into()))
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let Some(rest) = rest.strip_prefix("//") else {
                    return refused("a server's address begins with http:// or https://");
                };
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                if authority.contains('@') {
                    return refused(
                        "no name or password in a tracking server's address: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
                    );
                }
                if authority.is_empty() || rest.contains(['?', '#', ' ']) || rest.chars().any(char::is_control) {
                    return refused("a tracking server's address is http://HOST:PORT or https://HOST/PATH");
                }
                Ok(Self::Server(format!("{}://{}", scheme.to_ascii_lowercase(), rest.trim_end_matches('/'))))
            }
            "file" => {
                let path = rest.strip_prefix("//localhost").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
                if path.starts_with('/') {
                    Ok(Self::Folder(path.into()))
                } else {
                    refused("a file: address names a folder from the root: file:///DIR")
                }
            }
            _ => Err(TrackError::Target(format!(
                "`{scheme}:` is no tracking server: start `mlflow server` with it as --backend-store-uri and give that server's address, or name a folder"
            ))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(base) => f.write_str(base),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_folders_are_told_apart() {
        let server = |text: &str| Target::Server(text.to_owned());
        let folder = |text: &str| Target::Folder(text.into());
        for (text, target) in [
            ("http://127.0.0.1:5000", server("http://127.0.0.1:5000")),
            ("HTTPS://ml.example/team/", server("https://ml.example/team")),
            ("runs", folder("runs")),
            ("./a:b", folder("./a:b")),
            ("file:///var/runs", folder("/var/runs")),
            ("file:/var/runs", folder("/var/runs")),
            ("file://localhost/var/runs", folder("/var/runs")),
        ] {
            assert_eq!(text.parse::<Target>().expect(text), target, "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_a_password_is_not_repeated() {
        for (text, words) in [
            ("", "--track"),
            ("http://", "http://HOST:PORT"),
            ("http://a/?q=1", "http://HOST:PORT"),
            ("http:a", "begins with"),
            ("file:a", "file:///DIR"),
            ("sqlite:///mlflow.db", "mlflow server"),
            ("databricks://profile", "mlflow server"),
            ("https://me:secret@ml.example/", "MLFLOW_TRACKING_PASSWORD"),
        ] {
            let error = text.parse::<Target>().expect_err(text).to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
