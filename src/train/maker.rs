//! From chosen rows to a model: a fit by the recipe, and the parts that an artifact holds of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::engine::Material;
use super::evaluate::digits;
use super::fit::{Fitted, Rows, fit};
use super::progress::Progress;
use super::recipe::{Recipe, TrainError};
use super::sampling::SampledPoints;
use super::select::{SelectError, Selection, select};
use super::split::TrainingRows;
use crate::dataset::Dataset;
use crate::model::{
    ArtifactError, Model, ModelParts, NoveltyParts, Provenance, ReferenceParts, ScalingParts, TransformParts, leaky,
    schema_sha256,
};

/// What every fit of one training run shares.
#[derive(Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) data: &'a Dataset,
    pub(super) recipe: &'a Recipe,
    pub(super) names: &'a [String],
    pub(super) labels: &'a [u16],
    /// SHA-256 of the data, which would be reckoned anew for each fold.
    pub(super) data_sha256: &'a str,
    /// Told of what is being done.
    pub(super) progress: &'a dyn Progress,
}

/// The columns that a fit reads.
pub(super) struct Chosen<'a> {
    pub(super) data: Cow<'a, Dataset>,
    /// How they were selected, if they were.
    pub(super) selection: Option<Selection>,
}

impl<'a> Maker<'a> {
    pub(super) fn fit(&self, chosen: &TrainingRows<'_>) -> Fitted {
        let rows = Rows { data: self.data, labels: self.labels, chosen };
        fit(&rows, self.names.len(), &self.recipe.pipeline, self.recipe.rows, self.recipe.seed)
    }

    /// The columns that the recipe selects by training rows; all of them without a selection.
    pub(super) fn choose(&self, rows: &TrainingRows<'_>) -> Result<Chosen<'a>, SelectError> {
        let Some(spec) = &self.recipe.pipeline.select else {
            return Ok(Chosen { data: Cow::Borrowed(self.data), selection: None });
        };
        let rows = Rows { data: self.data, labels: self.labels, chosen: rows };
        let (selection, kept) = select(&rows, self.names.len(), spec, self.recipe.rows, self.recipe.seed)?;
        Ok(Chosen { data: Cow::Owned(self.data.with_columns(&kept)), selection: Some(selection) })
    }

    /// The same with other columns of the same flows.
    pub(super) fn with<'b>(&self, chosen: &'b Chosen<'_>) -> Maker<'b>
    where
        'a: 'b,
    {
        Maker { data: &chosen.data, ..*self }
    }

    /// A row's label.
    pub(super) fn name_of(&self, row: usize) -> Option<&'a str> {
        self.names.get(usize::from(self.labels[row])).map(String::as_str)
    }

    /// The same fit with every point in place of prototypes or a selection: what those are held against. None for an engine that has no
    /// such sibling.
    pub(super) fn all_points(&self, fitted: &Fitted) -> Option<Fitted> {
        let whole = self.recipe.pipeline.engine.with_all_points()?;
        let material = Material { by_label: fitted.sampled.by_label(), prototypes: &[], prototype_labels: &[] };
        let engine = whole.fit(&material, self.recipe.seed);
        Some(Fitted { engine, sampled: SampledPoints::default(), ..fitted.clone() })
    }

    /// A model that says which label is likeliest, and alerts on none in particular.
    pub(super) fn open_model(&self, fitted: &Fitted) -> Result<Model, TrainError> {
        Ok(self.model(fitted, &vec![0.0; self.names.len()], BTreeMap::new())?)
    }

    pub(super) fn model(
        &self,
        fitted: &Fitted,
        thresholds: &[f32],
        metrics: BTreeMap<String, f64>,
    ) -> Result<Model, ArtifactError> {
        let Self { data, recipe, names, labels, data_sha256, .. } = self;
        let count = |label: usize| labels.iter().filter(|&&l| usize::from(l) == label).count() as u64;
        let rows: BTreeMap<String, u64> = names.iter().cloned().enumerate().map(|(at, n)| (n, count(at))).collect();
        let metric = recipe.pipeline.engine.novelty_metric();
        let mut transform = TransformParts::of(&fitted.transform);
        if let ScalingParts::Quantile(maps) = &mut transform.scaling {
            maps.iter_mut().flat_map(|map| &mut map.levels).for_each(|level| *level = (*level * 1e7).round() / 1e7);
        }
        Model::from_parts(&ModelParts {
            name: recipe.name.clone(),
            version: recipe.version.clone(),
            profile: recipe.profile.name().to_owned(),
            schema_sha256: schema_sha256(data.features()),
            portable_only: data.features().iter().all(|id| id.feature().portable),
            features: data.features().iter().map(|id| id.feature().column.to_owned()).collect(),
            parent: None,
            transform,
            labels: names.to_vec(),
            alert_thresholds: thresholds.to_vec(),
            engine: fitted.engine.clone(),
            novelty: NoveltyParts {
                threshold: digits(&fitted.novelty_threshold),
                reference: fitted.novelty_points.clone().map(|points| ReferenceParts { metric, points }),
            },
            evidence: None,
            spread: Some(fitted.spread.clone()),
            pipeline: serde_json::to_value(&recipe.pipeline).ok(),
            provenance: Provenance {
                trained_on: self.trained_on(&rows),
                data_sha256: (*data_sha256).to_owned(),
                rows,
                seed: recipe.seed,
                created_by: concat!("flowshrike ", env!("CARGO_PKG_VERSION")).to_owned(),
                leaky: leaky(data.features()).into_iter().map(str::to_owned).collect(),
            },
            metrics,
        })
    }

    /// The data in one line.
    fn trained_on(&self, rows: &BTreeMap<String, u64>) -> String {
        let counts: Vec<String> = self.names.iter().map(|name| format!("{name} {}", rows[name])).collect();
        let captures = self.data.scenarios().distinct().len();
        let counts = format!("{} flows of {captures} captures: {}", self.data.len(), counts.join(", "));
        self.recipe.about.as_ref().map_or_else(|| counts.clone(), |about| format!("{about}; {counts}"))
    }
}
