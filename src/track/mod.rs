//! Records of runs, to where experiments are kept: an MLflow server, or a folder in the layout of MLflow's file store.
//!
//! The commands call [`Tracker::push`] with what `train::tracking` made of a run, and [`Tracker::model`] for a model that a registry
//! knows. [`Spool`] keeps a record until it has arrived. Which runs are tracked, and what is said of it, is the commands' business.

mod error;
mod folder;
mod folder_registry;
mod http;
mod reference;
mod server;
mod server_registry;
mod spool;
mod target;

use crate::train::tracking::{Registration, TrackedRun};

pub use error::TrackError;
pub use http::Access;
pub use reference::{ModelReference, Which};
pub use spool::{Kept, MOST_RECORDS, Spool};
pub use target::Target;

use folder::Folder;
use server::Server;

/// Where runs are kept, ready to be asked.
#[derive(Debug)]
pub struct Tracker(Backend);

#[derive(Debug)]
enum Backend {
    Server(Server),
    Folder(Folder),
}

/// What became of a run that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The tracker's own name of the run.
    pub run_id: String,
    /// Whether it had the run whole before.
    pub was_there: bool,
    /// The registered model's new version, if it was to be registered.
    pub version: Option<String>,
}

impl Tracker {
    /// Makes ready; nothing is sent or written yet.
    ///
    /// # Errors
    /// If the certificate that is to be trusted cannot be read.
    pub fn new(target: Target, access: &Access) -> Result<Self, TrackError> {
        Ok(Self(match target {
            Target::Server(base) => Backend::Server(Server::new(base, access)?),
            Target::Folder(path) => Backend::Folder(Folder::new(path)),
        }))
    }

    /// Whether a registry takes the names of an entry.
    ///
    /// # Errors
    /// Which name it would not take.
    pub fn check(registration: &Registration) -> Result<(), TrackError> {
        reference::check(registration)
    }

    /// Makes the run, all of its content, and its model's entry. One that is there already is not made twice; one that is there in part
    /// is made whole.
    ///
    /// # Errors
    /// Why the run is not there, or not whole.
    pub fn push(&self, run: &TrackedRun) -> Result<Pushed, TrackError> {
        match &self.0 {
            Backend::Server(server) => server.push(run),
            Backend::Folder(folder) => folder.push(run),
        }
    }

    /// The file of a registered model, not checked.
    ///
    /// # Errors
    /// If there is no such model, or it cannot be had.
    pub fn model(&self, reference: &ModelReference) -> Result<Vec<u8>, TrackError> {
        match &self.0 {
            Backend::Server(server) => server.model(reference),
            Backend::Folder(folder) => folder.model(reference),
        }
    }
}
