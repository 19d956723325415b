//! `try --terminal`: a shell on this machine the long way round, as the web page opens one: a browser's socket to the
//! local service, which asks the connector, which opens a real terminal; and back.

use crate::error::{Error, Result};
use crate::json::{self, object};
use crate::local::service::Service;
use crate::sys::pump::{self, Driver, Flow, Outgoing};
use crate::sys::signal::{self, Signal};
use crate::sys::thread;
use crate::sys::tls::Stream;
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::Message;

/// The service is in this process.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Keys are read in pieces of this: a paste comes in several.
const KEYS: usize = 4096;
/// What ends the input of a shell: stdin has ended.
const END_OF_INPUT: &str = "\u{4}";
/// A shell that is still starting loses it when it takes over the keys, so it is said again: first after this,
/// then ever more seldom, because what runs in the shell may take its time.
const SAY_AGAIN: Duration = Duration::from_millis(250);
/// No more seldom than this.
const SELDOM: Duration = Duration::from_secs(16);

/// Opens it, and stays until its shell has ended. The shell's exit code comes back as [`Error::Silent`].
pub fn run(service: &Service, agent: &str, gone: &Receiver<()>, signals: &Receiver<Signal>) -> Result<()> {
    let failed = |e: io::Error| Error::Failed(format!("cannot open a terminal: {e}"));
    let (out, frames) = connect(service, agent).map_err(failed)?;
    let token = service.user_token();
    let ask = |action: &str, mut fields: Value| {
        fields["action"] = action.into();
        fields["token"] = token.into();
        out.send(Message::text(fields.to_string()));
    };
    ask("auth", object!({ "request_id": "auth" }));
    let (cols, rows) = size();
    ask("terminal_open", object!({ "request_id": "open", "cols": cols, "rows": rows, "cwd": "" }));
    let keys = keys().map_err(failed)?;
    let resized = signal::resized().map_err(failed)?;
    let _raw = Raw::enter();
    let mut session = Value::Null;
    let nothing = crossbeam_channel::never();
    let (mut whole_line, mut again, mut pause) = (true, None::<Instant>, SAY_AGAIN);
    loop {
        // what is typed early waits for the terminal
        let typed = if session.is_null() { &nothing } else { &keys };
        select! {
            recv(frames) -> frame => match frame {
                Ok(frame) => match show(&frame, &mut session) {
                    Some(outcome) => return outcome,
                    None => continue,
                },
                Err(_) => return Err(Error::Failed("the local service closed the connection".into())),
            },
            recv(typed) -> keys => {
                let mut typed = keys.unwrap_or_default();
                if typed.is_empty() {
                    // in the middle of a line it would not be the end of input
                    typed = format!("{}{END_OF_INPUT}", if whole_line { "" } else { "\n" });
                    again = Some(Instant::now() + pause);
                } else {
                    whole_line = typed.ends_with(['\n', '\r']);
                }
                ask("terminal_input", object!({ "session_id": session, "data": typed }));
            }
            recv(resized) -> _ => {
                let (cols, rows) = size();
                ask("terminal_resize", object!({ "session_id": session, "cols": cols, "rows": rows }));
            }
            recv(gone) -> _ => return Err(Error::Failed("the connector has ended".into())),
            recv(signals) -> signal => return Err(Error::Silent(super::killed_by(signal.ok()))),
            default(again.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))) => {
                ask("terminal_input", object!({ "session_id": session, "data": END_OF_INPUT }));
                pause = (pause * 2).min(SELDOM);
                again = Some(Instant::now() + pause);
            },
        }
    }
}

/// Draws what came; how it went, when it is over.
fn show(frame: &Value, session: &mut Value) -> Option<Result<()>> {
    match frame["type"].as_str() {
        Some("terminal_output") => {
            let mut screen = io::stdout().lock();
            let drawn = screen.write_all(frame["data"].as_str().unwrap_or_default().as_bytes());
            drawn.and_then(|()| screen.flush()).err().map(|_| Err(Error::Silent(1)))
        }
        Some("terminal_exit") => {
            let code = frame["exit_code"].as_i64().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            Some(if code == 0 { Ok(()) } else { Err(Error::Silent(code)) })
        }
        Some("action_result") if frame["request_id"] == "open" && frame["ok"] == true => {
            *session = frame["data"]["session_id"].clone();
            None
        }
        Some("terminal_error" | "action_result") if frame["ok"] != true => {
            let why = frame["message"].as_str().or(frame["error"].as_str()).unwrap_or("no reason given");
            Some(Err(Error::Failed(format!("the terminal was refused: {why}"))))
        }
        _ => None,
    }
}

/// A browser's socket: where to send, and what comes.
fn connect(service: &Service, agent: &str) -> io::Result<(Outgoing, Receiver<Value>)> {
    let base = service.base_url();
    let address = base.strip_prefix("http://").unwrap_or(&base);
    let place = address.parse().map_err(io::Error::other)?;
    let socket = TcpStream::connect_timeout(&place, CONNECT_TIME)?;
    socket.set_nodelay(true)?;
    let twin = socket.try_clone()?;
    let url = format!("ws://{address}/ws/{agent}");
    let (mut ws, _) =
        tungstenite::client::client_with_config(url, Stream::Plain(socket), Some(pump::limits()))
            .map_err(|e| io::Error::other(e.to_string()))?;
    twin.set_nonblocking(true)?;
    let (out, mut queue) = pump::outgoing()?;
    let (to, frames) = unbounded();
    thread::spawn("browser", move || drop(pump::run(&mut ws, &mut queue, &mut Browser { to })))?;
    Ok((out, frames))
}

struct Browser {
    to: Sender<Value>,
}

impl Driver for Browser {
    fn on_message(&mut self, message: Message) -> Flow {
        let frame = match &message {
            Message::Text(text) => json::parse(text.as_bytes()).unwrap_or_default(),
            _ => return Flow::Continue,
        };
        if self.to.send(frame).is_ok() { Flow::Continue } else { Flow::End }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_deadline(&mut self, _now: Instant) -> Flow {
        Flow::Continue
    }
}

/// What is typed, in whole characters; at the end of stdin an empty text, once.
fn keys() -> io::Result<Receiver<String>> {
    let (to, keys) = unbounded();
    thread::spawn_small("keys", move || {
        let (mut held, mut buffer) = (Vec::new(), [0; KEYS]);
        while let Ok(count @ 1..) = io::stdin().read(&mut buffer) {
            held.extend_from_slice(&buffer[..count]);
            let whole = match std::str::from_utf8(&held) {
                Err(e) if e.error_len().is_none() => e.valid_up_to(),
                _ => held.len(),
            };
            let typed = String::from_utf8_lossy(&held[..whole]).into_owned();
            held.drain(..whole);
            if !typed.is_empty() && to.send(typed).is_err() {
                return;
            }
        }
        let _ = to.send(String::new());
        // the channel stays open: its end would be heard again and again
        std::thread::park();
    })?;
    Ok(keys)
}

fn size() -> (u32, u32) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// This terminal hands every key on, until the end.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Raw {
        let Ok(before) = tcgetattr(io::stdin()) else { return Raw(None) };
        let mut raw = before.clone();
        raw.make_raw();
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &raw);
        Raw(Some(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
