//! A server that answers wrongly, and keeps what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Status 500 with MLflow's shape.
    Broken,
    /// Status 401.
    Denied,
    /// A page in place of JSON.
    Garbage,
    /// Not HTTP at all.
    Noise,
    /// Half a body.
    Cut,
    /// JSON without what is asked for.
    Empty,
    /// To another place.
    Elsewhere,
    /// Nothing, ever.
    Silent,
}

/// Answers on a thread until the test's process ends.
pub(super) struct Server {
    pub(super) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                if let Some(stream) = answer(stream, fault, &heard) {
                    silent.push(stream);
                }
            }
        });
        Self { address, asked }
    }

    /// Heads of the requests.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the server lives").clone()
    }
}

/// A stream that is never answered is given back, to be held open.
fn answer(mut stream: TcpStream, fault: Fault, heard: &Mutex<Vec<String>>) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head += &line;
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    heard.lock().expect("the test lives").push(head);
    let whole = |status: &str, media: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match fault {
        Fault::Silent => return Some(stream),
        Fault::Broken => whole(
            "500 Internal Server Error",
            "application/json",
            r#"{"error_code":"INTERNAL_ERROR","message":"the database\nis on fire"}"#,
        ),
        Fault::Denied => whole("401 Unauthorized", "text/html", "You are not authenticated"),
        Fault::Garbage => whole("200 OK", "text/html", "<html>\u{1b}[31m a gateway</html>"),
        Fault::Noise => "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        Fault::Cut => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"experiment\":".to_owned(),
        Fault::Empty => whole("200 OK", "application/json", "{}"),
        Fault::Elsewhere => "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
    };
    // The other side may have gone.
    drop(stream.write_all(text.as_bytes()));
    None
}
