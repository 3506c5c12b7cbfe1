//! The floor: the most frequent label of the training flows, whatever the flow.

use serde::{Deserialize, Serialize};

use super::super::error::ArtifactError;
use super::reference::Search;
use super::{Ask, Engine, Frame, Opinion, Reference, checked_shares, opinion};

/// What an artifact holds of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MajorityParts {
    /// Each label's share of the training flows, in the order of the labels.
    pub shares: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Majority {
    shares: Vec<f32>,
}

impl MajorityParts {
    pub(super) fn build(&self, frame: Frame) -> Result<Majority, ArtifactError> {
        checked_shares(&self.shares, frame, "engine.majority.shares")?;
        Ok(Majority { shares: self.shares.clone() })
    }
}

impl Engine for Majority {
    fn asker<'m>(&'m self, reference: &'m Reference) -> Box<dyn Ask + 'm> {
        Box::new(Asker { engine: self, benign: reference.search() })
    }
}

struct Asker<'m> {
    engine: &'m Majority,
    benign: Search<'m>,
}

impl Ask for Asker<'_> {
    fn ask(&mut self, point: &[f32], votes: &mut [f32]) -> Opinion {
        votes.iter_mut().zip(&self.engine.shares).for_each(|(vote, share)| *vote = *share);
        opinion(votes, self.benign.nearest(point))
    }
}
