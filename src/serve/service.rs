//! The prediction service: what its routes share, and the router. It asks one model, loaded when it starts.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, body::Body};
use prometheus::IntCounter;
use tokio::sync::Semaphore;

use super::answer::{Asker, Common};
use super::problem::Refusal;
use super::{ModelCard, captures, flows, openapi, pages, predict};
use crate::dataset::FieldNames;
use crate::model::Model;
use crate::telemetry::{RouteMetrics, ServiceMetrics};

/// What the routes of the prediction service share.
pub struct Service {
    pub(super) model: &'static Model,
    pub(super) names: FieldNames,
    pub(super) common: Common,
    pub(super) metrics: ServiceMetrics,
    pub(super) limits: Limits,
    /// For the bodies of files; a request without a place is refused.
    pub(super) places: Arc<Semaphore>,
    pub(super) captures: Box<dyn Captures>,
    /// Answers that never change.
    pub(super) card: String,
    pub(super) openapi: String,
    askers: Mutex<Vec<Asker>>,
    labels: Vec<IntCounter>,
    routes: Vec<RouteMetrics>,
}

/// What clients may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file of flows or of a capture. Packed, it may unpack to [`Limits::UNPACKED`] times as much.
    pub upload: usize,
    /// Files that are received or worked on at a time.
    pub places: usize,
}

/// Makes flow lines of captures: the pipeline, which is below this module.
pub trait Captures: Send + Sync {
    /// One JSON line for each flow of a capture, of at most `limit` bytes together.
    ///
    /// # Errors
    /// Why there are none.
    fn lines(&self, capture: Box<dyn Read + Send>, limit: usize) -> Result<CaptureLines, CaptureRefused>;
}

/// The flows of a capture.
#[derive(Clone, Debug, Default)]
pub struct CaptureLines {
    /// The lines.
    pub lines: Vec<u8>,
    /// Flows by label, in the model's order.
    pub labels: Vec<u64>,
    /// Those among them that are unlike anything benign.
    pub novel: u64,
    /// What is wrong with the capture's end, if it is not whole; what was read up to there was used.
    pub warning: Option<String>,
}

/// Why a capture has no flows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureRefused {
    /// The bytes are no capture.
    #[error("{0}")]
    NotACapture(String),
    /// It, or its answer, is larger than may be.
    #[error("{0}")]
    TooLarge(String),
    /// Flows of captures do not carry what the model reads.
    #[error("{0}")]
    CannotServe(String),
    /// Something else went wrong.
    #[error("{0}")]
    Failed(String),
}

/// The service cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A mistake in the names of metrics.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// An answer that has no JSON form.
    #[error("answers cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl Service {
    /// A service of this model, which is kept as long as the process.
    ///
    /// # Errors
    /// Mistakes of the program, which its tests find.
    pub fn new(
        model: &'static Model,
        metrics: ServiceMetrics,
        limits: Limits,
        captures: Box<dyn Captures>,
    ) -> Result<Self, ServiceError> {
        Ok(Self {
            names: FieldNames::new(model.features()),
            common: Common::of(model)?,
            labels: model.labels().iter().map(|label| metrics.predictions(label)).collect(),
            routes: ROUTES.iter().map(|route| metrics.route(route)).collect(),
            card: serde_json::to_string(&ModelCard::of(model))?,
            openapi: openapi::document(model, limits)?,
            places: Arc::new(Semaphore::new(limits.places)),
            askers: Mutex::new(Vec::new()),
            model,
            metrics,
            limits,
            captures,
        })
    }

    /// Something with a classifier that nobody else uses meanwhile.
    pub(super) fn ask<T>(&self, work: impl FnOnce(&mut Asker) -> T) -> T {
        let free = self.askers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut asker = free.unwrap_or_else(|| Asker::new(self.model));
        let done = work(&mut asker);
        self.askers.lock().unwrap_or_else(PoisonError::into_inner).push(asker);
        done
    }

    /// Counts verdicts of a label, by its position.
    pub(super) fn count(&self, label: usize, flows: u64) {
        if let Some(counter) = self.labels.get(label) {
            counter.inc_by(flows);
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("model", &self.model.sha256())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Limits {
    /// How many times its size a packed file may unpack to: more than flows and captures do, far less than what is made to
    /// exhaust a reader.
    pub const UNPACKED: u64 = 32;
    /// Flows in one request of `POST /predict`; more are a file.
    pub const BATCH: usize = 1_000;
    /// Bytes of such a request.
    pub const BODY: usize = 1 << 20;
    /// Flows in one file.
    pub const ROWS: u64 = 1_000_000;
    /// Bytes of the answer on a capture.
    pub const LINES: usize = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { upload: 64 << 20, places: 2 }
    }
}

/// The routes of the service; paths with and without a slash at their end are the same.
pub fn service_router(service: Arc<Service>) -> Router {
    let routes: [(&str, MethodRouter<Arc<Service>>); 8] = [
        ("/predict", post(predict::predict)),
        ("/predict/flows", post(flows::predict_flows)),
        ("/predict/capture", post(captures::predict_capture)),
        ("/docs", get(pages::docs)),
        ("/openapi.json", get(pages::openapi)),
        ("/model", get(pages::model)),
        ("/healthz", get(pages::health)),
        ("/metrics", get(pages::metrics)),
    ];
    let mut router = Router::new().route("/", get(pages::index));
    for (path, handler) in routes {
        router = router.route(path, handler.clone()).route(&format!("{path}/"), handler);
    }
    router
        .fallback(|| async { Refusal::Status(StatusCode::NOT_FOUND, "Not Found".to_owned()) })
        .method_not_allowed_fallback(|| async {
            Refusal::Status(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned())
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&service), counted))
        .with_state(service)
}

/// Counts a request and its time.
async fn counted(State(service): State<Arc<Service>>, request: Request<Body>, next: Next) -> Response {
    #[expect(clippy::disallowed_methods, reason = "an edge: the time of a request")]
    let began = Instant::now();
    let path = request.uri().path();
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let route = ROUTES.iter().position(|route| *route == path).unwrap_or(OTHER);
    let response = next.run(request).await.into_response();
    if let Some(route) = service.routes.get(route) {
        route.answered(response.status().as_u16(), began.elapsed().as_secs_f64());
    }
    response
}

/// The routes that are counted apart; every other path is the last.
const ROUTES: [&str; OTHER + 1] = [
    "/predict",
    "/predict/flows",
    "/predict/capture",
    "/",
    "/docs",
    "/openapi.json",
    "/model",
    "/healthz",
    "/metrics",
    "other",
];
const OTHER: usize = 9;
