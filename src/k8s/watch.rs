//! One kind of objects, followed: a list in pages, then a watch from where the list stood, and so on after whatever goes wrong.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::client::Connection;
use super::fault::Fault;
use super::names::{Kind, Names, Taken};
use super::object::{Change, Event, Marked, Page, Pod, Service, Status};
use super::{Settings, wall_clock};
use crate::telemetry::{KubernetesMetrics, Metrics};
use crate::time::Micros;

/// A kind as it is read and kept.
pub(super) trait Watched: DeserializeOwned {
    const KIND: Kind;
    /// Its path, and what is asked of it.
    fn path(settings: &Settings) -> String;
    fn put(self, names: &Names, now: Micros) -> Taken;
    fn remove(self, names: &Names, now: Micros);
}

/// Follows one kind for as long as it is polled.
pub(super) struct Follower<'a> {
    settings: &'a Settings,
    names: &'a Names,
    metrics: KubernetesMetrics,
    /// Where the next watch begins; without it, all is listed first.
    version: Option<String>,
    page: usize,
    /// What was last told of in the log, so that an outage is told once.
    told: Option<&'static str>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(kind: Kind, settings: &'a Settings, names: &'a Names, metrics: &Metrics) -> Self {
        let metrics = metrics.kubernetes(kind.name(), &Fault::REASONS);
        Self { settings, names, metrics, version: None, page: PAGE, told: None }
    }

    /// Never returns.
    pub(super) async fn follow<T: Watched>(mut self) {
        let patience = &self.settings.patience;
        let mut pause = patience.retry_first;
        loop {
            let began = instant();
            let fault = match self.round::<T>().await {
                Ok(never) => match never {},
                Err(fault) => fault,
            };
            self.names.watching(T::KIND, false, wall_clock());
            self.metrics.restarted(fault.reason());
            self.tell(T::KIND, &fault);
            match fault {
                Fault::TooLarge if self.version.is_none() => self.page = (self.page / 2).max(1),
                Fault::Expired | Fault::Garbage(_) | Fault::TooLarge => self.version = None,
                _ => {}
            }
            if began.elapsed() > STEADY {
                pause = patience.retry_first;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(patience.retry_most);
        }
    }

    /// Lists if need be, and watches until something ends it.
    async fn round<T: Watched>(&mut self) -> Result<std::convert::Infallible, Fault> {
        let api = Arc::new(self.settings.api.clone());
        let mut connection = Connection::open(&api, self.settings.patience).await?;
        let version = match self.version.take() {
            Some(version) => version,
            None => self.list::<T>(&mut connection).await?,
        };
        self.version = Some(version.clone());
        self.watch::<T>(&mut connection, &version).await
    }

    /// Everything there is, page by page; returns where a watch goes on.
    async fn list<T: Watched>(&mut self, connection: &mut Connection) -> Result<String, Fault> {
        self.names.begin_list(T::KIND);
        let base = T::path(self.settings);
        let mut next = String::new();
        loop {
            let from = if next.is_empty() { String::new() } else { format!("&continue={}", encoded(&next)) };
            let body = connection.get(&format!("{base}limit={}{from}", self.page)).await?;
            let text = body.whole(self.settings.patience.answer, MOST_PAGE).await?;
            let page: Page<T> = serde_json::from_slice(&text).map_err(garbage)?;
            let now = wall_clock();
            for object in page.items.into_iter().flatten() {
                self.put(object, now);
            }
            next = page.metadata.next;
            if next.is_empty() {
                self.names.end_list(T::KIND, now);
                self.metrics.synced(now);
                return version_of(page.metadata.resource_version);
            }
        }
    }

    /// Changes as they come.
    async fn watch<T: Watched>(
        &mut self,
        connection: &mut Connection,
        version: &str,
    ) -> Result<std::convert::Infallible, Fault> {
        let patience = self.settings.patience;
        let (base, seconds) = (T::path(self.settings), patience.watch.as_secs().max(1));
        let version = encoded(version);
        let query =
            format!("{base}watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}");
        let mut body = connection.get(&query).await?;
        self.names.watching(T::KIND, true, wall_clock());
        if self.told.take().is_some() {
            tracing::info!("{} of the Kubernetes API are followed again", T::KIND.name());
        }
        loop {
            let line = body.line(patience.watch + patience.answer, MOST_LINE).await?.ok_or(Fault::Ended)?;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let event: Event<'_> = serde_json::from_slice(&line).map_err(garbage)?;
            let object = event.object.get();
            if event.what == Change::Error {
                let status: Status = serde_json::from_str(object).map_err(garbage)?;
                return Err(Fault::of_status(status.code));
            }
            let marked: Marked = serde_json::from_str(object).map_err(garbage)?;
            match event.what {
                Change::Added | Change::Modified => {
                    let object = serde_json::from_str(object).map_err(garbage)?;
                    self.put::<T>(object, wall_clock());
                }
                Change::Deleted => {
                    let object: T = serde_json::from_str(object).map_err(garbage)?;
                    object.remove(self.names, wall_clock());
                }
                Change::Bookmark | Change::Error => {}
            }
            self.version = Some(version_of(marked.metadata.resource_version)?);
        }
    }

    fn put<T: Watched>(&self, object: T, now: Micros) {
        if object.put(self.names, now) == Taken::Refused {
            self.metrics.refused.inc();
        }
    }

    /// The first time that something goes wrong, and again when it is something else.
    fn tell(&mut self, kind: Kind, fault: &Fault) {
        if matches!(fault, Fault::Ended | Fault::Expired) {
            tracing::debug!("{}: {fault}", kind.name());
        } else if self.told != Some(fault.reason()) {
            self.told = Some(fault.reason());
            tracing::warn!("{} of the Kubernetes API are not followed: {fault}", kind.name());
        }
    }
}

