//! `/openapi.json`: OpenAPI 3.1, from the handlers and the types of answers, and for what is sent from the model that is served.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Info, InfoBuilder, LicenseBuilder, Ref, RefOr, Schema};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};

use super::answer::Prediction;
use super::service::Limits;
use super::{captures, flows, pages, predict};
use crate::model::Model;

/// The document for a model.
///
/// # Errors
/// None that could be met: the types are all of JSON.
pub(super) fn document(model: &Model, limits: Limits) -> Result<String, serde_json::Error> {
    let mut document = Described::openapi();
    document.info = info(limits);
    if let Some(components) = &mut document.components {
        components.schemas.extend(flow_schemas(model).map(|(name, schema)| (name.to_owned(), schema)));
    }
    document.to_json()
}

/// The operations and the schemas of answers.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    pages::index,
    predict::predict,
    flows::predict_flows,
    captures::predict_capture,
    pages::model,
    pages::health,
    pages::metrics,
    pages::docs,
    pages::openapi,
))]
struct Described;

/// What `POST /predict` takes.
pub(super) struct Asked;

/// What it answers.
pub(super) struct Answered;

impl PartialSchema for Asked {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new().item(refer(NAMED)).item(refer(LISTED)).item(refer(FLOWS)).into()
    }
}

impl ToSchema for Asked {
    fn name() -> Cow<'static, str> {
        "Asked".into()
    }
}

impl PartialSchema for Answered {
    fn schema() -> RefOr<Schema> {
        let list = ArrayBuilder::new().items(refer(PREDICTION)).max_items(Some(Limits::BATCH));
        OneOfBuilder::new().item(refer(PREDICTION)).item(list).into()
    }
}

impl ToSchema for Answered {
    fn name() -> Cow<'static, str> {
        "Answered".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((PREDICTION.to_owned(), Prediction::schema()));
        Prediction::schemas(schemas);
    }
}

/// The ways to send a flow to a model.
fn flow_schemas(model: &Model) -> impl Iterator<Item = (&'static str, RefOr<Schema>)> {
    let closed = || ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let mut named = closed().description(Some(
        "Values by column name. The names here are those of `flowshrike extract`; those of any CICFlowMeter will do, and other \
         columns that these write are ignored. `null` is for a value that the flow does not have.",
    ));
    for id in model.features() {
        let feature = id.feature();
        let number = SchemaType::from_iter([Type::Number, Type::Null]);
        let unit = if feature.unit.name().is_empty() { String::new() } else { format!(", {}", feature.unit.name()) };
        let value = ObjectBuilder::new().schema_type(number).description(Some(format!("{}{unit}", feature.definition)));
        named = named.property(feature.column, value).required(feature.column);
    }
    let count = model.features().len();
    let number = ObjectBuilder::new().schema_type(Type::Number);
    let list = ArrayBuilder::new().items(number).min_items(Some(count)).max_items(Some(count));
    let listed = closed()
        .description(Some("Values in the order of the model's features, which `/model` tells."))
        .property("features", list)
        .required("features");
    let flow = OneOfBuilder::new().item(refer(NAMED)).item(refer(LISTED));
    let flows = ArrayBuilder::new().items(refer(FLOW)).max_items(Some(Limits::BATCH));
    [(NAMED, named.into()), (LISTED, listed.into()), (FLOW, flow.into()), (FLOWS, flows.into())].into_iter()
}

fn info(limits: Limits) -> Info {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let (megabytes, rows, places) = (limits.upload >> 20, Limits::ROWS, limits.places);
    InfoBuilder::new()
        .title("Flowshrike prediction service")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!(
            "Verdicts of one model on network flows. A file may have {megabytes} MiB and {rows} rows; {places} are worked on at a time."
        )))
        .license(Some(license))
        .build()
}

fn refer(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

const NAMED: &str = "NamedFlow";
const LISTED: &str = "ListedFlow";
const FLOW: &str = "Flow";
const FLOWS: &str = "Flows";
const PREDICTION: &str = "Prediction";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_document_names_every_feature_and_refers_only_to_what_is_there() {
        let model = Model::embedded().expect("the default model");
        let text = document(&model, Limits::default()).expect("JSON");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let required: Vec<_> = schemas[NAMED]["required"].as_array().expect("a list").iter().collect();
        let columns: Vec<_> = model.features().iter().map(|id| Value::from(id.feature().column)).collect();
        assert_eq!(required, columns.iter().collect::<Vec<_>>());
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
