//! Flags of commands whose runs are recorded, and of those that take a registry's models; what becomes of a record.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};

use super::Usage;
use crate::model::Model;
use crate::track::{Access, Kept, ModelReference, Pushed, Spool, Target, TrackError, Tracker};
use crate::train::tracking::{Occasion, Registration, TrackedRun};

/// Flags of every command that can leave a record.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Experiment tracking")]
pub(super) struct TrackArgs {
    /// Record the run: parameters, figures, tags, plots, report. URI is an MLflow server, as http://HOST:PORT, or a folder;
    /// without one, MLFLOW_TRACKING_URI says it (docs/track.md)
    #[arg(long, value_name = "URI", num_args = 0..=1, default_missing_value = "")]
    track: Option<String>,
    /// The experiment that the run is part of [default: MLFLOW_EXPERIMENT_NAME, else flowshrike]
    #[arg(long, value_name = "NAME", requires = "track")]
    track_experiment: Option<String>,
    /// What the run is called [default: the model's name and version]
    #[arg(long, value_name = "NAME", requires = "track")]
    track_name: Option<String>,
    /// Where a record waits that cannot be sent now, for `flowshrike track push` [default: flowshrike-spool beside the output,
    /// or here]
    #[arg(long, value_name = "DIR", requires = "track")]
    track_spool: Option<PathBuf>,
}

/// Flags of a command that makes a model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Experiment tracking")]
pub(super) struct RegisterArgs {
    /// Enter the model in the tracker's registry, as a new version of NAME
    #[arg(long, value_name = "NAME", requires = "track")]
    register: Option<String>,
    /// What the new version is then called, such as champion; may be given several times
    #[arg(long, value_name = "ALIAS", requires = "register")]
    alias: Vec<String>,
}

/// The flag of a command that takes a registry's models.
#[derive(Debug, clap::Args)]
pub(super) struct RegistryArgs {
    /// Where a model's name such as models:/NAME@ALIAS or models:/NAME/VERSION is looked up: an MLflow server or a folder
    /// [default: what MLFLOW_TRACKING_URI says]
    #[arg(long, value_name = "URI")]
    track: Option<String>,
}

/// A run that is to be recorded.
#[derive(Debug)]
pub(super) struct Plan {
    target: Target,
    tracker: Tracker,
    spool: Spool,
    occasion: Occasion,
}

impl TrackArgs {
    /// Where the run's record goes, if it is wanted; what can be wrong with that is said before the work begins.
    ///
    /// # Errors
    /// If the address, or a name, cannot be meant, or the spool has no room.
    pub(super) fn plan(
        &self,
        command: &'static str,
        registration: Option<Registration>,
        beside: Option<&Path>,
    ) -> anyhow::Result<Option<Plan>> {
        let Some(uri) = &self.track else { return Ok(None) };
        let target = target(Some(uri))?;
        let tracker = Tracker::new(target.clone(), &access())?;
        let folder = beside.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let spool = Spool::new(self.track_spool.clone().unwrap_or_else(|| folder.join(SPOOL)));
        spool.check()?;
        let experiment = self.track_experiment.clone().or_else(|| variable("MLFLOW_EXPERIMENT_NAME"));
        if experiment.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Err(Usage("an experiment needs a name: --track-experiment NAME".to_owned()).into());
        }
        let started = now();
        let occasion = Occasion {
            command,
            experiment: experiment.unwrap_or_else(|| EXPERIMENT.to_owned()),
            name: self.track_name.clone(),
            started,
            ended: started,
            nonce: nonce(),
            commit: commit(),
            registration,
        };
        Ok(Some(Plan { target, tracker, spool, occasion }))
    }

    /// What `--track` says, for models of a registry.
    pub(super) fn uri(&self) -> Option<&str> {
        self.track.as_deref()
    }
}

impl RegisterArgs {
    /// The entry that is asked for.
    ///
    /// # Errors
    /// If a registry would not take a name.
    pub(super) fn registration(&self) -> Result<Option<Registration>, Usage> {
        let of = |model: &String| Registration { model: model.clone(), aliases: self.alias.clone() };
        let registration = self.register.as_ref().map(of);
        if let Some(registration) = &registration {
            Tracker::check(registration).map_err(|error| Usage(error.to_string()))?;
        }
        Ok(registration)
    }
}

impl RegistryArgs {
    /// What `--track` says.
    pub(super) fn uri(&self) -> Option<&str> {
        self.track.as_deref()
    }
}

impl Plan {
    /// The occasion of a run that ends now.
    pub(super) fn occasion(&self) -> Occasion {
        Occasion { ended: now().max(self.occasion.started), ..self.occasion.clone() }
    }

