//! What is wrong with a request, by field.

use std::io::Write as _;

use serde_json::{Value, json};

use super::models::FEATURES;
use super::predict::serve_tree;
use super::service::answer;

#[test]
fn what_is_wrong_with_a_named_flow_is_told_field_by_field() {
    let (_folder, service) = serve_tree();
    let good = json!({FEATURES[0]: 1, FEATURES[1]: 2, FEATURES[2]: 3});
    let with = |name: &str, value: Value| {
        let mut flow = good.clone();
        flow[name] = value;
        service.post("/predict", flow.to_string())
    };
    for (value, kind) in [
        (json!("1"), "float_type"),
        (json!(true), "float_type"),
        (json!([1]), "float_type"),
        (json!({}), "float_type"),
        (json!("NaN"), "finite_number"),
    ] {
        let answer = with(FEATURES[1], value.clone());
        assert_eq!(answer.problems(), [(kind.to_owned(), json!(["body", FEATURES[1]]))], "{value}");
        assert_eq!(answer.json()["detail"][0]["input"], value);
    }
    let unknown = with("Down/Up Ration", json!(1));
    assert_eq!(unknown.problems(), [("extra_forbidden".to_owned(), json!(["body", "Down/Up Ration"]))]);
    let missing = service.post("/predict", json!({FEATURES[1]: 1}).to_string());
    let at = |name: &str| ("missing".to_owned(), json!(["body", name]));
    assert_eq!(missing.problems(), [at(FEATURES[0]), at(FEATURES[2])]);
    assert_eq!(missing.json()["detail"][0]["input"], json!({FEATURES[1]: 1}));
    let twice = with("down_up_ratio", json!(2));
    assert_eq!(twice.problems().len(), 1);
    assert_eq!(twice.problems()[0].0, "value_error");
    let list_too = with("features", json!([1, 2, 3]));
    assert_eq!(list_too.problems(), [("extra_forbidden".to_owned(), json!(["body", "features"]))]);
    assert_eq!(service.metric("flowshrike_http_requests_total{route=\"/predict\",status=\"422\"}"), 9.0);
    assert_eq!(service.metric("flowshrike_predictions_novel_total"), 0.0);
}

#[test]
fn numbers_that_are_not_finite_are_told_though_they_are_no_json() {
    let (_folder, service) = serve_tree();
    for (text, input) in [("NaN", json!("NaN")), ("-Infinity", json!("-Infinity")), ("Infinity", json!("Infinity"))] {
        let body = format!("{{\"{}\": {text}, \"{}\": 1, \"{}\": 2}}", FEATURES[0], FEATURES[1], FEATURES[2]);
        let answer = service.post("/predict", body);
        assert_eq!(answer.problems(), [("finite_number".to_owned(), json!(["body", FEATURES[0]]))]);
        assert_eq!(answer.json()["detail"][0]["input"], input);
        let answer = service.post("/predict", format!("{{\"features\": [1, 2, {text}]}}"));
        assert_eq!(answer.problems(), [("finite_number".to_owned(), json!(["body", "features", 2]))]);
    }
    let answer = service.post("/predict", "{\"features\": [1, 1e999, 2]}");
    assert_eq!(answer.problems(), [("finite_number".to_owned(), json!(["body", "features", 1]))]);
    assert_eq!(answer.json()["detail"][0]["input"], "1e999");
    let answer = service.post("/predict", format!("{{\"{}\": 1e999}}", FEATURES[0]));
    assert_eq!(answer.problems().len(), 3, "the others are missing");
}

#[test]
fn what_is_wrong_with_a_list_of_values_is_told_by_its_place() {
    let (_folder, service) = serve_tree();
    let told = |value: Value| service.post("/predict", json!({"features": value}).to_string()).problems();
    let whole = json!(["body", "features"]);
    assert_eq!(told(json!([1, 2])), [("too_short".to_owned(), whole.clone())]);
    assert_eq!(told(json!([1, 2, 3, 4])), [("too_long".to_owned(), whole.clone())]);
    assert_eq!(told(json!([])), [("too_short".to_owned(), whole.clone())]);
    for value in [json!(3), json!("x"), Value::Null, json!({FEATURES[0]: 1})] {
        assert_eq!(told(value), [("list_type".to_owned(), whole.clone())]);
    }
    let at = |place: usize| ("float_type".to_owned(), json!(["body", "features", place]));
    assert_eq!(told(json!(["1", 2, null])), [at(0), at(2)]);
}

