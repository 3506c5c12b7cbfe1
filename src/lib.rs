//! Flowshrike: network-flow detection for Kubernetes nodes.
//!
//! # Layout
//! The modules stand in the order in which a packet travels; each imports only from those above it.
//! - [`mod@time`] holds microseconds.
//! - `yaml` reads YAML as a tree of texts that know their line.
//! - [`packet`] makes one small value of frame bytes.
//! - [`flow`] has five-tuples, per-flow state, timers, the bounded table.
//! - [`features`] has the CICFlowMeter columns, from one schema table.
//! - [`taxonomy`] names labels, their severity and ATT&CK technique.
//! - [`model`] has transform, nearest neighbours, novelty, the artifact.
//! - [`evidence`] counts what many flows say together, and raises incidents.
//! - [`alert`] has policy, suppression, the alert and its formats.
//! - [`dataset`] reads labelled flows.
//! - [`train`] fits a model to them and evaluates it.
//! - [`capture`] reads files and interfaces: the edge where packets come in.
//! - [`sink`] writes lines: the edge where alerts go out.
//! - `k8s` asks the Kubernetes API whose an address is.
//! - [`telemetry`] has metrics, logs and heartbeats.
//! - [`serve`] answers over HTTP.
//! - [`track`] sends records of runs to an MLflow server, or keeps them in a folder.
//! - [`privilege`] gives up what the daemon does not need, and keeps it from what it must not do.
//! - [`config`] makes what runs of what was written in a file, the environment and flags.
//! - [`pipeline`] is the drawing of the data path as code: stages, shards, shutdown.
//! - [`cli`] has the commands.

pub mod time;

mod yaml;

pub mod packet;

pub mod flow;

pub mod features;

pub mod taxonomy;

pub mod model;

pub mod evidence;

pub mod alert;

pub mod dataset;

pub mod train;

pub mod capture;

pub mod sink;

#[cfg(feature = "kubernetes")]
pub mod k8s;

pub mod telemetry;

pub mod serve;

pub mod track;

pub mod privilege;

pub mod config;

pub mod pipeline;

pub mod cli;