impl Watched for Pod {
    const KIND: Kind = Kind::Pods;

    fn path(settings: &Settings) -> String {
        let of_node = |node: &String| format!("fieldSelector=spec.nodeName%3D{}&", encoded(node));
        format!("/api/v1/pods?{}", settings.node.as_ref().map(of_node).unwrap_or_default())
    }

    fn put(self, names: &Names, now: Micros) -> Taken {
        names.put_pod(self, now)
    }

    fn remove(self, names: &Names, now: Micros) {
        names.remove_pod(&self.metadata.uid, now);
    }
}

impl Watched for Service {
    const KIND: Kind = Kind::Services;

    fn path(_: &Settings) -> String {
        "/api/v1/services?".to_owned()
    }

    fn put(self, names: &Names, _: Micros) -> Taken {
        names.put_service(self)
    }

    fn remove(self, names: &Names, _: Micros) {
        names.remove_service(&self.metadata.namespace, &self.metadata.name);
    }
}

/// Where a watch goes on; without one, what came was something else than it should be.
fn version_of(version: String) -> Result<String, Fault> {
    if version.is_empty() { Err(Fault::Garbage("it has no resourceVersion".to_owned())) } else { Ok(version) }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn garbage(error: serde_json::Error) -> Fault {
    Fault::Garbage(error.to_string())
}

/// A text as a value in a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Half the time to all of it: the nodes of a cluster must not ask in step.
fn jittered(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(()) % 512;
    pause / 2 + pause / 1_024 * u32::try_from(chance).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "an edge: whether a watch has lasted")]
fn instant() -> Instant {
    Instant::now()
}

/// Objects a page: some megabytes at most, where one has tens of kilobytes.
const PAGE: usize = 250;
/// Bytes of a page; if one has more, the next try asks for half as many objects.
const MOST_PAGE: usize = 32 << 20;
/// Bytes of a line of a watch: etcd takes no object of more than 1.5 MiB.
const MOST_LINE: usize = 4 << 20;
/// What lasted for longer than this did not fail: the next try comes soon.
const STEADY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_is_encoded() {
        assert_eq!(encoded("node-1.example"), "node-1.example");
        assert_eq!(encoded("eyJ2Ij+/=&é"), "eyJ2Ij%2B%2F%3D%26%C3%A9");
    }

    #[test]
    fn pauses_differ_and_keep_their_bounds() {
        let pause = Duration::from_secs(8);
        let pauses: Vec<_> = (0..64).map(|_| jittered(pause)).collect();
        assert!(pauses.iter().all(|one| (pause / 2..=pause).contains(one)));
        assert!(pauses.iter().any(|one| *one != pauses[0]));
    }
}
