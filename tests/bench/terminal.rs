//! A terminal the whole way: a browser's socket, the local service, the connector, a real pseudo-terminal, and back.

use super::process::{self, Connector};
use super::{AGENT_ID, median, service, show};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};
use wtt_connect::local::service::ServiceEvent;

/// Keys typed, one after the echo of the other.
const KEYS: usize = 500;
/// What a program writes for the throughput.
const FLOOD: usize = 100_000_000;

struct Page {
    ws: WebSocket<TcpStream>,
    token: String,
    session: Value,
}

impl Page {
    fn send(&mut self, action: &str, mut fields: Value) {
        fields["action"] = action.into();
        fields["token"] = self.token.as_str().into();
        self.ws.send(Message::text(fields.to_string())).unwrap();
    }

    fn keys(&mut self, keys: &str) {
        self.send("terminal_input", json!({"session_id": self.session, "data": keys}));
    }

    fn frame(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.ws.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Reads output until it ends so; how much came.
    fn until(&mut self, end: &str) -> usize {
        let (mut tail, mut came) = (String::new(), 0);
        while !tail.contains(end) {
            let frame = self.frame();
            let data = frame["data"].as_str().unwrap_or_default();
            came += data.len();
            tail.push_str(data);
            let cut = tail.len().saturating_sub(64);
            tail.drain(..(cut..tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or(0));
        }
        came
    }
}

/// Keystroke to echo, throughput, memory.
pub(crate) fn cost() {
    let service = service();
    let seen = service.observe();
    let connector = Connector::start(&service, &[("WTT_CONNECT_ENABLE_SHELL", "1"), ("SHELL", "/bin/bash")]);
    while seen.recv_timeout(Duration::from_secs(20)).unwrap().event != ServiceEvent::Auth(true) {}
    let base = service.base_url();
    let address = base.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (ws, _) = tungstenite::client(format!("ws://{address}/ws/{AGENT_ID}"), stream).unwrap();
    let mut page = Page { ws, token: service.user_token().to_owned(), session: Value::Null };
    page.send("auth", json!({"request_id": "a"}));
    page.frame();
    page.send("terminal_open", json!({"request_id": "o", "cols": 80, "rows": 24}));
    page.session = loop {
        let frame = page.frame();
        if frame["request_id"] == "o" {
            break frame["data"]["session_id"].clone();
        }
    };
    page.keys("PS1=; bind 'set enable-bracketed-paste off'; echo rea''dy; exec cat\r");
    page.until("ready\r\n");
    let before = process::pss_kib(connector.pid());
    let mut echoes = Vec::new();
    for key in (b'a'..=b'z').cycle().take(KEYS) {
        let key = char::from(key).to_string();
        let typed = Instant::now();
        page.keys(&key);
        page.until(&key);
        echoes.push(typed.elapsed().as_secs_f64() * 1e3);
        // a person's fingers; without a pause the next echo would be gathered with this one
        let (_keep, pause) = crossbeam_channel::bounded::<()>(0);
        let _ = pause.recv_timeout(Duration::from_millis(20));
    }
    echoes.sort_by(f64::total_cmp);
    show("terminal: key to echo, p99", echoes[KEYS * 99 / 100], "ms", "16");
    show("terminal: key to echo, median", median(echoes), "ms", "4");
    page.keys("\r\u{4}");
    page.send("terminal_open", json!({"request_id": "p", "cols": 80, "rows": 24}));
    page.session = loop {
        let frame = page.frame();
        if frame["request_id"] == "p" {
            break frame["data"]["session_id"].clone();
        }
    };
    let peak = connector.watch_peak();
    let began = Instant::now();
    page.keys(&format!("stty -opost; yes 0123456789abcde | head -c {FLOOD}; stty opost; echo '' e'n'd\r"));
    let came = page.until(" end\r\n");
    show("terminal: throughput", came as f64 / 1e6 / began.elapsed().as_secs_f64(), "MB/s", "");
    show("terminal: memory, one open", before / 1024.0, "MiB", "");
    show("terminal: memory at most, in a flood", peak.stop() / 1024.0, "MiB", "");
    connector.stop();
}
