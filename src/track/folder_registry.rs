//! The model registry of MLflow's file store: `models/NAME/version-N` beside the experiments.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::TrackError;
use super::folder::{Folder, META, address, make, write, yaml};
use super::reference::{ModelReference, Which};
use crate::model::MAX_BYTES;
use crate::train::tracking::{MODEL_FOLDER, MODEL_NAME, Record, Registration};

/// What matters here of a version's `meta.yaml`.
#[derive(Deserialize)]
struct Version {
    run_id: Option<String>,
    source: String,
}

impl Folder {
    /// Enters a run's model as a new version, unless it is one already, and gives it its aliases.
    pub(super) fn register(
        &self,
        root: &Path,
        registration: &Registration,
        record: &Record,
        files: &Path,
    ) -> Result<String, TrackError> {
        let entry = root.join(MODELS).join(&registration.model);
        let about = [
            ("creation_timestamp", json!(record.ended)),
            ("description", json!(null)),
            ("last_updated_timestamp", json!(record.ended)),
            ("name", json!(registration.model)),
        ];
        if !entry.join(META).exists() {
            write(&entry.join(META), yaml(&about).as_bytes())?;
        }
        let version = match versions(&entry)?.into_iter().find(|&number| {
            version(&entry, number).is_ok_and(|version| version.run_id.as_deref() == Some(record.id.as_str()))
        }) {
            Some(number) => number,
            None => add_version(&entry, registration, record, files)?,
        };
        for alias in &registration.aliases {
            write(&entry.join(ALIASES).join(alias), version.to_string().as_bytes())?;
        }
        Ok(version.to_string())
    }

    pub(super) fn model(&self, reference: &ModelReference) -> Result<Vec<u8>, TrackError> {
        let entry = self.root.join(MODELS).join(&reference.name);
        let absent = || TrackError::NoModel(reference.to_string());
        let number = match &reference.which {
            Which::Version(number) => *number,
            Which::Alias(alias) => {
                let text = fs::read_to_string(entry.join(ALIASES).join(alias)).map_err(|_| absent())?;
                text.trim().parse().map_err(|_| absent())?
            }
        };
        let found = version(&entry, number).map_err(|_| absent())?;
        let path = Path::new(&local(&found.source)?).join(MODEL_NAME);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(TrackError::file(&path))?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(TrackError::file(&path))?;
        Ok(bytes)
    }
}

/// Takes the next number that nobody else takes.
fn add_version(entry: &Path, registration: &Registration, record: &Record, files: &Path) -> Result<u64, TrackError> {
    let mut number = versions(entry)?.last().copied().unwrap_or(0) + 1;
    loop {
        let path = entry.join(format!("{VERSION}{number}"));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => {
                made.map_err(TrackError::file(&path))?;
                break;
            }
        }
    }
    let path = entry.join(format!("{VERSION}{number}"));
    let source = address(&files.join(MODEL_FOLDER));
    let about = [
        ("creation_timestamp", json!(record.ended)),
        ("current_stage", json!("None")),
        ("description", json!(null)),
        ("last_updated_timestamp", json!(record.ended)),
        ("name", json!(registration.model)),
        ("run_id", json!(record.id)),
        ("run_link", json!(null)),
        ("source", json!(source)),
        ("status", json!("READY")),
        ("status_message", json!(null)),
        ("storage_location", json!(source)),
        ("user_id", json!(null)),
        ("version", json!(number)),
    ];
    for (key, value) in record.tags.iter().filter(|(key, _)| key.starts_with("flowshrike.")) {
        write(&path.join("tags").join(key), value.as_bytes())?;
    }
    // Last: a version without it is none.
    write(&path.join(META), yaml(&about).as_bytes())?;
    Ok(number)
}

/// The numbers of the versions that are there, in order.
fn versions(entry: &Path) -> Result<Vec<u64>, TrackError> {
    make(entry)?;
    let mut numbers = Vec::new();
    for file in fs::read_dir(entry).map_err(TrackError::file(entry))? {
        let name = file.map_err(TrackError::file(entry))?.file_name();
        numbers.extend(name.to_string_lossy().strip_prefix(VERSION).and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn version(entry: &Path, number: u64) -> Result<Version, TrackError> {
    let path = entry.join(format!("{VERSION}{number}")).join(META);
    let text = fs::read_to_string(&path).map_err(TrackError::file(&path))?;
    serde_saphyr::from_str(&text).map_err(|error| TrackError::Record { path, why: error.without_snippet().to_string() })
}

/// The path of an address in the folder.
fn local(source: &str) -> Result<String, TrackError> {
    let Some(path) = source.strip_prefix("file://") else {
        return if source.starts_with('/') {
            Ok(source.to_owned())
        } else {
            Err(TrackError::Artifacts(source.to_owned()))
        };
    };
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit(), digit());
        let (Some(high), Some(low)) = (high, low) else { return Err(TrackError::Artifacts(source.to_owned())) };
        bytes.extend(u8::try_from(high * 16 + low));
    }
    String::from_utf8(bytes).map_err(|_| TrackError::Artifacts(source.to_owned()))
}

/// MLflow's name for the registry's folder.
const MODELS: &str = "models";
const ALIASES: &str = "aliases";
const VERSION: &str = "version-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_its_folder() {
        for path in ["/a b/c%d", "/é/ü", "/plain"] {
            assert_eq!(local(&address(Path::new(path))).expect(path), path);
        }
        assert_eq!(local("/as/mlflow/writes/it").expect("a path"), "/as/mlflow/writes/it");
        for source in ["s3://bucket", "file:///a%", "file:///a%zz", "file:///%ff"] {
            assert!(matches!(local(source), Err(TrackError::Artifacts(_))), "{source}");
        }
    }
}
