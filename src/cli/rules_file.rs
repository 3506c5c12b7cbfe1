//! A file of rules that label flows, as commands take it.

use std::path::Path;

use anyhow::Context as _;

use super::Usage;
use crate::dataset::rules::Rules;

/// Reads a rules file. As with the configuration, what is wrong in it is usage.
///
/// # Errors
/// A file that cannot be read, and the first thing that is wrong in it, with line and column.
pub(super) fn open(path: &Path) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(Rules::parse(&text).map_err(|error| Usage(format!("{}:{error}", path.display())))?)
}
