//! The metrics listener of `run`: what it needs is read and bound before rights are given up.

use anyhow::Context as _;

use super::Usage;
use crate::config::{Config, MetricsConfig};
use crate::privilege::Access;
use crate::serve::{Bound, Bounds, HttpServer, Tls, Token, metrics_router};
use crate::telemetry::Metrics;
use std::sync::Arc;

/// An address that is listened on for scrapers, with what they must speak and show.
#[derive(Debug)]
pub(super) struct Scrape {
    bound: Bound,
    tls: Option<Tls>,
    token: Option<Token>,
}

impl Scrape {
    /// Listens, where the configuration asks for it.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Option<Self>> {
        let MetricsConfig { listen, tls, token_file } = &config.metrics;
        let Some(listen) = *listen else { return Ok(None) };
        let tls = tls.as_ref().map(|(certificate, key)| Tls::read(certificate, key)).transpose();
        let tls = tls.map_err(|error| Usage(format!("metrics.tls_certificate: {error}")))?;
        let token = token_file.as_deref().map(Token::read).transpose();
        let token = token.map_err(|error| Usage(format!("metrics.token_file: {error}")))?;
        if token.is_some() && tls.is_none() && !listen.ip().is_loopback() {
            tracing::warn!(
                "the token of metrics crosses the network in clear: set metrics.tls_certificate and metrics.tls_key"
            );
        }
        let bound = Bound::to(listen, "--metrics-listen").context("metrics cannot be served")?;
        Ok(Some(Self { bound, tls, token }))
    }

    /// Answers scrapers from now on.
    pub(super) fn serve(self, metrics: Arc<Metrics>) -> anyhow::Result<HttpServer> {
        let Self { bound, tls, token } = self;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shown = if token.is_some() { ", for those who show the token" } else { "" };
        let server = HttpServer::serve("metrics", bound, Bounds::default(), tls, metrics_router(metrics, token))?;
        tracing::info!("metrics for scrapers on {scheme}://{}/metrics{shown}", server.local_addr());
        Ok(server)
    }
}

/// The files that may be renewed while the daemon runs.
pub(super) fn renewed(config: &MetricsConfig, access: &mut Access) {
    let MetricsConfig { listen: _, tls, token_file } = config;
    for path in tls.iter().flat_map(|(certificate, key)| [certificate, key]).chain(token_file) {
        access.read_file(path);
    }
}
