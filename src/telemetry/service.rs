//! The metrics of the prediction service: requests by route and status, their time, predictions by label.
//!
//! A route is a name that the program holds and a status one that it answers, so that no request can make a series.

use std::fmt::Write as _;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, TextEncoder};

use super::registrar::{Definition, Registrar};
use crate::alert::ModelIdentity;

/// The metrics, and the registry that renders them.
#[derive(Debug)]
pub struct ServiceMetrics {
    registrar: Registrar,
    requests: IntCounterVec,
    duration: HistogramVec,
    predictions: IntCounterVec,
    /// Predictions for flows that are unlike anything benign.
    pub novel: IntCounter,
    /// Files of flows and captures that are being received or worked on.
    pub uploads: IntGauge,
}

/// What is counted for one route.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    requests: IntCounterVec,
    route: &'static str,
    /// Nearly all answers have this status.
    ok: IntCounter,
    duration: Histogram,
}

impl ServiceMetrics {
    /// All metrics at zero, for the model that is served.
    ///
    /// # Errors
    /// A name twice, or one that the format does not allow: a mistake in this file, found by its tests.
    #[rustfmt::skip]
    pub fn new(model: &ModelIdentity) -> Result<Self, prometheus::Error> {
        let mut r = Registrar::default();
        let build_info = r.gauges("build_info", &["version"], "Constant 1; the labels name the running build.")?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let model_info = r.gauges("model_info", &["name", "version", "sha256"], "Constant 1; the labels name the loaded model.")?;
        model_info.with_label_values(&[&model.name, &model.version, &model.sha256]).set(1);
        let metrics = Self {
            requests: r.counters("http_requests_total", &["route", "status"], "Requests answered, by route and status; `other` is every path that there is not.")?,
            duration: r.histograms("http_request_duration_seconds", &["route"], DURATION_BOUNDS, "Time from a request's head to its answer, the body's arrival included.")?,
            predictions: r.counters("predictions_total", &["label"], "Flows that got a verdict, by its label.")?,
            novel: r.counter("predictions_novel_total", "Flows that got a verdict and are unlike the model's benign traffic.")?,
            uploads: r.gauge("uploads_active", "Files of flows and captures that are being received or worked on.")?,
            registrar: r,
        };
        metrics.registrar.registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// The handles of one route; ask once for each, when the service starts.
    #[must_use]
    pub fn route(&self, route: &'static str) -> RouteMetrics {
        RouteMetrics {
            requests: self.requests.clone(),
            route,
            ok: self.requests.with_label_values(&[route, "200"]),
            duration: self.duration.with_label_values(&[route]),
        }
    }

    /// Predictions of a label of the model; ask once for each.
    #[must_use]
    pub fn predictions(&self, label: &str) -> IntCounter {
        self.predictions.with_label_values(&[label])
    }

    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    /// A metric that the format cannot express.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registrar.registry.gather())
    }

    /// Every metric of the service.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.registrar.definitions
    }

    /// The part of the reference page of metrics that tells of these, Markdown.
    #[must_use]
    pub fn reference_section(&self) -> String {
        let mut page = String::from(SECTION_HEAD);
        for definition in self.definitions() {
            // Writing to a `String` cannot fail.
            writeln!(page, "{definition}").ok();
        }
        page
    }
}

impl RouteMetrics {
    /// Counts an answer.
    pub fn answered(&self, status: u16, seconds: f64) {
        if status == 200 {
            self.ok.inc();
        } else {
            self.requests.with_label_values(&[self.route, &status.to_string()]).inc();
        }
        self.duration.observe(seconds);
    }
}

/// From a single prediction's microseconds to a capture's seconds.
const DURATION_BOUNDS: &[f64] =
    &[2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const SECTION_HEAD: &str = "
## The prediction service

`flowshrike serve` answers these at its own `/metrics`, besides the process metrics. A single prediction's time is mostly that of the network.

| Name | Kind | Labels | Meaning |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_predictions_are_counted_under_their_names() {
        let model = ModelIdentity { name: "m".into(), version: "1".into(), sha256: "ab".into() };
        let metrics = ServiceMetrics::new(&model).expect("names are unique and allowed");
        let route = metrics.route("/predict");
        route.answered(200, 3e-5);
        route.answered(422, 3e-5);
        metrics.predictions("recon").inc_by(2);
        let text = metrics.render().expect("text");
        for line in [
            "flowshrike_http_requests_total{route=\"/predict\",status=\"200\"} 1",
            "flowshrike_http_requests_total{route=\"/predict\",status=\"422\"} 1",
            "flowshrike_http_request_duration_seconds_bucket{route=\"/predict\",le=\"0.00005\"} 2",
            "flowshrike_predictions_total{label=\"recon\"} 2",
            "flowshrike_model_info{name=\"m\",sha256=\"ab\",version=\"1\"} 1",
            "flowshrike_uploads_active 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
        let page = metrics.reference_section();
        assert!(metrics.definitions().iter().all(|definition| page.contains(&format!("| `{}` |", definition.name))));
    }
}
