//! Frames for terminals, one-shot shell commands and runtime information of this machine (see TERMINAL, SHELL and
//! RUNTIME INFORMATION in wtt-connect-protocol(7)).
//!
//! Every name and shape here is assumed, because no public client shows the side of the agent. They are decoded
//! liberally (`type` or `action`, an optional `_request`, fields flat or nested). If the service differs, this is the
//! file to change. A `token` in such a frame is never read.

use crate::wire::lenient_json::{self, Object};
use crate::wire::outgoing;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The meaning of a name.
#[derive(Debug, Clone, Copy)]
enum HostFrameKind {
    Open,
    Input,
    Resize,
    Close,
    Shell,
    Runtime,
}

/// All names, without the optional `_request`.
const NAMES: &[(&str, HostFrameKind)] = &[
    ("terminal_open", HostFrameKind::Open),
    ("terminal_input", HostFrameKind::Input),
    ("terminal_resize", HostFrameKind::Resize),
    ("terminal_close", HostFrameKind::Close),
    ("shell_exec", HostFrameKind::Shell),
    ("shell", HostFrameKind::Shell),
    ("agent_shell", HostFrameKind::Shell),
    ("shell_job", HostFrameKind::Shell),
    ("runtime_info", HostFrameKind::Runtime),
];

/// Keys of the id that a response must carry, the most common first.
const ID_KEYS: &[&str] = &["request_id", "requestId", "job_id", "jobId", "id"];
/// Keys of objects that may hold the fields.
const NESTS: &[&str] = &["payload", "data", "params", "job"];
/// Longest id of a terminal, which is a key of a map and part of log lines.
const SESSION_CHARS: usize = 128;
/// Largest number of columns or rows.
const MAX_SIDE: u64 = 1000;
/// The default of terminals, and that of the web page before it has measured its own.
const USUAL_SIZE: TerminalSize = TerminalSize { cols: 80, rows: 24 };

/// The error for a feature that is switched off.
pub const DISABLED: &str = "shell_disabled";

/// Columns and rows, both 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// What the web page requests.
#[derive(Debug, Clone, PartialEq)]
pub enum HostAction {
    /// Open a terminal. Without a session id the connector chooses one.
    Open {
        /// The id that the service has chosen.
        session: Option<String>,
        /// Its size.
        size: TerminalSize,
        /// The directory, if the request names one.
        cwd: Option<String>,
    },
    /// Send input to a terminal.
    Input {
        /// The id of the terminal.
        session: String,
        /// The input as typed.
        keys: String,
    },
    /// Change the size of a terminal.
    Resize {
        /// The id of the terminal.
        session: String,
        /// Its size.
        size: TerminalSize,
    },
    /// Close a terminal.
    Close {
        /// The id of the terminal.
        session: String,
    },
    /// Run a command and return its result.
    Shell {
        /// For a shell; may have several lines.
        command: String,
        /// Its time limit.
        timeout: Option<Duration>,
        /// The directory, if the request names one.
        cwd: Option<String>,
    },
    /// Return information about this machine.
    Runtime,
    /// A known name without a required field, which the text names.
    Unclear(&'static str),
}

/// One request of the web page.
#[derive(Debug, Clone, PartialEq)]
pub struct HostRequest {
    /// What is requested.
    pub ask: HostAction,
    /// Its name, without `_request`.
    name: &'static str,
    /// The id under each key that it had.
    ids: Map<String, Value>,
}

/// Decodes a frame of this type (in lower case); none if the name is not one of these.
pub fn decode(kind: &str, body: &Object) -> Option<HostRequest> {
    let stem = kind.strip_suffix("_request").unwrap_or(kind);
    let (name, kind) = NAMES.iter().find(|(name, _)| *name == stem)?;
    let mut ids = Map::new();
    for key in ID_KEYS {
        if let Some(id) = text(body, &[key]) {
            ids.insert((*key).to_owned(), id.into());
        }
    }
    Some(HostRequest { ask: ask(*kind, body), name, ids })
}

fn ask(kind: HostFrameKind, body: &Object) -> HostAction {
    let session = text(body, &["session_id", "sessionId", "terminal_id"]);
    let session = session.filter(|id| id.chars().count() <= SESSION_CHARS);
    match (kind, session) {
        (HostFrameKind::Open, session) => HostAction::Open {
            session,
            size: size(body).unwrap_or(USUAL_SIZE),
            cwd: text(body, &["cwd", "workdir"]),
        },
        (HostFrameKind::Input | HostFrameKind::Resize | HostFrameKind::Close, None) => {
            HostAction::Unclear("session_id is missing or too long")
        }
        (HostFrameKind::Input, Some(session)) => {
            match find(body, |o| o.get("data").or(o.get("input"))?.as_str()) {
                Some(keys) => HostAction::Input { session, keys: keys.to_owned() },
                None => HostAction::Unclear("data is missing"),
            }
        }
        (HostFrameKind::Resize, Some(session)) => match size(body) {
            Some(size) => HostAction::Resize { session, size },
            None => HostAction::Unclear("cols and rows are missing"),
        },
        (HostFrameKind::Close, Some(session)) => HostAction::Close { session },
        (HostFrameKind::Shell, _) => match find(body, |o| o.get("command").or(o.get("cmd"))?.as_str()) {
            Some(command) if !command.trim().is_empty() => {
                let command = command.to_owned();
                HostAction::Shell { command, timeout: timeout(body), cwd: text(body, &["cwd", "workdir"]) }
            }
            _ => HostAction::Unclear("command is missing"),
        },
        (HostFrameKind::Runtime, _) => HostAction::Runtime,
    }
}

/// The first result of `look` for the frame itself and the objects in it.
fn find<'a, T>(body: &'a Object, look: impl Fn(&'a Object) -> Option<T>) -> Option<T> {
    let nested = NESTS.iter().filter_map(|key| body.get(*key)?.as_object());
    std::iter::once(body).chain(nested).find_map(look)
}

fn text(body: &Object, keys: &[&str]) -> Option<String> {
    find(body, |o| lenient_json::text(o, keys))
}

fn number(body: &Object, keys: &[&str]) -> Option<f64> {
    text(body, keys)?.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0)
}

