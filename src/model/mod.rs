//! The model: a raw flow goes in, a [`Verdict`] comes out; the transform lives here, never in the caller.

/// Position of a label in [`Model::labels`](crate::model); `0` is not special, see the label's taxonomy class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u16);

/// What a model says of one flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The engine's class, always.
    pub label: LabelId,
    /// The weight of that class among the neighbours, 0 to 1.
    pub score: f32,
    /// Distance to the nearest benign point, in the transformed space.
    pub novelty: f32,
    /// Whether `novelty` is above the model's threshold.
    pub novel: bool,
}

/// One feature that tells the flow from the model's benign points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telling {
    /// Which feature.
    pub feature: crate::features::FeatureId,
    /// The flow's raw value.
    pub value: f64,
    /// Its share of the distance to the nearest benign point, in the transformed space.
    pub distance: f32,
}
