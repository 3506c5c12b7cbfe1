//! The model that a command works with: a file, or the one in the program.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};

use super::{Usage, tracking};
use crate::model::{MAX_BYTES, Model};
use crate::track::ModelReference;

/// Reads and checks a model file, or takes the model that is part of the program.
///
/// # Errors
/// Names the file and what is wrong with it.
pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Model> {
    match path {
        Some(path) => read(path),
        None => Model::embedded().context("the model that is part of this program cannot be used"),
    }
}

/// The same, or a model that a registry has by a name such as `models:/NAME@ALIAS`; `registry` is what `--track` says.
///
/// # Errors
/// Names the model and what is wrong with it.
pub(super) fn find(path: Option<&Path>, registry: Option<&str>) -> anyhow::Result<Model> {
    match path.and_then(Path::to_str).filter(|text| ModelReference::is_meant(text)) {
        Some(text) => tracking::registered(text, registry),
        None => open(path),
    }
}

/// Reads and checks a model file.
///
/// # Errors
/// Names the file and what is wrong with it.
pub(super) fn read(path: &Path) -> anyhow::Result<Model> {
    if path.to_str().is_some_and(ModelReference::is_meant) {
        let what = format!(
            "{}: this command takes files; `predict`, `evaluate`, `replay`, `serve` and `model inspect` take a registry's models",
            path.display()
        );
        return Err(Usage(what).into());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    if bytes.is_empty() {
        bail!("{}: an empty file is no model", path.display());
    }
    Model::from_bytes(&bytes).with_context(|| path.display().to_string())
}
