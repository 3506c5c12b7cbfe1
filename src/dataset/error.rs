//! What can be wrong with files of labelled flows: with a whole file, or with one row of it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One row that cannot be read as a labelled flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{file}: {place}{}: {problem}", column.as_ref().map(|name| format!(", column `{name}`")).unwrap_or_default())]
pub struct BadRow {
    /// The file; a member of an archive stands below the archive.
    pub file: String,
    /// Where the row stands in it.
    #[serde(flatten)]
    pub place: Place,
    /// The column, if it is one cell that is wrong.
    pub column: Option<String>,
    /// What is wrong.
    pub problem: String,
}

/// Where a row stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A line of text, from 1.
    Line(u64),
    /// A row of a file that has no lines, from 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why there is no data set.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be opened or read, or a packed stream ends early or does not unpack.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file as a whole is not what it seems: a damaged archive, a first line that names no columns.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A row that cannot be read, where none may be skipped.
    #[error("{0} (--on-bad-row skip leaves such rows out and counts them)")]
    Row(BadRow),
    /// Feature columns are not there.
    #[error("{}: no column {}: these are needed, by a name that a CICFlowMeter or `flowshrike extract` gives them", path.display(), columns.join(", "))]
    Missing {
        /// The file.
        path: PathBuf,
        /// The columns, quoted.
        columns: Vec<String>,
    },
    /// Columns that are there, but count something else than the feature.
    #[error("{}: {}. Meter the captures again with `flowshrike extract`; if you know that a column is CICFlowMeter's, give it CICFlowMeter's name", path.display(), columns.join("; "))]
    OtherMeaning {
        /// The file.
        path: PathBuf,
        /// Each column with its reason.
        columns: Vec<String>,
    },
    /// Files whose columns do not mean the same.
    #[error("{} is by another version of CICFlowMeter than {}, which counts some columns differently: use them apart", path.display(), first.display())]
    Mixed {
        /// The file.
        path: PathBuf,
        /// The file that it does not agree with.
        first: PathBuf,
    },
    /// A column that is needed is there more than once.
    #[error("{}: column `{column}` is there {times} times: rename or remove all but one", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// How often, under whichever names.
        times: usize,
    },
    /// No column with labels.
    #[error("{}: no label column ({wanted}): name it with --label-column, or give labels with --labels", path.display())]
    NoLabels {
        /// The file that was searched.
        path: PathBuf,
        /// The names that were looked for.
        wanted: String,
    },
    /// Columns that a rules file looks at are not there.
    #[error("{}: no column {}: the rules ask for these, by CICFlowMeter's names", path.display(), columns.join(", "))]
    NoIdentities {
        /// The file.
        path: PathBuf,
        /// The columns, quoted.
        columns: Vec<String>,
    },
    /// No column with groups.
    #[error("{}: no column `{wanted}` to group flows by; the columns are {}", path.display(), columns.join(", "))]
    NoGroups {
        /// The file that was searched, and the labels with it.
        path: PathBuf,
        /// The name that was looked for.
        wanted: String,
        /// The columns that there are, quoted.
        columns: Vec<String>,
    },
    /// Flows and labels do not pair up.
    #[error("{} has {labels} rows of labels and the data {flows} flows: they are joined row by row", path.display())]
    Unpaired {
        /// The labels' file.
        path: PathBuf,
        /// Its rows.
        labels: u64,
        /// The data's rows.
        flows: u64,
    },
    /// Nothing but headers and rows that were skipped.
    #[error("{}: no flows in it{}", path.display(), if *skipped > 0 { format!(", and {skipped} rows skipped") } else { String::new() })]
    Empty {
        /// The first file.
        path: PathBuf,
        /// Rows that were skipped, of all files.
        skipped: u64,
    },
}