fn size(body: &Object) -> Option<TerminalSize> {
    let side = |keys: &[&str]| {
        let asked = text(body, keys)?.parse::<u64>().ok()?;
        u16::try_from(asked.clamp(1, MAX_SIDE)).ok()
    };
    Some(TerminalSize { cols: side(&["cols", "columns"])?, rows: side(&["rows", "lines"])? })
}

fn timeout(body: &Object) -> Option<Duration> {
    let seconds = number(body, &["timeout_seconds", "timeout"]);
    let seconds = seconds.or_else(|| Some(number(body, &["timeout_ms"])? / 1000.0))?;
    Duration::try_from_secs_f64(seconds).ok()
}

impl HostRequest {
    /// Whether a response is expected.
    pub fn expects_answer(&self) -> bool {
        !self.ids.is_empty()
    }

    /// The response, if one is expected: `fields` flat beside `ok` and the id.
    pub fn answer(&self, ok: bool, fields: Value) -> Option<String> {
        let id = self.ids.values().next()?.as_str()?;
        let mut frame = self.ids.clone();
        if let Value::Object(fields) = fields {
            frame.extend(fields);
        }
        Some(outgoing::respond(self.name, id, ok, frame))
    }

    /// The response to a request that is refused: `error` for programs, `sentence` for people.
    pub fn refuse(&self, error: &str, sentence: &str) -> Option<String> {
        self.answer(false, json!({ "error": error, "message": sentence }))
    }
}

/// The result of a one-shot command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandResult {
    /// Exit code; 128 plus the signal that ended it, or 124 after its time limit.
    pub exit_code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Whether it was killed at its time limit.
    pub timed_out: bool,
    /// Whether the beginning of its output was cut off.
    pub truncated: bool,
}

impl CommandResult {
    /// The fields of the response: flat, and again as the row that the web page reads, in both of its spellings.
    pub fn fields(&self) -> Value {
        let CommandResult { exit_code, stdout, stderr, timed_out, truncated } = self;
        let result =
            json!({ "exit_code": exit_code, "exitCode": exit_code, "stdout": stdout, "stderr": stderr });
        let mut fields = json!({ "status": if *timed_out { "timeout" } else { "done" }, "exit_code": exit_code,
            "exitCode": exit_code, "stdout": stdout, "stderr": stderr, "timed_out": timed_out,
            "truncated": truncated, "result": result });
        if *timed_out {
            fields["error"] = "the command was ended because its time was up".into();
        }
        fields
    }
}

/// `terminal_output`.
pub fn output(session: &str, data: &str) -> String {
    json!({ "type": "terminal_output", "session_id": session, "data": data }).to_string()
}

/// `terminal_exit`.
pub fn exit(session: &str, code: i32) -> String {
    json!({ "type": "terminal_exit", "session_id": session, "exit_code": code }).to_string()
}

/// `terminal_error`.
pub fn error(session: &str, error: &str, sentence: &str) -> String {
    json!({ "type": "terminal_error", "session_id": session, "error": error, "message": sentence })
        .to_string()
}

