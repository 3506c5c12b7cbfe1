//! Ctrl-C and SIGTERM: the runner goes on to its end at once, so that namespaces and children are removed on the way.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Watches for signals from now on, on a thread of its own.
pub(super) fn watch() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let (Ok(mut interrupted), Ok(mut ended)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! { _ = interrupted.recv() => (), _ = ended.recv() => () }
            STOP.store(true, Ordering::Relaxed);
        });
    });
}

/// Fails once a signal has come.
pub(super) fn check() -> anyhow::Result<()> {
    anyhow::ensure!(!STOP.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

static STOP: AtomicBool = AtomicBool::new(false);
