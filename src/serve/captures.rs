//! `POST /predict/capture`: the flows of a capture file with their verdicts, as `flowshrike replay --flows` writes them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::flows::{broken, warn};
use super::problem::{Invalid, Problem, Refusal, Refused};
use super::service::{CaptureLines, CaptureRefused, Limits, Service};
use super::upload::{self, Place};

/// The flows of a capture, each with features and verdict.
///
/// The body is a pcap or pcapng file, plain or gzip. The answer has one JSON line for each flow, as `flowshrike replay --flows` writes it.
/// Of a capture that ends early, what can be read is used, and the header `flowshrike-warning` says where it ends.
#[utoipa::path(
    post,
    path = "/predict/capture",
    operation_id = "predictCapture",
    request_body(content(
        (Vec<u8> = "application/vnd.tcpdump.pcap"),
        (Vec<u8> = "application/octet-stream"),
    )),
    responses(
        (status = 200, description = "A JSON line for each flow", content_type = "application/x-ndjson", body = String,
         headers(("flowshrike-warning" = Option<String>, description = "Where the capture ends early"))),
        (status = 400, description = "The body cannot be read", body = Refused),
        (status = 408, description = "The body did not come in time", body = Refused),
        (status = 409, description = "The model reads columns that flows of captures do not have", body = Refused),
        (status = 413, description = "A capture of more bytes than are taken, or of more flows than fit in an answer", body = Refused),
        (status = 422, description = "The body is no capture", body = Invalid),
        (status = 503, description = "All places for files are taken", body = Refused),
    )
)]
pub(super) async fn predict_capture(State(service): State<Arc<Service>>, body: Body) -> Response {
    answer(service, body).await.unwrap_or_else(Refusal::into_response)
}

async fn answer(service: Arc<Service>, body: Body) -> Result<Response, Refusal> {
    let place = match Place::take(&service.places, &service.metrics.uploads) {
        Ok(place) => place,
        Err(full) => {
            upload::discard(body).await;
            return Err(full);
        }
    };
    let body = upload::whole(body, service.limits.upload).await?;
    let work = move || {
        let _place = place;
        flows_of(&service, body)
    };
    let CaptureLines { lines, warning, .. } = tokio::task::spawn_blocking(work).await.map_err(|_| broken())??;
    let mut response = ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response();
    warn(&mut response, &warning.unwrap_or_default());
    Ok(response)
}

fn flows_of(service: &Service, body: bytes::Bytes) -> Result<CaptureLines, Refusal> {
    let invalid = |msg: String| Refusal::one(Problem::new("value_error", vec!["body".into()], msg, "null"));
    let unpacked = (service.limits.upload as u64).saturating_mul(Limits::UNPACKED);
    let capture = upload::unpacked(body, unpacked).map_err(|error| invalid(format!("body: {error}")))?;
    let told = service.captures.lines(upload::stream(capture), Limits::LINES).map_err(|refused| match refused {
        CaptureRefused::NotACapture(msg) => invalid(msg),
        CaptureRefused::TooLarge(detail) => Refusal::Status(StatusCode::PAYLOAD_TOO_LARGE, detail),
        CaptureRefused::CannotServe(detail) => Refusal::Status(StatusCode::CONFLICT, detail),
        CaptureRefused::Failed(detail) => Refusal::Status(StatusCode::INTERNAL_SERVER_ERROR, detail),
    })?;
    told.labels.iter().enumerate().for_each(|(label, flows)| service.count(label, *flows));
    service.metrics.novel.inc_by(told.novel);
    Ok(told)
}
