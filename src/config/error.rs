//! What is wrong with a configuration: one line that names the place, the key and the way out.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the program's own default.
    Default,
    /// In the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
    },
    /// In an environment variable.
    Variable(String),
    /// On the command line.
    Flag(&'static str),
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no YAML, or not of the shape `section: {key: value}`.
    #[error("{origin}: {message}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What is wrong.
        message: String,
    },
    /// There is no such key.
    #[error("{origin}: unknown key `{key}`{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// What was written.
        key: String,
        /// The known key most like it.
        nearest: Option<String>,
    },
    /// The value does not fit the key.
    #[error("{origin}: {key}: {message}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// What is wrong, with what is allowed.
        message: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; docs/configuration.md lists the known keys".to_owned(),
        |nearest| format!("; did you mean `{nearest}`?"),
    )
}
