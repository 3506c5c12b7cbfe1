//! Flags of the commands that detect: which model, what is told, where to.

use std::path::Path;

use super::model_file;
use crate::alert::Limits;
use crate::config::Config;
use crate::evidence::Evidence;
use crate::features::Profile;
use crate::flow::{FlowPolicy, Lifecycle};
use crate::model::{self, Model};
use crate::pipeline::limits;

/// Reads a model artifact, or takes the one that is part of the program; checks that it can serve the profile.
pub(super) fn load_model(path: Option<&Path>, profile: Profile) -> anyhow::Result<Model> {
    let model = model_file::open(path)?;
    model.serves(profile)?;
    Ok(model)
}

/// The same, or a registry's model; `registry` is what `--track` says.
pub(super) fn find_model(path: Option<&Path>, registry: Option<&str>, profile: Profile) -> anyhow::Result<Model> {
    let model = model_file::find(path, registry)?;
    model.serves(profile)?;
    Ok(model)
}

/// The rules of flows that a configuration asks for.
pub(super) fn flow_policy(config: &Config) -> FlowPolicy {
    let flow = &config.flow;
    FlowPolicy {
        lifecycle: Lifecycle::Timed { idle_timeout: flow.idle_timeout, early_verdict: flow.early_verdict },
        active_timeout: flow.active_timeout,
        ..FlowPolicy::standard()
    }
}

/// The bound on live flows that a configuration asks for, else what fits.
pub(super) fn max_flows(config: &Config, profile: Profile) -> usize {
    config.flow.max_flows.unwrap_or_else(|| limits::default_max_flows(profile))
}

/// What the alert stage remembers.
pub(super) fn alert_limits(config: &Config) -> Limits {
    Limits {
        dedup_window: config.alert.dedup_window,
        longest_flow: config.flow.active_timeout + config.flow.active_timeout,
        ..Limits::default()
    }
}

/// The stage that looks at flows together, if the model has thresholds for it and the configuration does not forbid it.
pub(super) fn evidence(config: &Config, model: &Model, seed: u64) -> Option<Evidence> {
    config.alert.incidents.then(|| Evidence::of(model, seed)).flatten()
}

/// One line on what the model knows, for every run: traffic unlike it will look strange.
pub(super) fn introduce(model: &Model) -> String {
    let leaky = model::leaky_line(&model.leaky()).map(|line| format!("; {line}")).unwrap_or_default();
    format!(
        "model {} {} ({}): {}; traffic unlike that may look strange to it{leaky}",
        model.name(),
        model.version(),
        model.sha256().get(..12).unwrap_or_default(),
        model.trained_on().trim_end_matches('.'),
    )
}

/// A `LABEL=SCORE` pair.
pub(super) fn threshold(text: &str) -> Result<(String, f32), String> {
    let (label, score) = text.split_once('=').ok_or("write LABEL=SCORE, such as recon=0.8")?;
    let score: f32 = score.parse().map_err(|_| format!("`{score}` is no number"))?;
    if (0.0..=1.0).contains(&score) {
        Ok((label.to_owned(), score))
    } else {
        Err("a score lies between 0 and 1".into())
    }
}
