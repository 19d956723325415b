//! `try --terminal`: a shell on this machine by the whole path that the web page uses. A browser's socket to the local
//! service, which asks the connector, which opens a pseudo-terminal; and back.

use crate::error::{Error, Result};
use crate::json;
use crate::local::service::Service;
use crate::sys::signal::{self, Signal};
use crate::sys::thread;
use crate::sys::tls::Stream;
use crate::sys::websocket_loop::{self, Driver, Flow, WebSocketSender};
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::Message;

/// The service is in this process, so this takes microseconds.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Bytes of input that are read at once; a paste comes in several pieces.
const INPUT_BYTES: usize = 4096;
/// Ctrl-D, which ends the input of a shell when stdin has ended.
const END_OF_INPUT: &str = "\u{4}";
/// Time until [`END_OF_INPUT`] is repeated: a shell that is still starting loses it. The time doubles with each repetition,
/// because what runs in the shell may take its time.
const FIRST_REPEAT: Duration = Duration::from_millis(250);
/// The longest time between repetitions: a shell that is free again does not wait long for its end.
const LAST_REPEAT: Duration = Duration::from_secs(16);

/// Opens a terminal and returns when its shell has ended. The shell's exit code is returned as [`Error::Silent`].
pub fn run(service: &Service, agent: &str, gone: &Receiver<()>, signals: &Receiver<Signal>) -> Result<()> {
    let failed = |e: io::Error| Error::Failed(format!("cannot open a terminal: {e}"));
    let (out, frames) = connect_as_browser(service, agent).map_err(failed)?;
    let token = service.user_token();
    let request = |action: &str, mut fields: Value| {
        fields["action"] = action.into();
        fields["token"] = token.into();
        out.send(Message::text(fields.to_string()));
    };
    request("auth", json!({ "request_id": "auth" }));
    let (cols, rows) = terminal_size();
    request("terminal_open", json!({ "request_id": "open", "cols": cols, "rows": rows, "cwd": "" }));
    let input = read_input().map_err(failed)?;
    let resized = signal::listen_for_resize().map_err(failed)?;
    let _raw = RawMode::enter();
    let mut session = Value::Null;
    let no_input = crossbeam_channel::never();
    let (mut is_line_start, mut repeat_at, mut repeat_after) = (true, None::<Instant>, FIRST_REPEAT);
    loop {
        // what is typed early waits until the terminal is open
        let input = if session.is_null() { &no_input } else { &input };
        select! {
            recv(frames) -> frame => match frame {
                Ok(frame) => match handle_frame(&frame, &mut session) {
                    Some(outcome) => return outcome,
                    None => continue,
                },
                Err(_) => return Err(Error::Failed("the local service closed the connection".into())),
            },
            recv(input) -> typed => {
                let mut typed = typed.unwrap_or_default();
                if typed.is_empty() {
                    // Ctrl-D in the middle of a line does not end the input
                    typed = format!("{}{END_OF_INPUT}", if is_line_start { "" } else { "\n" });
                    repeat_at = Some(Instant::now() + repeat_after);
                } else {
                    is_line_start = typed.ends_with(['\n', '\r']);
                }
                request("terminal_input", json!({ "session_id": session, "data": typed }));
            }
            recv(resized) -> _ => {
                let (cols, rows) = terminal_size();
                request("terminal_resize", json!({ "session_id": session, "cols": cols, "rows": rows }));
            }
            recv(gone) -> _ => return Err(Error::Failed("the connector has ended".into())),
            recv(signals) -> signal => return Err(Error::Silent(crate::sys::signal::exit_code(signal.ok()))),
            default(repeat_at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))) => {
                request("terminal_input", json!({ "session_id": session, "data": END_OF_INPUT }));
                repeat_after = (repeat_after * 2).min(LAST_REPEAT);
                repeat_at = Some(Instant::now() + repeat_after);
            },
        }
    }
}

/// Writes output to the screen and notes the id of the session. Returns the outcome when the terminal has ended.
fn handle_frame(frame: &Value, session: &mut Value) -> Option<Result<()>> {
    match frame["type"].as_str() {
        Some("terminal_output") => {
            let mut screen = io::stdout().lock();
            let written = screen.write_all(frame["data"].as_str().unwrap_or_default().as_bytes());
            written.and_then(|()| screen.flush()).err().map(|_| Err(Error::Silent(1)))
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
            let reason = frame["message"].as_str().or(frame["error"].as_str()).unwrap_or("no reason given");
            Some(Err(Error::Failed(format!("the terminal was refused: {reason}"))))
        }
        _ => None,
    }
}

/// Opens a socket as a browser does. Returns where to send frames, and the frames that arrive.
fn connect_as_browser(service: &Service, agent: &str) -> io::Result<(WebSocketSender, Receiver<Value>)> {
    let base = service.base_url();
    let address = base.strip_prefix("http://").unwrap_or(&base);
    let socket_address = address.parse().map_err(io::Error::other)?;
    let socket = TcpStream::connect_timeout(&socket_address, CONNECT_TIME)?;
    socket.set_nodelay(true)?;
    let second_handle = socket.try_clone()?;
    let url = format!("ws://{address}/ws/{agent}");
    let (mut ws, _) = tungstenite::client::client_with_config(
        url,
        Stream::Plain(socket),
        Some(websocket_loop::websocket_config()),
    )
    .map_err(|e| io::Error::other(e.to_string()))?;
    second_handle.set_nonblocking(true)?;
    let (out, mut queue) = websocket_loop::send_queue()?;
    let (sender, frames) = unbounded();
    thread::spawn("browser", move || {
        drop(websocket_loop::run(&mut ws, &mut queue, &mut BrowserSocket { frames: sender }))
    })?;
    Ok((out, frames))
}

struct BrowserSocket {
    frames: Sender<Value>,
}

impl Driver for BrowserSocket {
    fn on_message(&mut self, message: Message) -> Flow {
        let frame = match &message {
            Message::Text(text) => json::parse(text).unwrap_or_default(),
            _ => return Flow::Continue,
        };
        if self.frames.send(frame).is_ok() { Flow::Continue } else { Flow::End }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_deadline(&mut self, _now: Instant) -> Flow {
        Flow::Continue
    }
}

/// Reads stdin on a thread of its own, in whole characters. An empty text, once, is the end of the input.
fn read_input() -> io::Result<Receiver<String>> {
    let (sender, input) = unbounded();
    thread::spawn_small("stdin", move || {
        let (mut pending, mut buffer) = (Vec::new(), [0; INPUT_BYTES]);
        while let Ok(count @ 1..) = io::stdin().read(&mut buffer) {
            pending.extend_from_slice(&buffer[..count]);
            let complete = match std::str::from_utf8(&pending) {
                Err(e) if e.error_len().is_none() => e.valid_up_to(),
                _ => pending.len(),
            };
            let typed = String::from_utf8_lossy(&pending[..complete]).into_owned();
            pending.drain(..complete);
            if !typed.is_empty() && sender.send(typed).is_err() {
                return;
            }
        }
        let _ = sender.send(String::new());
        // the channel stays open: a closed one is always ready
        std::thread::park();
    })?;
    Ok(input)
}

fn terminal_size() -> (u32, u32) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// Raw mode of this terminal, which passes every key on. Ends when dropped.
struct RawMode(Option<Termios>);

impl RawMode {
    fn enter() -> RawMode {
        let Ok(before) = tcgetattr(io::stdin()) else { return RawMode(None) };
        let mut raw = before.clone();
        raw.make_raw();
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &raw);
        RawMode(Some(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
