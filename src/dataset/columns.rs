//! Which columns of a table are which: features by all their names, labels, captures, groups.

use super::aliases::{Family, Meaning};
use super::error::DatasetError;
use super::identity;
use super::table::Opened;
use crate::features::{FeatureId, Identity};

/// The columns that a user names; without a name a label is looked for where it usually stands, and a group is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) label: Option<String>,
    pub(super) group: Option<String>,
}

/// The columns of a table that are read, by their positions; [`Table::cell`](super::table::Table::cell) gives features
/// first, in their order, then the label, then the capture, then the group.
pub(super) struct Columns {
    pub(super) features: Vec<usize>,
    /// Beside each of them, what it holds if it is no feature.
    identities: Vec<Option<Identity>>,
    pub(super) label: Option<usize>,
    pub(super) scenario: Option<usize>,
    pub(super) group: Option<usize>,
    /// Features that this file's meter counts in another way, with how.
    pub(super) differences: Vec<(FeatureId, &'static str)>,
}

impl Columns {
    /// Finds the columns and tells the table which to read.
    ///
    /// # Errors
    /// If a feature is missing, there twice, or counts something else; all such columns are named at once.
    pub(super) fn find(opened: &mut Opened, features: &[FeatureId], named: &Named) -> Result<Self, DatasetError> {
        Self::find_beside(opened, features, named, std::iter::empty())
    }

    /// The same, with more columns, which are chosen last; the first of them is at [`Columns::chosen`].
    pub(super) fn find_beside(
        opened: &mut Opened,
        features: &[FeatureId],
        named: &Named,
        more: impl Iterator<Item = usize>,
    ) -> Result<Self, DatasetError> {
        let mut columns = Self {
            features: Vec::new(),
            identities: features.iter().map(|id| id.identity()).collect(),
            label: None,
            scenario: None,
            group: None,
            differences: Vec::new(),
        };
        columns.find_features(opened, features)?;
        columns.label = match named.label.as_deref() {
            Some(name) => one(opened, name, |held| held.eq_ignore_ascii_case(name))?,
            None => match one(opened, PREFERRED_LABEL, |held| held.eq_ignore_ascii_case(PREFERRED_LABEL))? {
                Some(column) => Some(column),
                None => one(opened, LABEL, |held| held.eq_ignore_ascii_case(LABEL))?,
            },
        };
        columns.scenario = one(opened, SCENARIO, |held| held.eq_ignore_ascii_case(SCENARIO))?;
        if let Some(name) = &named.group {
            columns.group = one(opened, name, |held| held.eq_ignore_ascii_case(name))?;
        }
        let texts = [columns.label, columns.scenario, columns.group];
        let chosen: Vec<usize> =
            columns.features.iter().copied().chain(texts.into_iter().flatten()).chain(more).collect();
        opened.choose(&chosen)?;
        Ok(columns)
    }

    /// How many columns are chosen before those that were asked for besides.
    pub(super) fn chosen(&self) -> usize {
        self.features.len() + [self.label, self.scenario, self.group].iter().flatten().count()
    }

    fn find_features(&mut self, opened: &Opened, features: &[FeatureId]) -> Result<(), DatasetError> {
        let family = Family::of(opened.table.columns());
        let (mut missing, mut others) = (Vec::new(), Vec::new());
        for &feature in features {
            let column = feature.feature().column;
            let Some(position) = one(opened, column, |held| family.column(held) == Some(feature))? else {
                missing.push(format!("`{column}`"));
                continue;
            };
            self.features.push(position);
            match family.meaning(feature) {
                Meaning::Same => {}
                Meaning::Differs(how) => self.differences.push((feature, how)),
                Meaning::Other(why) => {
                    let held = opened.table.columns().get(position).map_or("", String::as_str);
                    others.push(format!("`{held}` is not `{column}`: {why}"));
                }
            }
        }
        let path = || opened.path.clone();
        match (missing.is_empty(), others.is_empty()) {
            (false, _) => Err(DatasetError::Missing { path: path(), columns: missing }),
            (true, false) => Err(DatasetError::OtherMeaning { path: path(), columns: others }),
            (true, true) => Ok(()),
        }
    }

    /// Reads the features of the row under the table.
    pub(super) fn numbers(&self, opened: &Opened, values: &mut Vec<f64>) -> Result<(), super::BadRow> {
        values.clear();
        for (chosen, (&column, &kind)) in self.features.iter().zip(&self.identities).enumerate() {
            values.push(match kind {
                None => opened.number(chosen, column)?,
                Some(kind) => identity::number(&opened.text(chosen, column)?, kind)
                    .map_err(|problem| opened.bad_cell(column, problem))?,
            });
        }
        Ok(())
    }

    /// The label of the row under the table; `None` if the table has no labels.
    pub(super) fn label<'t>(&self, opened: &'t Opened) -> Result<Option<std::borrow::Cow<'t, str>>, super::BadRow> {
        let Some(column) = self.label else { return Ok(None) };
        let label = opened.text(self.features.len(), column)?;
        if label.is_empty() {
            return Err(opened.bad_cell(column, "empty label".to_owned()));
        }
        Ok(Some(label))
    }

    /// The capture of the row under the table; `None` if the table does not tell.
    pub(super) fn scenario<'t>(&self, opened: &'t Opened) -> Result<Option<std::borrow::Cow<'t, str>>, super::BadRow> {
        let Some(column) = self.scenario else { return Ok(None) };
        opened.text(self.features.len() + usize::from(self.label.is_some()), column).map(Some)
    }

    /// The group of the row under the table, which may be empty; `None` if the table has none.
    pub(super) fn group<'t>(&self, opened: &'t Opened) -> Result<Option<std::borrow::Cow<'t, str>>, super::BadRow> {
        let Some(column) = self.group else { return Ok(None) };
        let before = usize::from(self.label.is_some()) + usize::from(self.scenario.is_some());
        opened.text(self.features.len() + before, column).map(Some)
    }
}

/// Where the one column stands that fits.
fn one(opened: &Opened, name: &str, is_it: impl Fn(&str) -> bool) -> Result<Option<usize>, DatasetError> {
    let columns = opened.table.columns().iter().enumerate();
    let mut positions = columns.filter(|(_, held)| is_it(held)).map(|(at, _)| at);
    let first = positions.next();
    match positions.count() {
        0 => Ok(first),
        more => Err(DatasetError::Duplicate { path: opened.path.clone(), column: name.to_owned(), times: more + 1 }),
    }
}

/// The label columns that are looked for, for people.
pub(super) fn wanted(asked: Option<&str>) -> String {
    asked.map_or_else(|| format!("`{PREFERRED_LABEL}` or `{LABEL}`"), |name| format!("`{name}`"))
}

/// Labels flow by flow are better than labels by capture.
const PREFERRED_LABEL: &str = "LabelFlow";
/// The reference's own label column.
const LABEL: &str = crate::features::schema::LABEL_COLUMN;
/// The capture that a flow came from.
const SCENARIO: &str = "Scenario";
