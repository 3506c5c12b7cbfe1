//! What the prediction service tells of itself: the welcome, the documentation, the model, health and metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::ModelCard;
use super::problem::{Refusal, json};
use super::service::Service;

/// The welcome.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Welcome {
    /// What this is, and where to go on.
    pub(super) message: &'static str,
}

/// Whether the service answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`.
    pub(super) status: &'static str,
}

/// A welcome; to browsers, a page with a form.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "welcome",
    responses((status = 200, description = "The welcome", content(
        (Welcome = "application/json"),
        (String = "text/html"),
    )))
)]
pub(super) async fn index(headers: HeaderMap) -> Response {
    let vary = (header::VARY, "accept");
    if prefers_html(&headers) {
        return ([vary], page(INDEX)).into_response();
    }
    ([vary], json(StatusCode::OK, &Welcome { message: WELCOME })).into_response()
}

/// This description as a page, which needs no other site.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    responses((status = 200, description = "The page", content_type = "text/html", body = String))
)]
pub(super) async fn docs() -> Response {
    page(DOCS)
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = inline(serde_json::Value)))
)]
pub(super) async fn openapi(State(service): State<Arc<Service>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], service.openapi.clone()).into_response()
}

/// The model that answers, with its features in their order.
#[utoipa::path(
    get,
    path = "/model",
    operation_id = "model",
    responses((status = 200, description = "The model", body = ModelCard))
)]
pub(super) async fn model(State(service): State<Arc<Service>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], service.card.clone()).into_response()
}

/// Whether the service answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    responses((status = 200, description = "It does", body = inline(Health)))
)]
pub(super) async fn health() -> Response {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Metrics in the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((status = 200, description = "The metrics", content_type = "text/plain", body = String))
)]
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    match service.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => Refusal::Status(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}")).into_response(),
    }
}

/// Whether a page is asked for before JSON, as browsers do.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (mut html, mut other) = (0.0, 0.0);
    for part in accept.split(',') {
        let mut parameters = part.split(';').map(str::trim);
        let media = parameters.next().unwrap_or_default();
        let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        match media {
            "text/html" | "application/xhtml+xml" | "text/*" => html = quality.max(html),
            "application/json" | "application/*" => other = quality.max(other),
            _ => {}
        }
    }
    html > other
}

/// A page that takes nothing from elsewhere, and may not.
fn page(text: &'static str) -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (head, text).into_response()
}

const WELCOME: &str =
    "Welcome to the Flowshrike prediction service: POST /predict for a verdict on a flow, GET /docs for the rest";
const INDEX: &str = include_str!("pages/index.html");
const DOCS: &str = include_str!("pages/docs.html");
/// The pages hold their own script and style, and ask only this service.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_page_and_others_do_not() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, html) in [
            (browser, true),
            ("text/html", true),
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.5", false),
            ("text/html;q=0.9, application/json;q=0.1", true),
            ("text/html, application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            assert_eq!(prefers_html(&headers), html, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn pages_name_no_other_site() {
        assert!(
            [INDEX, DOCS]
                .iter()
                .all(|page| !page.contains("http:") && !page.contains("https:") && !page.contains("src="))
        );
    }
}
