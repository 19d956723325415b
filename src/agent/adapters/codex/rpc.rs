//! Methods and parameters of the connector's requests to the app-server. Pure.

use crate::agent::TurnRequest;
use crate::agent::adapters::codex::effort::effort;
use crate::config::Mode;
use serde_json::{Value, json};

/// Parameters of `initialize`.
pub(super) fn initialize() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let client = json!({ "name": "wtt_connect", "title": "wtt-connect", "version": version });
    // Without it, commands in the background cannot be ended.
    let capabilities = json!({ "experimentalApi": true });
    json!({ "clientInfo": client, "capabilities": capabilities })
}

/// The request for a thread, new or resumed.
pub(super) fn thread(request: &TurnRequest) -> (&'static str, Value) {
    let (policy, sandbox) = preset(request.mode);
    let cwd = request.workdir.to_string_lossy().into_owned();
    let mut params = json!({ "cwd": cwd, "approvalPolicy": policy, "sandbox": sandbox });
    set(&mut params, "model", request.model.as_deref());
    let Some(id) = &request.resume else { return ("thread/start", params) };
    set(&mut params, "threadId", Some(id));
    params["excludeTurns"] = true.into();
    ("thread/resume", params)
}

/// Parameters of a turn. Directory and mode belong to the thread: another mode needs another process.
pub(super) fn turn(request: &TurnRequest, thread: &str, prompt: &str) -> Value {
    let mut input = vec![json!({ "type": "text", "text": prompt })];
    for image in &request.images {
        let path = image.path.to_string_lossy().into_owned();
        input.push(json!({ "type": "localImage", "path": path }));
    }
    let mut params = json!({ "threadId": thread, "input": input });
    set(&mut params, "model", request.model.as_deref());
    set(&mut params, "effort", effort(request));
    params
}

/// Approval policy and sandbox, as in codex' own presets: it does what the sandbox permits without a request, and asks
/// for the rest.
fn preset(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::FullAuto | Mode::Yolo => ("never", "danger-full-access"),
        Mode::AutoEdit => ("on-request", "workspace-write"),
        Mode::Suggest => ("on-request", "read-only"),
    }
}

fn set(params: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        params[key] = value.into();
    }
}

/// A slash command of the user ([`crate::agent::slash_commands`]) as a request.
pub(super) fn command(thread: &str, prompt: &str) -> (&'static str, Value) {
    let (name, words) = prompt.split_once(char::is_whitespace).unwrap_or((prompt, ""));
    if name == "/compact" {
        return ("thread/compact/start", json!({ "threadId": thread }));
    }
    let target = match words.trim() {
        "" => json!({ "type": "uncommittedChanges" }),
        words => json!({ "type": "custom", "instructions": words }),
    };
    ("review/start", json!({ "threadId": thread, "target": target, "delivery": "inline" }))
}
