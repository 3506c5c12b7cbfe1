//! What a command's figures must keep to: the gate of `evaluate` and `model verify`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;

use crate::train::gate::{Requirement, hold, requirements};

/// Flags of commands that hold figures against bounds.
#[derive(Debug, clap::Args)]
pub(super) struct GateArgs {
    /// Fail (exit code 1) if a figure is beyond a bound, for example 'evaluation.macro_f1 >= 0.9'; names are those of --metrics and of
    /// a model's card; may be given several times
    #[arg(long, value_name = "BOUND")]
    require: Vec<Requirement>,
    /// The same from a file of such lines, of which this command takes those that are of its figures
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
}

/// The bounds that were asked for; none asks nothing.
pub(super) struct Gate(Vec<Requirement>);

impl GateArgs {
    /// The bounds, read before the figures are reckoned.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn read(&self) -> anyhow::Result<Gate> {
        let mut asked = self.require.clone();
        if let Some(path) = &self.gate {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let bounds = requirements(&text).with_context(|| path.display().to_string())?;
            anyhow::ensure!(!bounds.is_empty(), "{}: no bounds", path.display());
            asked.extend(bounds);
        }
        Ok(Gate(asked))
    }
}

impl Gate {
    /// Holds figures, whose names begin with `prefix`, against the bounds; says to stderr how many were kept.
    ///
    /// # Errors
    /// Which bounds were not kept.
    pub(super) fn hold(&self, prefix: &'static str, figures: &BTreeMap<String, f64>) -> anyhow::Result<()> {
        if !self.0.is_empty() {
            let kept = hold(&self.0, prefix, figures).context("the gate stays shut")?;
            eprintln!("gate      open: {kept} of {kept} bounds kept");
        }
        Ok(())
    }
}
