//! Signals become requests: SIGTERM and SIGINT stop the run, a second one ends the process, SIGHUP reopens files. Commands that
//! do not run on end at once.

use std::process;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output;
use crate::pipeline::Stop;

/// Listens on a thread of its own until the process ends; after `limit`, if there is one, the run is stopped too.
pub(super) fn listen(stop: Stop, limit: Option<Duration>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("signals cannot be listened to")?;
    let _guard = runtime.enter();
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else {
        anyhow::bail!("signals cannot be listened to");
    };
    drop(_guard);
    let listening = async move {
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        let mut is_over = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => end(&stop, SignalKind::terminate()),
                _ = interrupt.recv() => end(&stop, SignalKind::interrupt()),
                _ = hangup.recv() => stop.request_reopen(),
                () = &mut over, if !is_over => {
                    is_over = true;
                    stop.request();
                }
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listening))
        .context("signals cannot be listened to")?;
    Ok(())
}

/// SIGTERM or SIGINT, for a command that waits for nothing else.
#[derive(Debug)]
pub(super) struct End {
    runtime: tokio::runtime::Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl End {
    /// Listens from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("signals cannot be listened to")?;
        let guard = runtime.enter();
        let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        let [Ok(terminate), Ok(interrupt)] = signals else {
            anyhow::bail!("signals cannot be listened to");
        };
        drop(guard);
        Ok(Self { runtime, terminate, interrupt })
    }

    /// Returns when the first has come; a second one ends the process at once, with the code that shells give a killed program.
    pub(super) fn wait(self) {
        let Self { runtime, mut terminate, mut interrupt } = self;
        let mut next = async move || {
            tokio::select! {
                _ = terminate.recv() => SignalKind::terminate(),
                _ = interrupt.recv() => SignalKind::interrupt(),
            }
        };
        runtime.block_on(next());
        let again = move || runtime.block_on(async move { process::exit(128 + next().await.as_raw_value()) });
        // Without the thread a second signal does nothing, and the end comes all the same.
        drop(thread::Builder::new().name("signals".to_owned()).spawn(again));
    }
}

/// Lets SIGINT and SIGTERM end a command at once, with the code that shells give a killed program, but not amid a file: what
/// is written beside its place is whole in its place by then, or gone.
pub(super) fn end_whole() -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().context("signals cannot be listened to")?;
    let guard = runtime.enter();
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt)] = signals else {
        anyhow::bail!("signals cannot be listened to");
    };
    drop(guard);
    let listening = async move {
        let kind = tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        };
        output::abandon(|| process::exit(128 + kind.as_raw_value()))
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listening))
        .context("signals cannot be listened to")?;
    Ok(())
}

/// Asks for the end, or, when that was asked for before, ends at once with the code that shells give a killed program.
fn end(stop: &Stop, kind: SignalKind) {
    if stop.is_requested() {
        process::exit(128 + kind.as_raw_value());
    }
    tracing::info!("stopping; a second signal ends at once");
    stop.request();
}
