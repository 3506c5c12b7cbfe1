//! Starting, stopping, and being full.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use super::models;
use super::predict::serve_tree;
use super::program::{fail, flowshrike};
use super::service::{Service, answer};

#[test]
fn a_taken_port_and_a_wrong_address_are_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("any port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = flowshrike(&["serve", "--listen", &address]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.lines().count() == 1 && said.contains(&address) && said.contains("--listen"), "{said}");
    assert_eq!(flowshrike(&["serve", "--listen", "localhost"]).status.code(), Some(2));
    assert!(fail(&["serve", "--model", "/nowhere.fsm"]).contains("/nowhere.fsm"));
}

#[test]
fn a_model_that_reads_who_talked_to_whom_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = models::file(&folder, &models::reading("Dst Port"));
    let output = flowshrike(&["serve", "--listen", "127.0.0.1:0", "--model", &path.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("`Dst Port`") && said.lines().count() == 1, "{said}");
}

#[test]
fn the_address_may_stand_in_the_environment() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("any port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .arg("serve")
        .env("FLOWSHRIKE_SERVE_LISTEN", &address)
        .output()
        .expect("the program runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
    let help = flowshrike(&["serve", "--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("127.0.0.1:8000") && help.contains("FLOWSHRIKE_SERVE_LISTEN"), "{help}");
}

#[test]
fn a_stop_under_load_finishes_what_was_begun() {
    for signal in ["TERM", "INT"] {
        let (_folder, service) = serve_tree();
        let body = json!({"features": [5, 4, 0]}).to_string();
        let request = format!("POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (stopping, answered) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // A kept connection, until the service closes it: then nothing that was answered was half an answer.
                    let mut stream = service.connect();
                    let mut bytes = [0; 4096];
                    loop {
                        if stream.write_all(request.as_bytes()).is_err() {
                            break;
                        }
                        let mut text = Vec::new();
                        while !text.ends_with(b"}}") {
                            match stream.read(&mut bytes) {
                                Ok(read) if read > 0 => text.extend_from_slice(&bytes[..read]),
                                _ => break,
                            }
                        }
                        if text.is_empty() {
                            break;
                        }
                        let text = String::from_utf8_lossy(&text).into_owned();
                        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("}}"), "{text}");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    assert!(
                        stopping.load(Ordering::SeqCst),
                        "the service closed a connection before it was told to stop"
                    );
                });
            }
            service.until("requests are answered", || answered.load(Ordering::Relaxed) > 200);
            stopping.store(true, Ordering::SeqCst);
            service.signal(signal);
        });
        let (status, log) = service.wait();
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[test]
fn a_request_in_progress_outlives_the_stop() {
    let (_folder, service) = serve_tree();
    let flows = "Total Fwd Packet,Down/Up Ratio,SYN Flag Count\n5,4,0\n";
    let mut slow = service.connect();
    let head = format!("POST /predict/flows HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", flows.len());
    slow.write_all(head.as_bytes()).expect("sent");
    service.until("the request has begun", || service.metric("flowshrike_uploads_active") == 1.0);
    service.signal("TERM");
    service.until("nobody else is let in", || TcpStream::connect(service.address).is_err());
    slow.write_all(flows.as_bytes()).expect("sent");
    let answer = answer(slow);
    assert_eq!((answer.status, answer.text().lines().count()), (200, 2));
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    let (status, log) = service.wait();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn without_a_place_a_file_is_told_to_come_again() {
    let service = Service::start(&["--max-uploads", "1"]);
    // The only place is held from the head of a request on, until its body has come.
    let mut slow = service.connect();
    let flows = b"nothing that is a table";
    let head = format!(
        "POST /predict/flows HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        flows.len()
    );
    slow.write_all(head.as_bytes()).expect("sent");
    service.until("the place is taken", || service.metric("flowshrike_uploads_active") == 1.0);
    for path in ["/predict/flows", "/predict/capture"] {
        let refused = service.post(path, vec![b'x'; 1 << 20]);
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.head.contains("retry-after: 1") && refused.json()["detail"].is_string());
    }
    // Single flows need no place.
    let features = service.model()["features"].as_array().expect("names").len();
    assert_eq!(service.post("/predict", json!({"features": vec![0; features]}).to_string()).status, 200);
    slow.write_all(flows).expect("sent");
    assert_eq!(answer(slow).status, 422);
    assert_eq!(service.post("/predict/flows", flows).status, 422, "the place is free again");
    assert_eq!(service.metric("flowshrike_uploads_active"), 0.0);
}

#[test]
fn many_clients_at_once_get_their_own_answers() {
    let (_folder, service) = serve_tree();
    thread::scope(|scope| {
        for client in 0..8_u32 {
            let service = &service;
            scope.spawn(move || {
                for number in 0..25 {
                    let packets = (client * 7 + number) % 12;
                    let told = service.predict(&json!({"features": [packets, 0, 0]}));
                    assert_eq!(told["label"], if packets < 5 { "benign" } else { "recon" }, "{packets}");
                    let novelty = f64::from(packets.min(10)) / 10.0 + if packets > 10 { 1.0 } else { 0.0 };
                    assert!((told["novelty"].as_f64().expect("a number") - novelty).abs() < 1e-6, "{packets}: {told}");
                }
            });
        }
    });
}
