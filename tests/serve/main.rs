//! `flowshrike serve` from outside: the real binary, real connections on the loopback address.

#[path = "../util/program.rs"]
mod program;
#[path = "../util/skip.rs"]
mod skip;

mod errors;
mod files;
mod models;
mod pages;
mod predict;
mod running;
mod service;
