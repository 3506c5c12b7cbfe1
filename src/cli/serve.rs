//! `flowshrike serve`: the prediction service alone, without capture.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use std::sync::Arc;

use anyhow::Context as _;

use super::detection::introduce;
use super::tracking::RegistryArgs;
use super::{Usage, model_file, signals};
use crate::capture::{CaptureFile, FileError};
use crate::features::Profile;
use crate::model::{CannotServe, Model};
use crate::pipeline::{FlowLines, FlowLinesError, flow_lines, identity_of};
use crate::serve::{Bounds, CaptureLines, CaptureRefused, Captures, HttpServer, Limits, Service, service_router};
use crate::telemetry::ServiceMetrics;

/// Flags of `flowshrike serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the service listens: an IP address and a port, as 127.0.0.1:8000 or [::1]:8000; port 0 takes any. It has no
    /// password: leave it on the loopback address or where only trusted clients reach it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000", env = "FLOWSHRIKE_SERVE_LISTEN")]
    listen: SocketAddr,

    /// The model to ask: a file, or a registry's name for one [default: the one that is part of the program]
    #[arg(long, short, value_name = "MODEL")]
    model: Option<PathBuf>,

    #[command(flatten)]
    registry: RegistryArgs,

    /// Threads that serve [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,

    /// Greatest body of a file of flows or a capture, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_upload: u16,

    /// Files that are received or worked on at a time; more are told to come again
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_uploads: u16,
}

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let model = model_file::find(args.model.as_deref(), args.registry.uri())?;
    if let Err(error @ CannotServe::Identity { .. }) = model.serves(Profile::Standard) {
        anyhow::bail!(Usage(error.to_string()));
    }
    // Classifiers of all threads borrow it until the process ends.
    let model: &'static Model = Box::leak(Box::new(model));
    let metrics = ServiceMetrics::new(&identity_of(model)).context("metrics cannot be set up")?;
    let limits = Limits { upload: usize::from(args.max_upload) << 20, places: args.max_uploads.into() };
    let service = Service::new(model, metrics, limits, Box::new(Pipeline(model)))?;
    let threads =
        args.workers.map_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get), usize::from);
    let bounds = Bounds {
        connections: CONNECTIONS,
        request_timeout: REQUEST_TIMEOUT,
        lifetime: LIFETIME,
        grace: GRACE,
        threads,
    };
    let end = signals::End::listen()?;
    let server = HttpServer::start("serve", args.listen, "--listen", bounds, service_router(Arc::new(service)))?;
    eprintln!("flowshrike: {}", introduce(model));
    eprintln!("flowshrike: serving on http://{}/", server.local_addr());
    end.wait();
    server.stop();
    Ok(())
}

/// The pipeline, for captures that are sent.
struct Pipeline(&'static Model);

impl Captures for Pipeline {
    fn lines(&self, capture: Box<dyn Read + Send>, limit: usize) -> Result<CaptureLines, CaptureRefused> {
        self.0.serves(Profile::Standard).map_err(|error| CaptureRefused::CannotServe(error.to_string()))?;
        let capture = CaptureFile::from_stream(NAME, capture).map_err(|error| match too_large(&error) {
            true => CaptureRefused::TooLarge(error.to_string()),
            false => CaptureRefused::NotACapture(error.to_string()),
        })?;
        let told = flow_lines(self.0, capture, limit).map_err(|error| match error {
            FlowLinesError::TooMany(_) => CaptureRefused::TooLarge(format!("{error}: run `flowshrike replay` on it")),
            FlowLinesError::Pipeline(error) => CaptureRefused::Failed(error.to_string()),
        })?;
        let FlowLines { lines, verdicts, novel, incomplete } = told;
        if let Some(error) = incomplete.as_ref().filter(|error| too_large(error)) {
            return Err(CaptureRefused::TooLarge(error.to_string()));
        }
        let warning = incomplete.map(|error| format!("{error}; what was read up to there is used"));
        Ok(CaptureLines { lines, labels: verdicts.classified, novel, warning })
    }
}

/// Whether a packed capture unpacks to more than is taken.
fn too_large(error: &FileError) -> bool {
    matches!(error, FileError::Read { source, .. } | FileError::Open { source, .. } if source.kind() == ErrorKind::FileTooLarge)
}

/// What errors call the capture.
const NAME: &str = "body";
/// Each costs some kilobytes, and a request of a list at most a megabyte besides.
const CONNECTIONS: usize = 512;
/// Also the longest that a kept connection may wait for its next request: longer than pools of clients keep one by default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(75);
/// Connections are spread over replicas anew now and then.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// Within the 30 s that Kubernetes gives a pod.
const GRACE: Duration = Duration::from_secs(10);
