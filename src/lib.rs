//! Flowshrike: network-flow detection for Kubernetes nodes.
//!
//! # Layout
//! The modules stand in the order in which a packet travels; each imports only from those above it.
//! - [`mod@time`] holds microseconds.
//! - [`packet`] makes one small value of frame bytes.
//! - [`flow`] has five-tuples, per-flow state, timers, the bounded table.
//! - [`features`] has the CICFlowMeter columns, from one schema table.
//! - [`model`] has transform, nearest neighbours, novelty, the artifact.
//! - [`capture`] reads files and interfaces: the edge where packets come in.

pub mod time;

pub mod packet;

pub mod flow;

pub mod features;

pub mod model;

pub mod capture;

pub mod pipeline;

pub mod cli;
