//! [`Watcher`]: the thread that follows the API, from its start to its end.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::names::{Held, Kind, Names};
use super::object::{Pod, Service};
use super::watch::Follower;
use super::{Settings, wall_clock};
use crate::telemetry::Metrics;

/// Follows the API until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    names: Arc<Names>,
    /// Dropped to end the thread.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts to follow; it returns at once, and names come as the API tells them.
    ///
    /// # Errors
    /// The thread does not start.
    pub fn start(settings: Settings, metrics: Arc<Metrics>) -> io::Result<Self> {
        let names = Arc::new(Names::new(settings.labels.clone(), settings.grace, settings.max_objects));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (end, ended) = oneshot::channel::<()>();
        let followed = Arc::clone(&names);
        let thread = thread::Builder::new().name("kubernetes".to_owned()).spawn(move || {
            runtime.block_on(async {
                let pods = Follower::new(Kind::Pods, &settings, &followed, &metrics);
                let services = Follower::new(Kind::Services, &settings, &followed, &metrics);
                tokio::select! {
                    _ = ended => {}
                    () = pods.follow::<Pod>() => {}
                    () = services.follow::<Service>() => {}
                    () = look_after(&followed, &metrics) => {}
                }
            });
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { names, end: Some(end), thread: Some(thread) })
    }

    /// What is known.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that follows the Kubernetes API panicked");
        }
    }
}

/// Forgets what is long gone, and tells how things stand.
async fn look_after(names: &Names, metrics: &Metrics) {
    let kinds = Kind::ALL.map(|kind| (kind, metrics.kubernetes(kind.name(), &[])));
    loop {
        let now = wall_clock();
        names.forget(now);
        let Held { pods, departed, services } = names.held();
        metrics.set_kubernetes_objects([
            ("pods", pods - departed),
            ("departed_pods", departed),
            ("services", services),
        ]);
        metrics.set_kubernetes_state(names.state());
        for (kind, metrics) in &kinds {
            if names.follows(*kind) {
                metrics.synced(now);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Short beside all that is told by it.
const LOOK: Duration = Duration::from_secs(1);
