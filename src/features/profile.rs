//! The two readings of a flow: `cic` for data sets and proofs, `standard` for the daemon.

use std::fmt;
use std::str::FromStr;

use crate::flow::FlowPolicy;
use crate::packet::Reading;

/// Which reading of FEATURES.md a meter follows; chosen once, when it is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The reference's columns and flow boundaries, quirks included; offline only.
    Cic,
    /// The same columns with the quirks mended; what the daemon runs.
    #[default]
    Standard,
}

impl Profile {
    /// How packets are read.
    #[must_use]
    pub const fn reading(self) -> Reading {
        match self {
            Self::Cic => Reading::Reference,
            Self::Standard => Reading::Standard,
        }
    }

    /// How flows begin and end.
    #[must_use]
    pub const fn flow_policy(self) -> FlowPolicy {
        match self {
            Self::Cic => FlowPolicy::reference(),
            Self::Standard => FlowPolicy::standard(),
        }
    }

    /// The name on the command line and in artifacts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cic => "cic",
            Self::Standard => "standard",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No profile has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile `{0}`: it is `standard` or `cic`")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "cic" => Ok(Self::Cic),
            "standard" => Ok(Self::Standard),
            other => Err(UnknownProfile(other.to_owned())),
        }
    }
}
