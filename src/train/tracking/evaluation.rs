//! The record of an evaluation.

use std::collections::BTreeMap;

use super::plots::{self, Plot};
use super::{Metric, Metrics, Occasion, RunFile, TrackedRun, fit_metrics, model_tags};
use crate::model::Model;
use crate::train::Assessment;
use crate::train::metrics::share;

impl TrackedRun {
    /// Of what `evaluate` found: `figures` is its JSON, `page` its HTML.
    #[must_use]
    pub fn of_evaluation(
        occasion: &Occasion,
        model: &Model,
        found: &Assessment,
        figures: Vec<u8>,
        page: Vec<u8>,
    ) -> Self {
        let mut tags = model_tags(model, &found.data_sha256, found.seed);
        if !found.warnings.is_empty() {
            tags.insert("mlflow.note.content".to_owned(), found.warnings.join("\n\n"));
        }
        let params = BTreeMap::from([
            ("model.name".to_owned(), model.name().to_owned()),
            ("model.version".to_owned(), model.version().to_owned()),
            ("model.data_sha256".to_owned(), model.parts().provenance.data_sha256.clone()),
            ("seed".to_owned(), found.seed.to_string()),
        ]);
        let mut files = vec![
            RunFile { path: "evaluation.json".to_owned(), bytes: figures },
            RunFile { path: "evaluation.html".to_owned(), bytes: page },
        ];
        files.extend(plots::of(&found.figures).into_iter().map(Plot::file));
        let named = format!("evaluation of {} {}", model.name(), model.version());
        Self::new(occasion, named, params, metrics(found), tags, files)
    }
}

/// The figures of an evaluation by their names.
#[must_use]
pub fn evaluation_metrics(found: &Assessment) -> BTreeMap<String, f64> {
    fit_metrics(metrics(found)).into_iter().map(|metric| (metric.key, metric.value)).collect()
}

fn metrics(found: &Assessment) -> Vec<Metric> {
    let (figures, own, mut metrics) = (&found.figures, &found.own, Metrics::default());
    let mut put = |key: &str, value: Option<f64>| metrics.put(&format!("evaluation.{key}"), value);
    put("flows", Some(figures.flows as f64));
    put("benign_flows", Some(figures.benign_flows as f64));
    put("accuracy", figures.accuracy);
    put("balanced_accuracy", own.balanced_accuracy);
    put("macro_f1", figures.macro_f1);
    put("macro_roc_auc", own.macro_roc_auc);
    put("macro_average_precision", own.macro_average_precision);
    put("brier", own.brier);
    put("log_loss", own.log_loss);
    put("calibration_error", own.calibration.ece);
    put("false_positive_rate", figures.false_positive_rate);
    put("false_alert_rate", figures.alerts.false_alert_rate);
    put("detection_rate", share(figures.alerts.attacks_alerted, figures.alerts.attack_flows));
    put("false_alerts_per_hour", found.alerts_per_hour.false_alerts);
    put("novelty_rate_benign", figures.novelty.benign_rate);
    put("novelty_rate_attack", figures.novelty.attack_rate);
    for (label, class) in &figures.per_class {
        put(&format!("precision.{label}"), class.precision);
        put(&format!("recall.{label}"), class.recall);
        put(&format!("f1.{label}"), class.f1);
        put(&format!("support.{label}"), Some(class.support as f64));
    }
    metrics.0
}
