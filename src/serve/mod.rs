//! HTTP: the admin server and the metrics listener of the running daemon, and the prediction service.

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
mod reread;
mod scrape;
mod service;
mod tls;
mod token;
mod upload;

pub use admin::{AdminState, ModelCard, router};
pub use bounded::{Bound, Bounds, HttpServer, ServeError};
pub use reread::RereadError;
pub use scrape::metrics_router;
pub use service::{CaptureLines, CaptureRefused, Captures, Limits, Service, ServiceError, service_router};
pub use tls::Tls;
pub use token::Token;
