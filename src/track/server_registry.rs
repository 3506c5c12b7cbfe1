//! The model registry of an MLflow server.

use serde_json::{Value, json};

use super::TrackError;
use super::http::retrying;
use super::reference::{ModelReference, Which};
use super::server::{ABSENT, Server, TAKEN, place, text};
use crate::model::MAX_BYTES;
use crate::train::tracking::{MODEL_FOLDER, MODEL_NAME, Record, Registration};

impl Server {
    /// Enters a run's model as a new version, unless it is one already, and gives it its aliases.
    pub(super) fn register(
        &self,
        registration: &Registration,
        record: &Record,
        run: &str,
        files: &str,
    ) -> Result<String, TrackError> {
        let name = &registration.model;
        match self.client.post("api/2.0/mlflow/registered-models/create", &json!({"name": name})) {
            Err(error) if error.is(TAKEN) => {}
            made => drop(made?),
        }
        let version = retrying(|| {
            if let Some(version) = self.version_of(name, run)? {
                return Ok(version);
            }
            let tags: Vec<Value> = record
                .tags
                .iter()
                .filter(|(key, _)| key.starts_with("flowshrike."))
                .map(|(key, value)| json!({"key": key, "value": value}))
                .collect();
            let version =
                json!({"name": name, "source": format!("{files}/{MODEL_FOLDER}"), "run_id": run, "tags": tags});
            let made = self.client.post_once("api/2.0/mlflow/model-versions/create", &version)?;
            Ok(text(&made, "/model_version/version")?.to_owned())
        })?;
        for alias in &registration.aliases {
            let alias = json!({"name": name, "alias": alias, "version": version});
            self.client.post("api/2.0/mlflow/registered-models/alias", &alias)?;
        }
        Ok(version)
    }

    /// The version that a run's model is, if it is one.
    pub(super) fn version_of(&self, name: &str, run: &str) -> Result<Option<String>, TrackError> {
        let filter = format!("name = '{name}' and run_id = '{run}'");
        let found =
            self.client.get("api/2.0/mlflow/model-versions/search", &[("filter", &filter), ("max_results", "1")])?;
        let version = found.pointer("/model_versions/0");
        version.map(|version| Ok(text(version, "/version")?.to_owned())).transpose()
    }

    pub(super) fn model(&self, reference: &ModelReference) -> Result<Vec<u8>, TrackError> {
        let absent = |error: TrackError| {
            // Older servers have another word for an alias that is not there.
            if error.is(ABSENT) || error.is("INVALID_PARAMETER_VALUE") {
                TrackError::NoModel(reference.to_string())
            } else {
                error
            }
        };
        let name = ("name", reference.name.as_str());
        let version = match &reference.which {
            Which::Version(version) => version.to_string(),
            Which::Alias(alias) => {
                let found = self.client.get("api/2.0/mlflow/registered-models/alias", &[name, ("alias", alias)]);
                text(&found.map_err(absent)?, "/model_version/version")?.to_owned()
            }
        };
        let found = self.client.get("api/2.0/mlflow/model-versions/get-download-uri", &[name, ("version", &version)]);
        let uri = text(&found.map_err(absent)?, "/artifact_uri")?.trim_end_matches('/').to_owned();
        match self.client.get_bytes(&place(&format!("{uri}/{MODEL_NAME}"))?, MAX_BYTES) {
            Err(TrackError::Refused { status: 404 | 500, .. }) => Err(TrackError::Answer(format!(
                "{reference} has no file {MODEL_NAME}: it was not registered by flowshrike"
            ))),
            found => found,
        }
    }
}
