//! A service for uploads alone, scripted to delay, refuse and lie. Topics and replies go through the local service.

use crate::support::server::{Server, Visit};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

/// What came in.
#[derive(Debug, Clone)]
pub struct Hit {
    /// `PUT /up/1`
    pub line: String,
    /// The head, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

pub struct Media {
    pub server: Server,
    hits: Arc<Mutex<Vec<Hit>>>,
}

impl Media {
    /// `script` gets each request and how many of the same line came before; where it says nothing, all goes well.
    pub fn start(script: impl Fn(&Hit, usize) -> Option<(u16, Value)> + Send + Sync + 'static) -> Media {
        let hits: Arc<Mutex<Vec<Hit>>> = Arc::default();
        let seen = hits.clone();
        let server = Server::start(move |visit| {
            let n = visit.n;
            let Some((mut socket, hit)) = read(visit) else { return };
            let before = {
                let mut seen = seen.lock().unwrap();
                seen.push(hit.clone());
                seen.iter().filter(|other| other.line == hit.line).count() - 1
            };
            let (status, body) = script(&hit, before).unwrap_or_else(|| match hit.line.as_str() {
                "POST /media/sign" => {
                    (200, json!({"upload_token": format!("t{n}"), "upload_url": format!("/up/t{n}")}))
                }
                "POST /media/commit" => {
                    let token = serde_json::from_slice::<Value>(&hit.body).unwrap()["upload_token"].clone();
                    (200, json!({"url": format!("/media/{}", token.as_str().unwrap())}))
                }
                line if line.starts_with("PUT /up/") || line.starts_with("GET /media/") => (200, json!({})),
                _ => (404, json!({"detail": "Not Found"})),
            });
            let body = body.to_string();
            let place = if status == 307 { "Location: /up/elsewhere\r\n" } else { "" };
            let _ = write!(
                socket,
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{place}Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
        });
        Media { server, hits }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    pub fn hits(&self, line: &str) -> Vec<Hit> {
        self.hits.lock().unwrap().iter().filter(|hit| hit.line.starts_with(line)).cloned().collect()
    }
}

fn read(visit: Visit) -> Option<(std::net::TcpStream, Hit)> {
    let mut socket = visit.socket;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(socket.read(&mut byte), Ok(1)) {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next()?.rsplit_once(' ')?.0.to_owned();
    let head = head.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    socket.read_exact(&mut body).ok()?;
    Some((socket, Hit { line, head, body }))
}
