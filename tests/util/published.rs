//! The model of the published flows: three labels, nearest neighbours, no evidence. Tests of what is true of any model take it, so that a new
//! default model changes none of them.

use flowshrike::model::Model;

/// Its file.
pub const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/k8s-misuse.fsm");

/// The model.
pub fn published() -> Model {
    Model::from_bytes(&std::fs::read(PUBLISHED).expect("models/k8s-misuse.fsm")).expect("a valid model")
}
