//! `POST /predict`: a verdict on one flow, or on each of a list of flows.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::answer::Asker;
use super::problem::{Invalid, Problem, Refusal, Refused};
use super::request::{Asked, RowReader, text_of};
use super::service::{Limits, Service};
use super::{openapi, upload};

/// The verdict on one flow or on each of a list.
///
/// A flow is an object of values by column name, or `{"features": [...]}` with the values in the order of the model's features,
/// which `/model` tells. A list of such objects is answered by a list of the same length and order.
///
/// Every column that the model reads must be there, by a name that `flowshrike extract` or any CICFlowMeter gives it; other
/// columns that these write are ignored. `null` is what an export has where a flow has no such value.
#[utoipa::path(
    post,
    path = "/predict",
    operation_id = "predict",
    request_body(content = inline(openapi::Asked), content_type = "application/json"),
    responses(
        (status = 200, description = "The verdict, or the verdicts", body = inline(openapi::Answered)),
        (status = 400, description = "The body cannot be read", body = Refused),
        (status = 408, description = "The body did not come in time", body = Refused),
        (status = 413, description = "A body of more bytes than one request may have", body = Refused),
        (status = 422, description = "What is wrong with the flows, by field", body = Invalid),
    )
)]
pub(super) async fn predict(State(service): State<Arc<Service>>, body: Body) -> Response {
    match answer(&service, body).await {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(service: &Service, body: Body) -> Result<Vec<u8>, Refusal> {
    let body = upload::whole(body, Limits::BODY).await?;
    let text = text_of(&body).map_err(Refusal::one)?;
    let mut rows = RowReader::new(&service.names);
    let flows = match Asked::of(&text).map_err(Refusal::one)? {
        Asked::One(flow) => {
            let mut out = Vec::with_capacity(ANSWER);
            service.ask(|asker| one(service, asker, &mut rows, (flow, None), &mut out));
            return if rows.problems.is_empty() { Ok(out) } else { Err(Refusal::Invalid(rows.problems)) };
        }
        Asked::Many(flows) if flows.len() > Limits::BATCH => {
            let (most, found) = (Limits::BATCH, flows.len());
            let msg = format!("List should have at most {most} items after validation, not {found}: files hold more");
            return Err(Refusal::one(Problem::new("too_long", vec!["body".into()], msg, &text)));
        }
        Asked::Many(flows) => flows,
    };
    let mut out = Vec::with_capacity(ANSWER.saturating_mul(flows.len()).saturating_add(2));
    out.push(b'[');
    for (number, some) in flows.chunks(AT_A_TIME).enumerate() {
        service.ask(|asker| {
            for (position, flow) in (number * AT_A_TIME..).zip(some) {
                if position > 0 {
                    out.push(b',');
                }
                one(service, asker, &mut rows, (flow.get(), Some(position)), &mut out);
            }
        });
        if rows.has_enough() {
            break;
        }
        // Single flows of others are not to wait for a whole list.
        tokio::task::yield_now().await;
    }
    out.push(b']');
    if rows.problems.is_empty() { Ok(out) } else { Err(Refusal::Invalid(rows.problems)) }
}

/// Appends the answer on one flow, unless something is wrong with it or was with one before.
fn one(
    service: &Service,
    asker: &mut Asker,
    rows: &mut RowReader<'_>,
    (flow, at): (&str, Option<usize>),
    out: &mut Vec<u8>,
) {
    if rows.read(flow, at, &mut asker.values) && rows.problems.is_empty() {
        let (label, novel) = asker.answer(&service.common, &rows.notes, out);
        service.count(label, 1);
        service.metrics.novel.inc_by(u64::from(novel));
    }
}

/// Bytes of an ordinary answer.
const ANSWER: usize = 384;
/// Flows of a list that are judged before others get their turn: less than a millisecond.
const AT_A_TIME: usize = 32;
