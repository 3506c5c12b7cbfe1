//! The floor: the most frequent label of the training flows, whatever the flow.

use serde::{Deserialize, Serialize};

use super::trees::{Node, TreeParts};

/// What an artifact holds of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MajorityParts {
    /// Each label's share of the training flows, in the order of the labels.
    pub shares: Vec<f32>,
}

impl MajorityParts {
    /// The same as a tree that asks nothing.
    pub(super) fn as_tree(&self) -> TreeParts {
        TreeParts { nodes: vec![Node::Leaf(self.shares.clone())] }
    }
}
