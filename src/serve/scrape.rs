//! The metrics listener's one route, for scrapers that reach the node's address; everything else stays with the admin server.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::token::Token;
use crate::telemetry::Metrics;

/// The route `/metrics`, and with a token only for those who show it.
pub fn metrics_router(metrics: Arc<Metrics>, token: Option<Token>) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found; there is /metrics\n") })
        .with_state(Arc::new((metrics, token)))
}

async fn scrape(State(state): State<Arc<(Arc<Metrics>, Option<Token>)>>, headers: HeaderMap) -> Response {
    let (metrics, token) = &*state;
    if token.as_ref().is_none_or(|token| token.is_shown(&headers)) {
        return exposition(metrics);
    }
    let ask = [(header::WWW_AUTHENTICATE, "Bearer realm=\"flowshrike metrics\"")];
    (StatusCode::UNAUTHORIZED, ask, "a token is needed: Authorization: Bearer TOKEN\n").into_response()
}

/// All metrics in Prometheus' text format.
pub(super) fn exposition(metrics: &Metrics) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}
