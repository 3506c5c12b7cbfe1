//! Flowshrike: network-flow detection for Kubernetes nodes.
//!
//! # Layout
//! The modules stand in the order in which a packet travels; each imports only from those above it.
//! - [`time`]: microseconds.
//! - [`packet`]: frame bytes to one small value.
//! - [`flow`]: five-tuples, per-flow state, timers, the bounded table.
//! - [`features`]: the CICFlowMeter columns, from one schema table.
//! - [`taxonomy`]: what a label means: severity, ATT&CK technique.
//! - [`model`]: transform, nearest neighbours, novelty, the artifact.
//! - [`dataset`]: labelled flows from CSV.
//! - [`train`]: fit, validate, evaluate.
//! - [`capture`]: files and interfaces, the edge where packets come in.

pub mod time;

pub mod packet;

pub mod flow;

pub mod features;

pub mod taxonomy;

pub mod model;

pub mod dataset;

pub mod train;

pub mod capture;

pub mod cli;
