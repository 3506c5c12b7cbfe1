//! The subcommands: what the user typed becomes calls into the layers above.

pub mod interfaces;
