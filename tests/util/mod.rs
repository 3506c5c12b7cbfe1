//! Helpers that the integration tests share: made-up traffic, and capture files of every kind to put it in.
//!
//! Each test crate takes what it needs: `mod util;` and then `util::traffic::Traffic`.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test crate uses its own part of this module")]

pub mod capture_file;
pub mod flow_csv;
pub mod library_frame;
pub mod netns;
pub mod published;
pub mod random;
pub mod skip;
pub mod traffic;
