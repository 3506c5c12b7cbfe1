//! HTTP: the admin server of the running daemon, and the prediction service.

mod admin;
mod answer;
mod bounded;
mod captures;
mod flows;
mod openapi;
mod pages;
mod predict;
mod problem;
mod request;
mod service;
mod upload;

pub use admin::{AdminState, ModelCard, router};
pub use bounded::{Bound, Bounds, HttpServer, ServeError};
pub use service::{CaptureLines, CaptureRefused, Captures, Limits, Service, ServiceError, service_router};
