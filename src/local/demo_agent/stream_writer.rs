//! The lines of claude's stream-json (2.1, as recorded), or the plain answer with `--output-format text`.

use crate::sys::{id, time};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Instant;

/// Words per text delta.
const WORDS: usize = 4;

/// How a turn ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    /// With an answer.
    Completed,
    /// The "provider" failed, with this text.
    Failed(&'a str),
    /// SIGINT, while text came (false) or a tool ran (true).
    Interrupted { tool: bool },
    /// The session to resume is not known.
    NoSession(&'a str),
}

/// Says things on stdout. A closed stdout is not an error: the reader has lost interest.
pub struct Voice {
    session_id: String,
    model: String,
    json: bool,
    partial: bool,
    message_id: String,
    /// Text block under way.
    text: Option<String>,
    /// Tool call under way.
    call: Option<String>,
    /// Last finished text: the answer.
    answer: String,
    input: usize,
    output: usize,
    turns: u32,
}

impl Voice {
    /// A voice for one turn.
    pub fn new(session_id: String, model: String, json: bool, partial: bool) -> Voice {
        Voice {
            session_id,
            model,
            json,
            partial,
            message_id: String::new(),
            text: None,
            call: None,
            answer: String::new(),
            input: 0,
            output: 0,
            turns: 0,
        }
    }

    /// Writes one line and flushes it: the reader shows progress.
    pub fn line(&mut self, mut value: Value) {
        if !self.json {
            return;
        }
        value["session_id"] = self.session_id.as_str().into();
        value["uuid"] = id::uuid_v4().into();
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{value}").and_then(|()| out.flush());
    }

    /// `system/init`.
    pub fn init(&mut self, permission_mode: &str) {
        let cwd = std::env::current_dir().map(|d| d.to_string_lossy().into_owned()).unwrap_or_default();
        self.line(json!({ "type": "system", "subtype": "init", "cwd": cwd, "tools": ["Bash"],
            "mcp_servers": json!([]), "model": self.model, "permissionMode": permission_mode,
            "slash_commands": json!([]), "apiKeySource": "none", "claude_code_version": "2.1.330",
            "output_style": "default", "agents": json!([]), "skills": json!([]), "plugins": json!([]) }));
        self.input += 10;
    }

    fn event(&mut self, event: Value) {
        if self.partial {
            self.line(json!({ "type": "stream_event", "event": event, "parent_tool_use_id": null }));
        }
    }

    fn usage(&self) -> Value {
        json!({ "input_tokens": self.input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": self.output, "service_tier": "standard" })
    }

    fn begin_message(&mut self) {
        self.message_id = format!("msg_{}", id::hex());
        self.turns += 1;
        let (message_id, model, usage) = (self.message_id.clone(), self.model.clone(), self.usage());
        self.event(json!({ "type": "message_start", "message": { "id": message_id, "type": "message",
            "role": "assistant", "model": model, "content": [], "stop_reason": null, "usage": usage } }));
    }

    fn end_message(&mut self, why: &str) {
        let usage = json!({ "output_tokens": self.output });
        self.event(json!({ "type": "message_delta", "delta": { "stop_reason": why, "stop_sequence": null },
            "usage": usage }));
        self.event(json!({ "type": "message_stop" }));
    }

    fn assistant(&mut self, block: Value, marks: Value) {
        let mut line = json!({ "type": "assistant", "parent_tool_use_id": null,
            "message": { "id": self.message_id, "type": "message", "role": "assistant", "model": self.model,
                "content": [block], "stop_reason": null, "stop_sequence": null, "usage": self.usage() },
            "timestamp": time::rfc3339(time::now_ms()) });
        for (key, value) in marks.as_object().into_iter().flatten() {
            line[key] = value.clone();
        }
        self.line(line);
    }

    /// Begins a text that comes in pieces.
    pub fn open_text(&mut self) {
        self.begin_message();
        self.text = Some(String::new());
        self.event(json!({ "type": "content_block_start", "index": 0,
            "content_block": { "type": "text", "text": "" } }));
    }

    /// A piece of it.
    pub fn piece(&mut self, piece: &str) {
        self.output += 1;
        if let Some(text) = &mut self.text {
            text.push_str(piece);
        }
        self.event(json!({ "type": "content_block_delta", "index": 0,
            "delta": { "type": "text_delta", "text": piece } }));
    }

    /// Its end.
    pub fn close_text(&mut self) {
        self.answer = self.text.take().unwrap_or_default();
        self.assistant(json!({ "type": "text", "text": self.answer }), Value::Null);
        self.event(json!({ "type": "content_block_stop", "index": 0 }));
        self.end_message("end_turn");
    }

    /// A whole text, in a few pieces.
    pub fn say(&mut self, text: &str) {
        self.open_text();
        if self.partial {
            let words: Vec<&str> = text.split_inclusive(' ').collect();
            words.chunks(WORDS).for_each(|some| self.piece(&some.concat()));
        } else {
            self.piece(text);
        }
        self.close_text();
    }

    /// A tool call.
    pub fn tool_call(&mut self, name: &str, command: &str, description: &str) {
        self.begin_message();
        let call = format!("toolu_{}", &id::hex()[..20]);
        let input = json!({ "command": command, "description": description });
        self.event(json!({ "type": "content_block_start", "index": 0,
            "content_block": { "type": "tool_use", "id": call, "name": name, "input": {} } }));
        self.event(json!({ "type": "content_block_delta", "index": 0,
            "delta": { "type": "input_json_delta", "partial_json": input.to_string() } }));
        self.assistant(json!({ "type": "tool_use", "id": call, "name": name, "input": input }), Value::Null);
        self.event(json!({ "type": "content_block_stop", "index": 0 }));
        self.end_message("tool_use");
        self.call = Some(call);
    }

    /// Asks whether the tool may be used.
    pub fn ask(&mut self, name: &str, command: &str, description: &str) {
        let input = json!({ "command": command, "description": description });
        let request = json!({ "subtype": "can_use_tool", "tool_name": name, "input": input });
        self.line(json!({ "type": "control_request", "request_id": id::uuid_v4(), "request": request }));
    }

    /// What the tool said: ends the call.
    pub fn tool_end(&mut self, output: &Result<String, String>) {
        if let Some(call) = self.call.take() {
            self.tool_result(&call, output);
        }
    }

    fn tool_result(&mut self, call: &str, output: &Result<String, String>) {
        let (content, failed) = match output {
            Ok(text) => (text, false),
            Err(text) => (text, true),
        };
        let block =
            json!({ "tool_use_id": call, "type": "tool_result", "content": content, "is_error": failed });
        let result = match output {
            Ok(text) => json!({ "stdout": text, "stderr": "", "interrupted": false, "isImage": false }),
            Err(text) => format!("Error: {text}").into(),
        };
        self.line(json!({ "type": "user", "message": { "role": "user", "content": [block] },
            "parent_tool_use_id": null, "tool_use_result": result, "timestamp": time::rfc3339(time::now_ms()) }));
    }

    /// A failure of the "provider": a synthetic assistant text.
    pub fn api_error(&mut self, text: &str) {
        self.message_id = id::uuid_v4();
        let marks = json!({ "is_api_error_message": true, "error": "server_error", "api_error_status": 500 });
        self.assistant(json!({ "type": "text", "text": text }), marks);
    }

    /// After SIGINT: what there was of the text or the tool call, and the note that the CLI writes.
    pub fn interrupted(&mut self) -> Ending<'static> {
        if let Some(text) = self.text.take() {
            self.assistant(json!({ "type": "text", "text": text }), json!({ "aborted": true }));
        }
        let call = self.call.take();
        if let Some(call) = &call {
            self.tool_result(call, &Err("The tool use was rejected by the user.".to_owned()));
        }
        let tool = call.is_some();
        let note = format!("[Request interrupted by user{}]", if tool { " for tool use" } else { "" });
        let block = json!({ "type": "text", "text": note });
        self.line(json!({ "type": "user", "message": { "role": "user", "content": [block] },
            "parent_tool_use_id": null }));
        Ending::Interrupted { tool }
    }

    /// The `result` line; with `--output-format text` the answer itself.
    pub fn end(&mut self, since: Instant, ending: &Ending<'_>) {
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut line = json!({ "type": "result", "duration_ms": took, "duration_api_ms": took, "is_error": false,
            "num_turns": self.turns, "stop_reason": null, "total_cost_usd": 0.0, "usage": self.usage(),
            "modelUsage": {}, "permission_denials": json!([]), "api_error_status": null });
        match ending {
            Ending::Completed => {
                line["subtype"] = "success".into();
                line["terminal_reason"] = "completed".into();
                line["stop_reason"] = "end_turn".into();
                line["result"] = self.answer.as_str().into();
            }
            Ending::Failed(text) => {
                line["subtype"] = "success".into();
                line["terminal_reason"] = "api_error".into();
                line["is_error"] = true.into();
                line["api_error_status"] = 500.into();
                line["result"] = (*text).into();
            }
            Ending::Interrupted { tool } => {
                line["subtype"] = "error_during_execution".into();
                line["terminal_reason"] = if *tool { "aborted_tools" } else { "aborted_streaming" }.into();
                line["is_error"] = true.into();
                line["errors"] = json!(["[ede_diagnostic] result_type=user last_content_type=n/a"]);
            }
            Ending::NoSession(text) => {
                line["subtype"] = "error_during_execution".into();
                line["is_error"] = true.into();
                line["errors"] = json!([text]);
            }
        }
        self.line(line);
        if !self.json && *ending == Ending::Completed {
            let _ = writeln!(io::stdout(), "{}", self.answer);
        }
    }
}