    /// Sends a record. One that cannot be sent is kept, which is no failure; it is kept before it is sent, so that the end of this
    /// process does not lose it either.
    ///
    /// # Errors
    /// If it can neither be sent nor kept.
    pub(super) fn send(&self, run: &TrackedRun) -> anyhow::Result<()> {
        let kept = self.spool.keep(run);
        match self.tracker.push(run) {
            Ok(pushed) => {
                eprintln!("tracked   {}", told(&run.record.name, &self.target, run, &pushed));
                if let Ok(kept) = kept {
                    // Sent again it would not be made twice.
                    kept.remove().unwrap_or_else(|error| eprintln!("note      {error}"));
                    self.spool.tidy();
                }
                Ok(())
            }
            Err(error) => {
                let kept = kept.with_context(|| format!("{} {error}, and the record cannot be kept", self.target))?;
                eprintln!(
                    "warning   {} {error}; the record is kept in {}: `flowshrike track push {} --track {}` sends it",
                    self.target,
                    kept.path().display(),
                    self.spool.path().display(),
                    self.target
                );
                Ok(())
            }
        }
    }
}

/// Sends what waits in a spool, oldest first, and stops where the tracker is away.
///
/// # Errors
/// If a record did not arrive.
pub(super) fn push(spool: &Spool, uri: Option<&str>) -> anyhow::Result<()> {
    let target = target(uri)?;
    let tracker = Tracker::new(target.clone(), &access())?;
    let records = spool.records()?;
    if records.is_empty() {
        eprintln!("nothing waits in {}", spool.path().display());
        return Ok(());
    }
    let mut left = 0_usize;
    for (at, path) in records.iter().enumerate() {
        let Some(kept) = spool.take(path)? else {
            eprintln!("note      {}: another process sends it", path.display());
            continue;
        };
        match send_kept(&tracker, &target, kept) {
            Ok(line) => println!("{line}"),
            Err(error) => {
                left = left.saturating_add(1);
                eprintln!("flowshrike: {}: {error:#}", path.display());
                if matches!(error.downcast_ref(), Some(TrackError::Unreachable(_) | TrackError::TimedOut(_))) {
                    left = left.saturating_add(records.len().saturating_sub(at.saturating_add(1)));
                    break;
                }
            }
        }
    }
    spool.tidy();
    if left > 0 {
        bail!("{left} of {} records wait in {}", records.len(), spool.path().display());
    }
    Ok(())
}

fn send_kept(tracker: &Tracker, target: &Target, kept: Kept) -> anyhow::Result<String> {
    let run = kept.read()?;
    let pushed = tracker.push(&run).with_context(|| target.to_string())?;
    kept.remove()?;
    Ok(told(&run.record.name, target, &run, &pushed))
}

/// One line on a run that arrived.
fn told(name: &str, target: &Target, run: &TrackedRun, pushed: &Pushed) -> String {
    let there = if pushed.was_there { "was there already as" } else { "as" };
    let entry = match (&run.record.registration, &pushed.version) {
        (Some(registration), Some(version)) => {
            let aliases: String = registration.aliases.iter().map(|alias| format!(" @{alias}")).collect();
            format!("; models:/{}/{version}{aliases}", registration.model)
        }
        _ => String::new(),
    };
    format!("{name} {there} run {} at {target}{entry}", pushed.run_id)
}

/// A registered model.
///
/// # Errors
/// If there is none, it cannot be had, or is not whole.
pub(super) fn registered(text: &str, uri: Option<&str>) -> anyhow::Result<Model> {
    let reference: ModelReference = text.parse().map_err(|error: TrackError| Usage(error.to_string()))?;
    let target = target(uri)?;
    let bytes =
        Tracker::new(target.clone(), &access())?.model(&reference).with_context(|| format!("{text}: {target}"))?;
    Model::from_bytes(&bytes).with_context(|| format!("{text}: {target}"))
}

/// What a flag says, else MLFLOW_TRACKING_URI.
fn target(uri: Option<&str>) -> Result<Target, Usage> {
    let said = uri.filter(|uri| !uri.is_empty()).map(str::to_owned).or_else(|| variable("MLFLOW_TRACKING_URI"));
    said.unwrap_or_default().parse().map_err(|error: TrackError| Usage(error.to_string()))
}

fn access() -> Access {
    Access::of_variables(variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The commit of the repository that the command runs in, and whether its files differ from it.
fn commit() -> Option<(String, bool)> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some((commit, !changed.is_empty()))
}

#[expect(clippy::disallowed_methods, reason = "an edge: when a run was is part of its record")]
fn since_1970() -> std::time::Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn now() -> i64 {
    i64::try_from(since_1970().as_millis()).unwrap_or(i64::MAX)
}

/// No two runs share it: the keys of the standard library's tables are the system's random numbers.
fn nonce() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{random:016x} {} {}", since_1970().as_nanos(), std::process::id())
}

const EXPERIMENT: &str = "flowshrike";
/// The name of a spool.
pub(super) const SPOOL: &str = "flowshrike-spool";
