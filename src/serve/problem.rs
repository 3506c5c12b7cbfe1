//! Why a request is not answered, in the shapes that FastAPI gives: a list of problems with 422, a sentence with other statuses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of thing, by pydantic's names where it has one.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Where: `body` or `query`, then names of members and positions in lists.
    pub(super) loc: Vec<Loc>,
    /// For people.
    pub(super) msg: String,
    /// What stands there, as it was sent; left out where it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub(super) input: Option<Box<RawValue>>,
}

/// A step of the way to a problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Loc {
    /// A part of the request, or a member's name.
    Name(String),
    /// A position in a list or a text, from 0; a line or row of a file, from 1.
    Position(u64),
}

/// The answer 422.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invalid {
    /// Each problem, at most 100.
    #[schema(max_items = 100)]
    pub(super) detail: Vec<Problem>,
}

/// The answer with any other status that is no success.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refused {
    /// Why.
    pub(super) detail: String,
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) enum Refusal {
    /// 422: what was sent is not what is asked for.
    Invalid(Vec<Problem>),
    /// Another status, with its reason.
    Status(StatusCode, String),
}

impl Problem {
    /// A problem; `input` is JSON and is left out where it is long. Numbers beyond what others can read make it a text.
    pub(super) fn new(kind: &'static str, loc: Vec<Loc>, msg: impl Into<String>, input: &str) -> Self {
        let readable = |input: &str| match serde_json::from_str::<Value>(input) {
            Ok(_) => RawValue::from_string(input.to_owned()).ok(),
            Err(_) => to_raw_value(input).ok(),
        };
        let input = (input.len() <= LONGEST_INPUT).then(|| readable(input)).flatten();
        Self { kind, loc, msg: msg.into(), input }
    }
}

impl Refusal {
    pub(super) fn one(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }

    pub(super) fn too_large(what: &str, limit: impl std::fmt::Display) -> Self {
        Self::Status(StatusCode::PAYLOAD_TOO_LARGE, format!("{what} is larger than {limit}"))
    }
}

impl From<&str> for Loc {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Loc {
    fn from(position: usize) -> Self {
        Self::Position(position as u64)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(mut detail) => {
                detail.truncate(MOST_PROBLEMS);
                json(StatusCode::UNPROCESSABLE_ENTITY, &Invalid { detail })
            }
            Self::Status(status, detail) => {
                let mut response = json(status, &Refused { detail });
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                }
                response
            }
        }
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Enough to mend a request by; the rest would be the same again.
pub(super) const MOST_PROBLEMS: usize = 100;
/// Longer input is not sent back: a request with many problems would be answered by many times its size.
const LONGEST_INPUT: usize = 512;
