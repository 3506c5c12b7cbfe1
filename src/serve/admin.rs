//! The admin server's routes: metrics, health, readiness and the model, all read-only.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::scrape::exposition;
use crate::model::Model;
use crate::privilege::{Confinement, Privileges};
use crate::telemetry::{Clock, Heartbeats, Metrics, Readiness};

/// What the routes read; the stages write it.
#[derive(Debug)]
pub struct AdminState {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The stages' signs of life.
    pub heartbeats: Arc<Heartbeats>,
    /// Whether the daemon does its work.
    pub readiness: Arc<Readiness>,
    /// The clock that the stages beat by.
    pub clock: Clock,
    model: RwLock<Option<Arc<ModelCard>>>,
    privileges: OnceLock<Privileges>,
}

/// What `/model` tells of the loaded model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelCard {
    /// The artifact's name.
    pub name: String,
    /// The artifact's version.
    pub version: String,
    /// SHA-256 of the artifact, lower-case hexadecimal.
    pub sha256: String,
    /// What finds the label: `knn` ...
    pub engine: String,
    /// The profile of its training rows.
    pub profile: String,
    /// Its features' column names, in the model's order.
    pub features: Vec<String>,
    /// Its labels, in the model's order.
    pub labels: Vec<String>,
    /// What it was trained on, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
}

impl ModelCard {
    /// The card of a model.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        Self {
            name: model.name().to_owned(),
            version: model.version().to_owned(),
            sha256: model.sha256().to_owned(),
            engine: model.engine().to_owned(),
            profile: model.profile().name().to_owned(),
            features: model.features().iter().map(ToString::to_string).collect(),
            labels: model.labels().to_vec(),
            trained_on: Some(model.trained_on().to_owned()),
        }
    }
}

impl AdminState {
    /// The state of a daemon that has loaded no model yet.
    #[must_use]
    pub const fn new(
        metrics: Arc<Metrics>,
        heartbeats: Arc<Heartbeats>,
        readiness: Arc<Readiness>,
        clock: Clock,
    ) -> Self {
        Self { metrics, heartbeats, readiness, clock, model: RwLock::new(None), privileges: OnceLock::new() }
    }

    /// Tells of this model from now on.
    pub fn set_model(&self, card: ModelCard) {
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(card));
    }

    /// Tells what the threads have given up; once.
    pub fn set_privileges(&self, privileges: Privileges) {
        self.privileges.get_or_init(|| privileges);
    }

    fn model(&self) -> Option<Arc<ModelCard>> {
        self.model.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The routes: `/`, `/metrics`, `/healthz`, `/readyz`, `/model`.
pub fn router(state: Arc<AdminState>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/model", get(model))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found; / lists what there is\n") })
        .with_state(state)
}

async fn index() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], INDEX).into_response()
}

async fn metrics(State(state): State<Arc<AdminState>>) -> Response {
    exposition(&state.metrics)
}

/// 200 while every stage gives signs of life, else 503; the body names each with its age.
async fn health(State(state): State<Arc<AdminState>>) -> Response {
    let stages = state.heartbeats.ages(state.clock.millis());
    let healthy = stages.iter().all(|stage| !stage.stale);
    let stages: Vec<_> =
        stages.iter().map(|stage| json!({ "name": stage.name, "age_ms": stage.age, "stale": stage.stale })).collect();
    answer(healthy, &json!({ "status": if healthy { "ok" } else { "stale" }, "stages": stages }))
}

/// 200 while packets come in and flows can be classified, else 503; the body names what is missing, and what the
/// threads hold and are kept from.
async fn ready(State(state): State<Arc<AdminState>>) -> Response {
    let missing = state.readiness.missing();
    let mut body = json!({ "ready": missing.is_empty(), "missing": missing });
    if let (Some(body), Some(privileges)) = (body.as_object_mut(), state.privileges.get()) {
        let Privileges { threads, opener } = privileges;
        let privileges = json!({ "threads": confinement(threads), "opener": opener.as_ref().map(confinement) });
        body.insert("privileges".to_owned(), privileges);
    }
    answer(missing.is_empty(), &body)
}

fn confinement(Confinement { capabilities, no_new_privs, sandbox }: &Confinement) -> Value {
    let sets = capabilities.by_name().into_iter().map(|(name, set)| (name.to_owned(), json!(set.names())));
    let parts = sandbox.by_name().into_iter().map(|(name, on)| (name.to_owned(), json!(on)));
    let landlock: serde_json::Map<_, _> = [("abi".to_owned(), json!(sandbox.abi))].into_iter().chain(parts).collect();
    json!({
        "capabilities": sets.collect::<serde_json::Map<_, _>>(),
        "no_new_privs": no_new_privs,
        "landlock": landlock,
    })
}

async fn model(State(state): State<Arc<AdminState>>) -> Response {
    match state.model() {
        Some(card) => answer(true, &*card),
        None => answer(false, &json!({ "error": "no model is loaded" })),
    }
}

fn answer(good: bool, body: &impl Serialize) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

const INDEX: &str = "\
<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Flowshrike</title></head><body>
<h1>Flowshrike</h1>
<ul>
<li><a href=\"/metrics\">/metrics</a>: Prometheus metrics</li>
<li><a href=\"/healthz\">/healthz</a>: is each stage alive</li>
<li><a href=\"/readyz\">/readyz</a>: do packets come in, is a model loaded; which rights are held</li>
<li><a href=\"/model\">/model</a>: which model judges</li>
</ul>
</body></html>
";
