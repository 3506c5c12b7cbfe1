//! Flowshrike: network-flow detection for Kubernetes nodes.
//!
//! # Layout
//! The modules stand in the order in which a packet travels; each imports only from those above it.
//! - [`time`]: microseconds.
//! - [`packet`]: frame bytes to one small value.
//! - [`flow`]: five-tuples, per-flow state, timers, the bounded table.
//! - [`features`]: the CICFlowMeter columns, from one schema table.
//! - [`model`]: transform, nearest neighbours, novelty, the artifact.
//! - [`alert`]: policy, suppression, the alert and its formats.
//! - [`capture`]: files and interfaces, the edge where packets come in.
//! - [`sink`]: the edge where alerts go out.
//! - [`telemetry`]: metrics, logs, heartbeats.
//! - [`serve`]: the admin server.
//! - [`config`]: what was written in a file, the environment and flags, and what runs.

pub mod time;

pub mod packet;

pub mod flow;

pub mod features;

pub mod model;

pub mod alert;

pub mod capture;

pub mod sink;

pub mod telemetry;

pub mod serve;

pub mod config;
