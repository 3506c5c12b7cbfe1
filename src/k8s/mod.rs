//! Names of addresses by the Kubernetes API: lists and watches pods and services, and tells the alert stage who is who.
//!
//! [`Watcher`] runs on a thread of its own and fills [`Names`], which is the alerts' [`crate::alert::Directory`]. The client speaks
//! HTTP/1.1 over TLS to one host, with the service account's token, trusting the CA that it is given and no other; it only ever
//! sends GET. Without the API the daemon works as before, and alerts say what the names in them are worth.

mod client;
mod fault;
mod names;
mod object;
mod owner;
mod store;
mod watch;
mod watcher;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use client::{Api, ApiError};
pub use names::Names;
pub use watcher::Watcher;

use crate::time::Micros;

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is.
    pub api: Api,
    /// The node whose pods are watched; all pods without one.
    pub node: Option<String>,
    /// Keys of pods' labels that alerts show.
    pub labels: Vec<String>,
    /// Bound on pods and services together.
    pub max_objects: usize,
    /// How long a pod's names outlive it.
    pub grace: Micros,
    /// How long is waited for what.
    pub patience: Patience,
}

/// The files that a service account is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The token; read anew for each request, for it is renewed in place.
    pub token_file: PathBuf,
    /// Certificates of the cluster's own authority, PEM; read anew for each connection.
    pub ca_file: PathBuf,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, its TLS included.
    pub connect: Duration,
    /// For an answer's head, and for each further piece of a list.
    pub answer: Duration,
    /// How long a watch is asked to last, in whole seconds; it gets `answer` more before it counts as silent.
    pub watch: Duration,
    /// Between tries, at first; twice as long after each that fails.
    pub retry_first: Duration,
    /// Between tries, at most.
    pub retry_most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // A large cluster's API server may take some seconds for a page when it is busy.
            answer: Duration::from_secs(30),
            // Bookmarks come about once a minute; a watch that ends now and then finds another API server after one has gone.
            watch: Duration::from_secs(290),
            retry_first: Duration::from_millis(500),
            // All nodes of a cluster ask again after an outage, within this time of each other.
            retry_most: Duration::from_secs(30),
        }
    }
}

/// Now, by the clock that packets are stamped by.
#[expect(clippy::disallowed_methods, reason = "an edge: when a pod went is held against when flows began")]
fn wall_clock() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
