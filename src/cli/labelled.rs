//! Labelled flows as a command's input: which files, what to do with rows that cannot be read, what is said of them.

use std::path::PathBuf;

use super::progress::Bars;
use super::rules_file;
use crate::dataset::{self, Dataset, OnBadRow, Query};
use crate::features::FeatureId;
use crate::train::Progress as _;

/// Flags of every command that reads labelled flows.
#[derive(Debug, clap::Args)]
pub(super) struct Labelled {
    /// Flows with CICFlowMeter columns, of any version: CSV, JSON lines or Parquet; text may be packed with gzip or zip.
    /// Rows of a capture stand in the order of time
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(super) data: Vec<PathBuf>,
    /// Labels (and captures, column `Scenario`) in the same row order; they win over columns of the data. Where they end with
    /// one of the files, those that follow need labels of their own
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Column with the labels [default: LabelFlow if there is one, else Label]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Rules that label the flows by addresses, ports and time (docs/label.md), in place of labels in the data
    #[arg(long, value_name = "FILE", conflicts_with_all = ["labels", "label_column"])]
    rules: Option<PathBuf>,
    /// What to do with a row that cannot be read
    #[arg(long, value_enum, default_value_t = BadRowArg::Fail, value_name = "RULE")]
    on_bad_row: BadRowArg,
}

/// What to do with a row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum BadRowArg {
    /// Stop at the first
    Fail,
    /// Leave it out, with its label, and count it
    Skip,
}

impl From<BadRowArg> for OnBadRow {
    fn from(asked: BadRowArg) -> Self {
        match asked {
            BadRowArg::Fail => Self::Fail,
            BadRowArg::Skip => Self::Skip,
        }
    }
}

/// What is read of flows besides their values and labels.
#[derive(Clone, Copy, Debug, Default)]
struct Besides {
    identities: bool,
    span: bool,
}

impl Labelled {
    /// Other files, read as these are.
    pub(super) fn of(&self, data: &[PathBuf]) -> Self {
        let (label_column, rules) = (self.label_column.clone(), self.rules.clone());
        Self { data: data.to_vec(), labels: None, label_column, rules, on_bad_row: self.on_bad_row }
    }

    /// Reads the flows, with a column of groups if one is named; what was skipped and what is odd about the files goes to stderr.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(super) fn read_grouped(
        &self,
        features: &[FeatureId],
        group_column: Option<&str>,
        bars: &Bars,
    ) -> anyhow::Result<Dataset> {
        self.read_with(features, group_column, Besides::default(), bars)
    }

    /// The flows with who and when, for evidence.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(super) fn read_identified(&self, features: &[FeatureId], bars: &Bars) -> anyhow::Result<Dataset> {
        self.read_with(features, None, Besides { identities: true, span: true }, bars)
    }

    /// The flows with the time that their captures cover.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(super) fn read_timed(&self, features: &[FeatureId], bars: &Bars) -> anyhow::Result<Dataset> {
        self.read_with(features, None, Besides { identities: false, span: true }, bars)
    }

    fn read_with(
        &self,
        features: &[FeatureId],
        group_column: Option<&str>,
        besides: Besides,
        bars: &Bars,
    ) -> anyhow::Result<Dataset> {
        let rules = self.rules.as_deref().map(rules_file::open).transpose()?;
        let query = Query {
            rules: rules.as_ref(),
            data: &self.data,
            labels: self.labels.as_deref(),
            label_column: self.label_column.as_deref(),
            group_column,
            identities: besides.identities,
            span: besides.span,
            features,
            on_bad_row: self.on_bad_row.into(),
        };
        bars.begin_rows();
        let data = dataset::read_watched(&query, || bars.step(1))?;
        for note in data.notes() {
            bars.say(&format!("note      {note}\n"));
        }
        bars.say(&data.skipped().text());
        Ok(data)
    }
}
