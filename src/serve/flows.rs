//! `POST /predict/flows`: a verdict for each row of a file, as `flowshrike predict` gives them.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa::ToSchema;

use super::problem::{Invalid, Loc, Problem, Refusal, Refused};
use super::service::{Limits, Service};
use super::upload::{self, Place};
use crate::dataset::{self, BadRow, DatasetError, OnBadRow, RowQuery, RowsRead};
use crate::model::line;

/// How a file's verdicts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    format: Format,
    on_bad_row: BadRowRule,
}

/// How verdicts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
enum Format {
    Csv,
    Jsonl,
}

/// What becomes of a row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
enum BadRowRule {
    Fail,
    Skip,
}

/// The query, for the description.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the description")]
struct Parameters {
    /// `csv`, or `jsonl` for JSON lines; without it by the header Accept, else CSV.
    #[param(required = false, inline)]
    format: Format,
    /// `fail`, as without it: the first row that cannot be read is an error; `skip`: it is answered without a verdict.
    #[param(required = false, inline)]
    on_bad_row: BadRowRule,
}

/// Why a file has no verdicts.
enum Failed {
    Data(DatasetError),
    TooManyRows,
}

impl From<DatasetError> for Failed {
    fn from(error: DatasetError) -> Self {
        Self::Data(error)
    }
}

/// A verdict for each row of a file of flows.
///
/// The body is CSV, JSON lines or Parquet, told by its first bytes; text may be packed with gzip. Columns are found by the names
/// that `flowshrike extract` or any CICFlowMeter gives them. One row out for each row in, in order, as `flowshrike predict`
/// writes them.
#[utoipa::path(
    post,
    path = "/predict/flows",
    operation_id = "predictFlows",
    params(Parameters),
    request_body(content(
        (String = "text/csv"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/vnd.apache.parquet"),
    )),
    responses(
        (status = 200, description = "A row for each row", content(
            (String = "text/csv"),
            (String = "application/x-ndjson"),
        ), headers(("flowshrike-warning" = Option<String>, description = "What is odd about the file"))),
        (status = 400, description = "The body cannot be read", body = Refused),
        (status = 408, description = "The body did not come in time", body = Refused),
        (status = 413, description = "A file of more bytes or rows than are taken", body = Refused),
        (status = 422, description = "What is wrong with the file", body = Invalid),
        (status = 503, description = "All places for files are taken", body = Refused),
    )
)]
pub(super) async fn predict_flows(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(service, query.as_deref().unwrap_or_default(), &headers, body).await.unwrap_or_else(Refusal::into_response)
}

async fn answer(service: Arc<Service>, query: &str, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let asked = match Asked::of(query, headers) {
        Ok(asked) => asked,
        Err(problem) => {
            upload::discard(body).await;
            return Err(Refusal::one(problem));
        }
    };
    let place = match Place::take(&service.places, &service.metrics.uploads) {
        Ok(place) => place,
        Err(full) => {
            upload::discard(body).await;
            return Err(full);
        }
    };
    let body = upload::whole(body, service.limits.upload).await?;
    let work = move || {
        // Held by the work, not by the client: a client that leaves does not end it.
        let _place = place;
        verdicts(&service, body, asked)
    };
    let (text, notes) = tokio::task::spawn_blocking(work).await.map_err(|_| broken())??;
    let media = match asked.format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Jsonl => "application/x-ndjson",
    };
    let mut response = ([(header::CONTENT_TYPE, media), (header::VARY, "accept")], text).into_response();
    warn(&mut response, &notes.join("; "));
    Ok(response)
}

/// Says in the answer's head what whoever uses it should know.
pub(super) fn warn(response: &mut Response, warning: &str) {
    if let Some(warning) = HeaderValue::from_str(warning).ok().filter(|warning| !warning.is_empty()) {
        response.headers_mut().insert("flowshrike-warning", warning);
    }
}

