//! A browser's socket to the local service: terminals of an agent, as the web page uses them.

use super::daemon::{AGENT, PATIENCE};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

pub struct Browser {
    ws: WebSocket<TcpStream>,
    token: String,
    counter: u32,
    /// Frames that came while something else was waited for.
    early: Vec<Value>,
}

/// A terminal in a browser: what it shows.
pub struct Tab {
    pub session: String,
    /// Everything that came.
    pub all: String,
    /// What was looked at.
    read: usize,
}

impl Browser {
    pub fn open(service: &wtt_connect::local::service::Service) -> Browser {
        let base = service.base_url();
        let address = base.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let (ws, _) = tungstenite::client(format!("ws://{address}/ws/{AGENT}"), stream).unwrap();
        ws.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let token = service.user_token().to_owned();
        let mut browser = Browser { ws, token, counter: 0, early: Vec::new() };
        let answer = browser.ask("auth", json!({}));
        assert_eq!(answer["ok"], true, "{answer}");
        browser
    }

    pub fn send(&mut self, action: &str, mut fields: Value) {
        fields["action"] = action.into();
        fields["token"] = self.token.as_str().into();
        self.ws.send(Message::text(fields.to_string())).unwrap();
    }

    /// Sends an action and waits for its result.
    pub fn ask(&mut self, action: &str, mut fields: Value) -> Value {
        self.counter += 1;
        let id = format!("{action}-{}", self.counter);
        fields["request_id"] = id.as_str().into();
        self.send(action, fields);
        self.wait(&id, |frame| frame["request_id"] == id.as_str())
    }

    /// The next frame.
    pub fn next(&mut self, until: Instant) -> Option<Value> {
        while Instant::now() < until {
            match self.ws.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(_) => {}
                // interrupted: the process was stopped and goes on
                Err(tungstenite::Error::Io(e))
                    if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => panic!("the browser's socket: {e}"),
            }
        }
        None
    }

    /// Waits for a frame, also among those that came before; others are kept.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.early.iter().position(&wanted) {
            return self.early.remove(at);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let Some(frame) = self.next(until) else {
                panic!("waited in vain for {what}; others: {:?}", self.early);
            };
            if wanted(&frame) {
                return frame;
            }
            self.early.push(frame);
        }
    }

    pub fn terminal(&mut self, cols: u16, rows: u16) -> Tab {
        let answer = self.ask("terminal_open", json!({"cols": cols, "rows": rows, "cwd": ""}));
        assert_eq!(answer["ok"], true, "{answer}");
        let session = answer["data"]["session_id"].as_str().unwrap().to_owned();
        Tab { session, all: String::new(), read: 0 }
    }

    pub fn keys(&mut self, tab: &Tab, keys: &str) {
        self.send("terminal_input", json!({"session_id": tab.session, "data": keys}));
    }

    /// The next frame about a terminal.
    pub fn event(&mut self, tab: &Tab) -> Value {
        self.wait("a frame of the terminal", |frame| frame["session_id"] == tab.session.as_str())
    }

    /// Waits until these words are shown, after those seen before; what was shown up to them.
    pub fn see(&mut self, tab: &mut Tab, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = tab.all[tab.read..].find(words) {
                let seen = tab.all[tab.read..tab.read + at].to_owned();
                tab.read += at + words.len();
                return seen;
            }
            let session = tab.session.clone();
            let early = self.early.iter().position(|frame| frame["session_id"] == session.as_str());
            let frame = match early {
                Some(at) => self.early.remove(at),
                None => match self.next(until) {
                    Some(frame) => frame,
                    None => panic!("did not see {words:?} in {:?}", &tab.all[tab.read..]),
                },
            };
            if frame["session_id"] != session.as_str() {
                self.early.push(frame);
            } else if frame["type"] == "terminal_output" {
                tab.all += frame["data"].as_str().unwrap();
            } else {
                panic!("{frame} instead of {words:?} after {:?}", &tab.all[tab.read..]);
            }
        }
    }

    /// Waits for the end of a terminal; its code. What it shows until then is added.
    pub fn exit(&mut self, tab: &mut Tab) -> i64 {
        loop {
            let frame = self.event(tab);
            match frame["type"].as_str().unwrap() {
                "terminal_output" => tab.all += frame["data"].as_str().unwrap(),
                "terminal_exit" => return frame["exit_code"].as_i64().unwrap(),
                _ => panic!("{frame}"),
            }
        }
    }
}
