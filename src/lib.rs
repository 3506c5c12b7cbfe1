//! Flowshrike: network-flow detection for Kubernetes nodes.
//!
//! # Layout
//! The modules stand in the order in which a packet travels; each imports only from those above it.
//! - [`time`]: microseconds.
//! - [`packet`]: frame bytes to one small value.
//! - [`flow`]: five-tuples, per-flow state, timers, the bounded table.
//! - [`features`]: the CICFlowMeter columns, from one schema table.
//! - [`model`]: transform, nearest neighbours, novelty, the artifact.
//! - [`capture`]: files and interfaces, the edge where packets come in.
//! - [`cli`]: the subcommands.

pub mod time;

pub mod packet;

pub mod flow;

pub mod features;

pub mod model;

pub mod capture;

pub mod cli;
