//! What the service tells of itself.

use serde_json::{Value, json};

use super::models::FEATURES;
use super::predict::serve_tree;

#[test]
fn the_welcome_is_json_and_a_page_for_browsers() {
    let (_folder, service) = serve_tree();
    let welcome = service.get("/");
    assert_eq!(welcome.status, 200);
    assert!(welcome.json()["message"].as_str().is_some_and(|message| message.contains("/predict")));
    assert_eq!(welcome.json().as_object().map(serde_json::Map::len), Some(1));
    let page = service.send("GET", "/", &["accept: text/html,application/xhtml+xml,*/*;q=0.8"], b"");
    assert!(
        page.head.contains("content-type: text/html")
            && page.head.contains("content-security-policy: default-src 'none'")
    );
    assert!(page.text().contains("<form"));
    let docs = service.get("/docs");
    assert!(docs.status == 200 && docs.head.contains("content-type: text/html"));
    for page in [page.text(), docs.text()] {
        assert!(
            !page.contains("//cdn") && !page.contains("http:") && !page.contains("https:"),
            "no other site is needed"
        );
    }
}

#[test]
fn the_model_by_its_fixed_keys() {
    let (_folder, service) = serve_tree();
    let card = service.model();
    for (key, expected) in [
        ("name", json!("small")),
        ("version", json!("7")),
        ("engine", json!("tree")),
        ("profile", json!("cic")),
        ("features", json!(FEATURES)),
        ("labels", json!(["benign", "recon"])),
    ] {
        assert_eq!(card[key], expected);
    }
    assert_eq!(card["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(service.get("/healthz").json(), json!({"status": "ok"}));
}

#[test]
fn the_description_is_of_this_model_and_of_every_route() {
    let (_folder, service) = serve_tree();
    let answer = service.get("/openapi.json");
    assert!(answer.status == 200 && answer.head.contains("content-type: application/json"));
    let document = answer.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["NamedFlow"]["required"], json!(FEATURES));
    assert_eq!(schemas["ListedFlow"]["properties"]["features"]["minItems"], 3);
    let paths: Vec<_> = document["paths"].as_object().expect("paths").keys().cloned().collect();
    for path in [
        "/",
        "/predict",
        "/predict/flows",
        "/predict/capture",
        "/docs",
        "/openapi.json",
        "/model",
        "/healthz",
        "/metrics",
    ] {
        assert!(paths.iter().any(|held| held == path), "{path} in {paths:?}");
        let operations = document["paths"][path].as_object().expect("operations");
        let method = operations.keys().next().expect("a method").to_uppercase();
        assert_ne!(service.send(&method, path, &[], b"").status, 405, "{path}");
    }
    // The keys of an answer are those of its schema.
    let told = service.predict(&json!({"features": [1, 2, 3]}));
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let required: Vec<String> = serde_json::from_value(schemas["Prediction"]["required"].clone()).expect("names");
    assert!(required.iter().all(|key| keys(&told).contains(key)), "{required:?} {told}");
    assert!(keys(&told).iter().all(|key| keys(&schemas["Prediction"]["properties"]).contains(key)));
}

#[test]
fn no_request_makes_a_series() {
    let (_folder, service) = serve_tree();
    let series =
        || service.get("/metrics").text().lines().filter(|line| line.starts_with("flowshrike_http_requests")).count();
    service.get("/one");
    service.metric("flowshrike_build_info");
    let before = series();
    for path in ["/two", "/three?x=1", "/predict/x", "/%00"] {
        assert_eq!(service.get(path).status, 404);
    }
    assert_eq!(series(), before);
    assert_eq!(service.metric("flowshrike_http_requests_total{route=\"other\",status=\"404\"}"), 5.0);
}
