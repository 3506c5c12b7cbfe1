//! Names of addresses, as the configuration and the environment want them: whether the Kubernetes API is asked, and where it is.

use std::sync::Arc;

#[cfg(feature = "kubernetes")]
use anyhow::Context as _;

#[cfg(not(feature = "kubernetes"))]
use super::Usage;
use crate::alert::Directory;
use crate::config::Config;
#[cfg(feature = "kubernetes")]
use crate::config::KubernetesConfig;
#[cfg(feature = "kubernetes")]
use crate::k8s::{Api, Credentials, Patience, Settings, Watcher};
use crate::privilege::Access;
use crate::telemetry::Metrics;
#[cfg(feature = "kubernetes")]
use crate::time::Micros;

/// What is to be asked, before anything is.
#[derive(Debug, Default)]
pub(super) struct Identity {
    #[cfg(feature = "kubernetes")]
    settings: Option<Settings>,
}

/// What is being asked; it ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Naming {
    #[cfg(feature = "kubernetes")]
    watcher: Option<Watcher>,
}

#[cfg(feature = "kubernetes")]
impl Identity {
    /// What the configuration wants, as far as it can be had here.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let wanted = &config.kubernetes;
        if wanted.enabled == Some(false) {
            return Ok(Self::default());
        }
        let Some(api) = api(wanted)? else {
            anyhow::ensure!(
                wanted.enabled.is_none(),
                "kubernetes.enabled is `on`, but there is no kubernetes.api, and this is no pod"
            );
            return Ok(Self::default());
        };
        if wanted.enabled.is_none() && wanted.api.is_none() && !wanted.token_file.exists() {
            tracing::info!(
                "addresses get no names: there is no token for the Kubernetes API at {}",
                wanted.token_file.display()
            );
            return Ok(Self::default());
        }
        let settings = Settings {
            api,
            node: wanted.node.clone(),
            labels: wanted.labels.clone(),
            max_objects: wanted.max_objects,
            grace: config.flow.idle_timeout + LATE,
            patience: Patience::default(),
        };
        let whose = settings.node.as_ref().map_or_else(|| "of all nodes".to_owned(), |node| format!("of node {node}"));
        tracing::info!("names of pods ({whose}), services and nodes come from the Kubernetes API");
        Ok(Self { settings: Some(settings) })
    }

    /// What a restricted thread needs for it.
    pub(super) fn reach(&self, access: &mut Access) {
        let Some(Settings { api, .. }) = &self.settings else { return };
        api.files().for_each(|file| access.read_file(file));
        access.connect.push(api.port());
        if api.is_named() {
            access.look_up_names();
        }
    }

    /// Begins to ask.
    pub(super) fn start(self, metrics: &Arc<Metrics>) -> anyhow::Result<Naming> {
        let start = |settings| Watcher::start(settings, Arc::clone(metrics));
        let watcher =
            self.settings.map(start).transpose().context("the thread that asks the Kubernetes API does not start")?;
        Ok(Naming { watcher })
    }
}

#[cfg(feature = "kubernetes")]
impl Naming {
    /// Who knows names, if anybody does.
    pub(super) fn directory(&self) -> Option<Arc<dyn Directory>> {
        self.watcher.as_ref().map(|watcher| watcher.names() as Arc<dyn Directory>)
    }

    /// Asks no more.
    pub(super) fn end(self) {
        drop(self.watcher);
    }
}

#[cfg(feature = "kubernetes")]
fn api(wanted: &KubernetesConfig) -> anyhow::Result<Option<Api>> {
    let KubernetesConfig { token_file, ca_file, .. } = wanted;
    let credentials = Credentials { token_file: token_file.clone(), ca_file: ca_file.clone() };
    if let Some(url) = &wanted.api {
        return Api::at(url, credentials).map(Some).context("kubernetes.api");
    }
    let told = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let here = told("KUBERNETES_SERVICE_HOST").zip(told("KUBERNETES_SERVICE_PORT"));
    Ok(here.and_then(|(host, port)| Api::in_cluster(&host, &port, credentials)))
}

/// How long after its last packet's silence a flow is told of at most, beside the idle timeout itself.
#[cfg(feature = "kubernetes")]
const LATE: Micros = Micros::from_secs(15);

#[cfg(not(feature = "kubernetes"))]
impl Identity {
    /// Nothing can be asked.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        if config.kubernetes.enabled == Some(true) {
            return Err(Usage(
                "kubernetes.enabled is `on`, but this program was built without the feature `kubernetes`".to_owned(),
            )
            .into());
        }
        Ok(Self::default())
    }

    pub(super) const fn reach(&self, _: &mut Access) {}

    pub(super) fn start(self, _: &Arc<Metrics>) -> anyhow::Result<Naming> {
        Ok(Naming::default())
    }
}

#[cfg(not(feature = "kubernetes"))]
impl Naming {
    pub(super) fn directory(&self) -> Option<Arc<dyn Directory>> {
        None
    }

    pub(super) const fn end(self) {}
}
