//! Runs in a folder, in the layout of MLflow's file store: an experiment is a folder, a run one in it, each parameter, metric and tag a
//! file. A run is written beside its place and moved there whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::reference::check;
use super::{Pushed, TrackError};
use crate::model::sha256_hex;
use crate::train::tracking::{Record, TrackedRun};

/// A folder of experiments, which is made when something is put there.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

/// What matters here of an experiment's `meta.yaml`.
#[derive(Deserialize)]
struct Experiment {
    name: String,
}

impl Folder {
    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn push(&self, tracked: &TrackedRun) -> Result<Pushed, TrackError> {
        let TrackedRun { record, files } = tracked;
        if let Some(registration) = &record.registration {
            check(registration)?;
        }
        // The names of files are written down from the root.
        make(&self.root)?;
        let root = fs::canonicalize(&self.root).map_err(TrackError::file(&self.root))?;
        let experiment = experiment(&root, &record.experiment, record.ended)?;
        let run = experiment.join(&record.id);
        let was_there = run.is_dir();
        if !was_there {
            let beside = experiment.join(format!(".{}.{}", record.id, std::process::id()));
            let written = write_run(&beside, &run, record)
                .and_then(|()| {
                    files.iter().try_for_each(|file| write(&beside.join(FILES).join(&file.path), &file.bytes))
                })
                .and_then(|()| fs::rename(&beside, &run).map_err(TrackError::file(&run)));
            if let Err(error) = written {
                drop(fs::remove_dir_all(&beside));
                return Err(error);
            }
        }
        let version = match &record.registration {
            Some(registration) => Some(self.register(&root, registration, record, &run.join(FILES))?),
            None => None,
        };
        Ok(Pushed { run_id: record.id.clone(), was_there, version })
    }
}

/// The folder of the experiment with this name.
fn experiment(root: &Path, name: &str, now: i64) -> Result<PathBuf, TrackError> {
    let entries = fs::read_dir(root).map_err(TrackError::file(root))?;
    for entry in entries {
        let path = entry.map_err(TrackError::file(root))?.path();
        let Ok(text) = fs::read_to_string(path.join(META)) else { continue };
        if serde_saphyr::from_str::<Experiment>(&text).is_ok_and(|found| found.name == name) {
            return Ok(path);
        }
    }
    let default = root.join("0");
    if !default.exists() {
        write_experiment(&default, "0", "Default", now)?;
    }
    // Of the name, so that two runs at once make the same.
    let digits = u64::from_str_radix(sha256_hex(name.as_bytes()).get(..15).unwrap_or_default(), 16).unwrap_or_default();
    let id = format!("{:018}", 100_000_000_000_000_000 + digits % 900_000_000_000_000_000);
    let path = root.join(&id);
    write_experiment(&path, &id, name, now)?;
    Ok(path)
}

fn write_experiment(path: &Path, id: &str, name: &str, now: i64) -> Result<(), TrackError> {
    let meta = [
        ("artifact_location", json!(address(path))),
        ("creation_time", json!(now)),
        ("experiment_id", json!(id)),
        ("last_update_time", json!(now)),
        ("lifecycle_stage", json!("active")),
        ("name", json!(name)),
    ];
    write(&path.join(META), yaml(&meta).as_bytes())
}

/// Writes all but the files.
fn write_run(beside: &Path, run: &Path, record: &Record) -> Result<(), TrackError> {
    let experiment = run.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let meta = [
        ("artifact_uri", json!(address(&run.join(FILES)))),
        ("end_time", json!(record.ended)),
        ("entry_point_name", json!("")),
        ("experiment_id", json!(experiment)),
        ("lifecycle_stage", json!("active")),
        ("run_id", json!(record.id)),
        ("run_name", json!(record.name)),
        ("run_uuid", json!(record.id)),
        ("source_name", json!("")),
        ("source_type", json!(4)),
        ("source_version", json!("")),
        ("start_time", json!(record.started)),
        ("status", json!(3)),
        ("tags", json!([])),
        ("user_id", json!("")),
    ];
    write(&beside.join(META), yaml(&meta).as_bytes())?;
    for (key, value) in &record.params {
        write(&beside.join("params").join(key), value.as_bytes())?;
    }
    for (key, value) in &record.tags {
        write(&beside.join("tags").join(key), value.as_bytes())?;
    }
    let mut metrics: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    for metric in &record.metrics {
        *metrics.entry(&metric.key).or_default() += &format!("{} {} {}\n", record.ended, metric.value, metric.step);
    }
    metrics.iter().try_for_each(|(key, lines)| write(&beside.join("metrics").join(key), lines.as_bytes()))
}

/// Keys with values, a line each: JSON is YAML.
pub(super) fn yaml(pairs: &[(&str, Value)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// A folder's address, as MLflow writes it.
pub(super) fn address(path: &Path) -> String {
    let parts: Vec<String> = path.to_string_lossy().split('/').map(super::http::escaped).collect();
    format!("file://{}", parts.join("/"))
}

/// Writes a file and the folders above it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), TrackError> {
    make(path.parent().unwrap_or(path))?;
    fs::write(path, bytes).map_err(TrackError::file(path))
}

pub(super) fn make(path: &Path) -> Result<(), TrackError> {
    match fs::create_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.map_err(TrackError::file(path)),
    }
}

pub(super) const META: &str = "meta.yaml";
/// Where a run's files are.
const FILES: &str = "artifacts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_line_of_yaml() {
        let text = yaml(&[("name", json!("a: \"b\"\n# c")), ("n", json!(7))]);
        assert_eq!(text, "name: \"a: \\\"b\\\"\\n# c\"\nn: 7\n");
        assert_eq!(serde_saphyr::from_str::<Experiment>(&text).expect("YAML").name, "a: \"b\"\n# c");
        assert_eq!(address(Path::new("/a b/c")), "file:///a%20b/c");
    }

    #[test]
    fn an_experiment_is_found_again_by_its_name_whoever_made_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        write(&root.join("123/meta.yaml"), b"experiment_id: '123'\nlifecycle_stage: active\nname: theirs\n")
            .expect("written");
        assert_eq!(experiment(root, "theirs", 1).expect("found"), root.join("123"));
        let ours = experiment(root, "ours", 1).expect("made");
        assert_eq!(experiment(root, "ours", 2).expect("found"), ours);
        assert_ne!(experiment(root, "others", 1).expect("made"), ours);
        assert!(root.join("0").join(META).exists());
    }
}
