//! Runs on an MLflow server, over its REST interface: the experiment, the run, its content, its model's entry, its end, in this order, so
//! that a run that has ended is whole. One that has not is found by its record and made whole.

use serde_json::{Value, json};

use super::http::{Access, Client, escaped, retrying};
use super::reference::check;
use super::{Pushed, TrackError};
use crate::train::tracking::{Record, RunFile, TrackedRun};

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) client: Client,
}

/// A run as the server knows it.
struct Run {
    id: String,
    /// Where its files are kept.
    files: String,
    ended: bool,
}

impl Server {
    pub(super) fn new(base: String, access: &Access) -> Result<Self, TrackError> {
        Ok(Self { client: Client::new(base, access)? })
    }

    pub(super) fn push(&self, tracked: &TrackedRun) -> Result<Pushed, TrackError> {
        let TrackedRun { record, files } = tracked;
        if let Some(registration) = &record.registration {
            check(registration)?;
        }
        let experiment = self.experiment(&record.experiment)?;
        let run = self.run(record, &experiment)?;
        if run.ended {
            let version = match &record.registration {
                Some(registration) => self.version_of(&registration.model, &run.id)?,
                None => None,
            };
            return Ok(Pushed { run_id: run.id, was_there: true, version });
        }
        self.log(record, &run.id)?;
        for file in files {
            self.put(&run, file)?;
        }
        let version = match &record.registration {
            Some(registration) => Some(self.register(registration, record, &run.id, &run.files)?),
            None => None,
        };
        let end = json!({"run_id": run.id, "status": "FINISHED", "end_time": record.ended});
        self.client.post("api/2.0/mlflow/runs/update", &end)?;
        Ok(Pushed { run_id: run.id, was_there: false, version })
    }

    /// The experiment of this name, which is made if there is none.
    fn experiment(&self, name: &str) -> Result<String, TrackError> {
        retrying(|| {
            let found = match self.client.get("api/2.0/mlflow/experiments/get-by-name", &[("experiment_name", name)]) {
                Err(error) if error.is(ABSENT) => None,
                found => Some(found?),
            };
            if let Some(found) = found {
                if text(&found, "/experiment/lifecycle_stage")? == "deleted" {
                    let message = format!("the experiment `{name}` is deleted there: restore it or name another one");
                    return Err(TrackError::Refused { status: 400, code: String::new(), message });
                }
                return Ok(text(&found, "/experiment/experiment_id")?.to_owned());
            }
            match self.client.post_once("api/2.0/mlflow/experiments/create", &json!({"name": name})) {
                // Another run was quicker.
                Err(error) if error.is(TAKEN) => {
                    let found =
                        self.client.get("api/2.0/mlflow/experiments/get-by-name", &[("experiment_name", name)])?;
                    Ok(text(&found, "/experiment/experiment_id")?.to_owned())
                }
                made => Ok(text(&made?, "/experiment_id")?.to_owned()),
            }
        })
    }

    /// The run of this record, which is made if there is none. It is looked for before each attempt: an answer may have been lost.
    fn run(&self, record: &Record, experiment: &str) -> Result<Run, TrackError> {
        retrying(|| {
            let filter = format!("tags.`flowshrike.record` = '{}'", record.id);
            let search =
                json!({"experiment_ids": [experiment], "filter": filter, "max_results": 1, "run_view_type": "ALL"});
            let found = self.client.post("api/2.0/mlflow/runs/search", &search)?;
            if let Some(run) = found.pointer("/runs/0") {
                return Run::of(run);
            }
            let tags: Vec<Value> = record.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
            let run = json!({
                "experiment_id": experiment, "start_time": record.started, "run_name": record.name, "tags": tags,
            });
            let made = self.client.post_once("api/2.0/mlflow/runs/create", &run)?;
            Run::of(made.get("run").unwrap_or(&Value::Null))
        })
    }

    /// Parameters and metrics, in as many requests as it takes. What is there already stays as it is.
    fn log(&self, record: &Record, run: &str) -> Result<(), TrackError> {
        let params: Vec<Value> = record.params.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let metric = |metric: &crate::train::tracking::Metric| json!({"key": metric.key, "value": metric.value, "timestamp": record.ended, "step": metric.step});
        let metrics: Vec<Value> = record.metrics.iter().map(metric).collect();
        let batches = params.chunks(PARAMS).map(|params| json!({"run_id": run, "params": params}));
        let batches = batches.chain(metrics.chunks(METRICS).map(|metrics| json!({"run_id": run, "metrics": metrics})));
        for batch in batches {
            self.client.post("api/2.0/mlflow/runs/log-batch", &batch)?;
        }
        Ok(())
    }

    fn put(&self, run: &Run, file: &RunFile) -> Result<(), TrackError> {
        self.client.put(&place(&format!("{}/{}", run.files, file.path))?, &file.bytes)
    }
}

impl Run {
    fn of(run: &Value) -> Result<Self, TrackError> {
        Ok(Self {
            id: text(run, "/info/run_id")?.to_owned(),
            files: text(run, "/info/artifact_uri")?.trim_end_matches('/').to_owned(),
            ended: text(run, "/info/status")? == "FINISHED",
        })
    }
}

/// The path at which the server passes on a file that it keeps.
pub(super) fn place(uri: &str) -> Result<String, TrackError> {
    let shown = || TrackError::Artifacts(uri.chars().take(200).collect());
    let path = uri.strip_prefix("mlflow-artifacts:").ok_or_else(shown)?;
    // With a host it would be another server, which is not given what proves who asks.
    if path.starts_with("//") || path.split('/').any(|part| part == "..") {
        return Err(shown());
    }
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(escaped).collect();
    Ok(format!("api/2.0/mlflow-artifacts/artifacts/{}", parts.join("/")))
}

/// A text in an answer.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str, TrackError> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| {
        TrackError::Answer(format!("no `{}` in what it says", pointer.trim_start_matches('/').replace('/', ".")))
    })
}

/// MLflow's word for what is not there.
pub(super) const ABSENT: &str = "RESOURCE_DOES_NOT_EXIST";
/// And for what is there already.
pub(super) const TAKEN: &str = "RESOURCE_ALREADY_EXISTS";
/// MLflow's limits on one request.
const PARAMS: usize = 100;
const METRICS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_to_the_server_itself_or_nowhere() {
        let at = place("mlflow-artifacts:/1/ab/artifacts/plots/a b.svg").expect("passed on");
        assert_eq!(at, "api/2.0/mlflow-artifacts/artifacts/1/ab/artifacts/plots/a%20b.svg");
        for uri in ["s3://bucket/1/ab", "/mlruns/1/ab", "mlflow-artifacts://elsewhere/1", "mlflow-artifacts:/1/../2"] {
            assert!(matches!(place(uri), Err(TrackError::Artifacts(_))), "{uri}");
        }
    }
}