#[test]
fn what_is_wrong_with_one_flow_of_many_names_its_place() {
    let (_folder, service) = serve_tree();
    let good = json!({"features": [1, 2, 3]});
    let answer =
        service.post("/predict", json!([good, 7, {"features": [1]}, [], {"features": [1, "x", 3]}]).to_string());
    let expected = [
        ("model_attributes_type".to_owned(), json!(["body", 1])),
        ("too_short".to_owned(), json!(["body", 2, "features"])),
        ("model_attributes_type".to_owned(), json!(["body", 3])),
        ("float_type".to_owned(), json!(["body", 4, "features", 1])),
    ];
    assert_eq!(answer.problems(), expected);
    // Nothing is answered or counted of a list that is wrong, but what came before its first problem.
    let bad = Value::Array(vec![json!({}); 400]);
    assert_eq!(service.post("/predict", bad.to_string()).problems().len(), 100);
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    let (_folder, service) = serve_tree();
    for (body, place) in [
        ("{\"features\": [1, 2, 3]", json!(["body", 22])),
        ("{\"features\": [1,, 3]}", json!(["body", 16])),
        ("[{\"features\": [1, 2, 3]}\n, nonsense]", json!(["body", 27])),
        ("nonsense", json!(["body", 1])),
        ("{\"features\": [1, 2, 3]} more", json!(["body", 24])),
    ] {
        let answer = service.post("/predict", body);
        assert_eq!(answer.problems()[0].0, "json_invalid", "{body}");
        assert_eq!(answer.problems().len(), 1, "{body}");
        let told = answer.problems()[0].1[1].as_i64().expect("a place") - place[1].as_i64().expect("a place");
        assert!(told.abs() <= 1, "{body}: {:?}", answer.problems());
    }
    assert_eq!(service.post("/predict", b"{\"features\xff").problems()[0].0, "json_invalid");
    assert_eq!(service.post("/predict", "").problems(), [("missing".to_owned(), json!(["body"]))]);
    for body in ["7", "null", "\"x\"", "true"] {
        assert_eq!(service.post("/predict", body).problems(), [("model_attributes_type".to_owned(), json!(["body"]))]);
    }
    let deep = "[".repeat(100_000);
    assert_eq!(service.post("/predict", deep).problems()[0].0, "json_invalid");
}

#[test]
fn other_paths_and_methods_are_refused_in_json() {
    let (_folder, service) = serve_tree();
    for path in ["/nothing", "/predict/nothing", "/../etc/passwd", "/predict//"] {
        let answer = service.get(path);
        assert_eq!((answer.status, answer.json()), (404, json!({"detail": "Not Found"})), "{path}");
        assert!(answer.head.contains("content-type: application/json"));
    }
    for (method, path, allow) in [
        ("GET", "/predict", "post"),
        ("PUT", "/predict/", "post"),
        ("GET", "/predict/flows", "post"),
        ("DELETE", "/predict/capture", "post"),
        ("POST", "/model", "get,head"),
        ("POST", "/", "get,head"),
    ] {
        let answer = service.send(method, path, &[], b"");
        assert_eq!((answer.status, answer.json()), (405, json!({"detail": "Method Not Allowed"})), "{method} {path}");
        assert!(answer.head.contains(&format!("allow: {allow}")), "{}", answer.head);
    }
    let head = service.send("HEAD", "/model", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let mut stream = service.connect();
    stream.write_all(b"nonsense\r\n\r\n").expect("sent");
    assert_eq!(answer(stream).status, 400);
    assert_eq!(service.get("/healthz").status, 200);
}
