//! The commands. Temporary: dispatch is another piece's.

pub mod evaluate;
mod output;
pub mod train;