/// `runtime_info` without a request.
pub fn runtime_info(request_id: &str, runtime: &Value) -> String {
    json!({ "action": "runtime_info", "request_id": request_id, "runtime": runtime }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(frame: Value) -> HostRequest {
        let body = frame.as_object().unwrap();
        let kind = lenient_json::word(body, &["type", "action"]).unwrap();
        decode(&kind, body).unwrap_or_else(|| panic!("{frame}"))
    }

    #[test]
    fn frames_are_understood_in_every_assumed_shape() {
        let size = |cols, rows| TerminalSize { cols, rows };
        let open = |session: Option<&str>, size, cwd: Option<&str>| HostAction::Open {
            session: session.map(str::to_owned),
            size,
            cwd: cwd.map(str::to_owned),
        };
        let shell = |timeout: Option<u64>| HostAction::Shell {
            command: " a\nb\n".into(),
            timeout: timeout.map(Duration::from_millis),
            cwd: None,
        };
        let (session, keys) = ("s".to_owned(), " \r\u{1b}[A".to_owned());
        let rows: &[(Value, HostAction)] = &[
            (
                json!({"type":"terminal_open","request_id":"r","session_id":"s","cols":120,"rows":32,"cwd":"/w"}),
                open(Some("s"), size(120, 32), Some("/w")),
            ),
            (
                json!({"action":"TERMINAL_OPEN_REQUEST","payload":{"cols":"9","rows":0}}),
                open(None, size(9, 1), None),
            ),
            (json!({"type":"terminal_open","cwd":"","token":"hush"}), open(None, size(80, 24), None)),
            (
                json!({"type":"terminal_input","session_id":"s","data":keys}),
                HostAction::Input { session: session.clone(), keys: keys.clone() },
            ),
            (
                json!({"type":"terminal_input","data":{"session_id":"s","data":keys}}),
                HostAction::Input { session: session.clone(), keys },
            ),
            (
                json!({"type":"terminal_input","data":"x"}),
                HostAction::Unclear("session_id is missing or too long"),
            ),
            (
                json!({"type":"terminal_resize","session_id":"s","columns":100_000,"rows":30}),
                HostAction::Resize { session: session.clone(), size: size(1000, 30) },
            ),
            (
                json!({"type":"terminal_resize","session_id":"s"}),
                HostAction::Unclear("cols and rows are missing"),
            ),
            (json!({"type":"terminal_close","sessionId":"s"}), HostAction::Close { session }),
            (
                json!({"type":"shell_exec","request_id":"r","command":" a\nb\n","timeout_seconds":120}),
                shell(Some(120_000)),
            ),
            (
                json!({"type":"shell_request","job_id":"r","cmd":" a\nb\n","timeout_ms":1500}),
                shell(Some(1500)),
            ),
            (json!({"action":"agent_shell","data":{"command":" a\nb\n","timeout":"2"}}), shell(Some(2000))),
            (json!({"type":"shell_job","id":7,"command":" a\nb\n","timeout":-1}), shell(None)),
            (json!({"type":"shell_job","id":7,"command":" \n"}), HostAction::Unclear("command is missing")),
            (json!({"type":"runtime_info_request","request_id":"r"}), HostAction::Runtime),
        ];
        for (frame, ask) in rows {
            assert_eq!(&call(frame.clone()).ask, ask, "{frame}");
        }
        for kind in ["typing", "terminal_output", "shell_exec_response", "runtime", "e2e_key_request"] {
            assert_eq!(decode(kind, &Object::new()), None, "{kind}");
        }
    }

    #[test]
    fn an_answer_carries_the_id_as_it_came() {
        let refusal = |frame| call(frame).refuse(DISABLED, "It is off.");
        let parsed = |text: Option<String>| serde_json::from_str::<Value>(&text.unwrap()).unwrap();
        assert_eq!(
            parsed(refusal(json!({"type":"shell_request","job_id":"j","command":"x"}))),
            json!({"type":"shell_response","request_id":"j","job_id":"j","ok":false,"error":"shell_disabled",
                "message":"It is off."})
        );
        assert_eq!(refusal(json!({"type":"terminal_close","session_id":"s"})), None);
        let done = CommandResult {
            exit_code: 3,
            stdout: "o".into(),
            stderr: "e".into(),
            timed_out: false,
            truncated: false,
        };
        let answer =
            call(json!({"type":"shell_exec","request_id":"r","command":"x"})).answer(true, done.fields());
        assert_eq!(
            parsed(answer),
            json!({"type":"shell_exec_response","request_id":"r","ok":true,"status":"done","exit_code":3,"exitCode":3,
                "stdout":"o","stderr":"e","timed_out":false,"truncated":false,
                "result":{"exit_code":3,"exitCode":3,"stdout":"o","stderr":"e"}})
        );
    }
}