/// The verdicts, and what is odd about the file.
fn verdicts(service: &Service, body: bytes::Bytes, asked: Asked) -> Result<(Vec<u8>, Vec<String>), Refusal> {
    let unpacked = (service.limits.upload as u64).saturating_mul(Limits::UNPACKED);
    let table = upload::unpacked(body, unpacked).map_err(|error| problem(&format!("{NAME}: {error}"), &[]))?;
    let on_bad_row = match asked.on_bad_row {
        BadRowRule::Fail => OnBadRow::Fail,
        BadRowRule::Skip => OnBadRow::Skip,
    };
    let query = RowQuery { data: &[], features: service.model.features(), on_bad_row };
    let mut out = Vec::new();
    if asked.format == Format::Csv {
        out.extend_from_slice(line::CSV_HEADER.as_bytes());
        out.push(b'\n');
    }
    let model = service.model;
    let mut counts = vec![0_u64; model.labels().len()];
    let (mut rows, mut novel) = (0, 0);
    let read = service.ask(|asker| {
        dataset::for_each_row_in((NAME, table), &query, |row| {
            rows += 1;
            if rows > Limits::ROWS {
                return Err(Failed::TooManyRows);
            }
            let verdict = row.map(|row| asker.classifier().classify_row(row));
            if let Some(verdict) = &verdict {
                novel += u64::from(verdict.novel);
                if let Some(count) = counts.get_mut(usize::from(verdict.label.0)) {
                    *count += 1;
                }
            }
            let verdict = verdict.as_ref().map(|verdict| (model.label_name(verdict.label), verdict));
            match asked.format {
                Format::Csv => line::write_csv(&mut out, verdict),
                Format::Jsonl => line::write_json(&mut out, verdict),
            }
            Ok(())
        })
    });
    let RowsRead { notes, .. } = read.map_err(refusal)?;
    counts.into_iter().enumerate().for_each(|(label, flows)| service.count(label, flows));
    service.metrics.novel.inc_by(novel);
    Ok((out, notes))
}

impl Asked {
    fn of(query: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let lines = JSON_LINES.iter().any(|media| accepted.contains(media));
        let mut asked = Self { format: if lines { Format::Jsonl } else { Format::Csv }, on_bad_row: BadRowRule::Fail };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (key, value) {
                ("format", "csv") => asked.format = Format::Csv,
                ("format", "jsonl") => asked.format = Format::Jsonl,
                ("on_bad_row", "fail") => asked.on_bad_row = BadRowRule::Fail,
                ("on_bad_row", "skip") => asked.on_bad_row = BadRowRule::Skip,
                ("format", _) => return Err(wrong_choice(key, "'csv' or 'jsonl'", value)),
                ("on_bad_row", _) => return Err(wrong_choice(key, "'fail' or 'skip'", value)),
                // As FastAPI: what nobody asks for is nobody's mistake.
                _ => {}
            }
        }
        Ok(asked)
    }
}

fn wrong_choice(key: &str, choices: &str, value: &str) -> Problem {
    let input = serde_json::Value::from(value).to_string();
    Problem::new("enum", vec!["query".into(), key.into()], format!("Input should be {choices}"), &input)
}

/// What is wrong with a file, as a problem with its body.
fn refusal(failed: Failed) -> Refusal {
    match failed {
        Failed::TooManyRows => Refusal::too_large("the file", format_args!("{} rows", Limits::ROWS)),
        Failed::Data(DatasetError::Io { source, .. }) if source.kind() == ErrorKind::FileTooLarge => {
            Refusal::too_large("the file", format_args!("is taken: {source}"))
        }
        Failed::Data(DatasetError::Io { source, .. }) => problem(&format!("{NAME}: {source}"), &[]),
        Failed::Data(DatasetError::Row(row)) => {
            let BadRow { place, column, .. } = &row;
            let (unit, number) = match *place {
                dataset::Place::Line(number) => ("line", number),
                dataset::Place::Row(number) => ("row", number),
            };
            let mut loc = vec![Loc::from(unit), Loc::Position(number)];
            loc.extend(column.as_deref().map(Loc::from));
            problem(&row.to_string(), &loc)
        }
        Failed::Data(DatasetError::Missing { columns, .. }) => {
            let missing = |column: String| {
                let column = column.trim_matches('`');
                Problem::new("missing", vec!["body".into(), column.into()], "Field required", "null")
            };
            Refusal::Invalid(columns.into_iter().map(missing).collect())
        }
        Failed::Data(error) => problem(&error.to_string(), &[]),
    }
}

fn problem(msg: &str, loc: &[Loc]) -> Refusal {
    let loc = std::iter::once("body".into()).chain(loc.iter().cloned()).collect();
    Refusal::one(Problem::new("value_error", loc, msg, "null"))
}

/// The work on a file ended without a result: a mistake of the program, whose trace is in its log.
pub(super) fn broken() -> Refusal {
    Refusal::Status(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be worked on".to_owned())
}

/// What errors call the file.
const NAME: &str = "body";
/// Media types of JSON lines, by which Accept asks for them.
const JSON_LINES: [&str; 4] =
    ["application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/ndjson"];
