//! HTTP: the admin server of the running daemon.

mod admin;
mod bounded;

pub use admin::{AdminState, ModelCard, router};
pub use bounded::{Bound, Bounds, HttpServer, ServeError};
