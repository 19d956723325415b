//! Writes the lines of Claude Code's stream-json (2.1, as in `tests/fixtures/claude-code/`), or the plain answer with
//! `--output-format text`.

use crate::sys::{id, time};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Instant;

/// Words per text delta.
const WORDS: usize = 4;

/// How a turn ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoEnding<'a> {
    /// With an answer.
    Completed,
    /// The pretended provider failed, with this text.
    Failed(&'a str),
    /// SIGINT.
    Interrupted {
        /// A tool was running, and not text being written.
        in_tool: bool,
    },
    /// The session to resume does not exist, with this text.
    NoSession(&'a str),
}

/// Writes one turn to stdout. A closed stdout is no error: its reader needs no more.
pub struct StreamWriter {
    session_id: String,
    model: String,
    is_json: bool,
    has_partial_messages: bool,
    message_id: String,
    /// The text that is being written.
    text: Option<String>,
    /// The id of the tool call that is running.
    call: Option<String>,
    /// The last complete text: the answer.
    answer: String,
    input_tokens: usize,
    output_tokens: usize,
    turns: u32,
}

impl StreamWriter {
    /// A writer for one turn. Without `is_json` only the answer is written.
    pub fn new(session_id: String, model: String, is_json: bool, has_partial_messages: bool) -> StreamWriter {
        StreamWriter {
            session_id,
            model,
            is_json,
            has_partial_messages,
            message_id: String::new(),
            text: None,
            call: None,
            answer: String::new(),
            input_tokens: 0,
            output_tokens: 0,
            turns: 0,
        }
    }

    /// Writes one line, and flushes it, because the reader shows progress.
    pub fn write_line(&mut self, mut value: Value) {
        if !self.is_json {
            return;
        }
        value["session_id"] = self.session_id.as_str().into();
        value["uuid"] = id::uuid_v4().into();
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{value}").and_then(|()| out.flush());
    }

    /// Writes `system/init`.
    pub fn write_init(&mut self, permission_mode: &str) {
        let cwd = std::env::current_dir().map(|d| d.to_string_lossy().into_owned()).unwrap_or_default();
        self.write_line(json!({ "type": "system", "subtype": "init", "cwd": cwd, "tools": ["Bash"],
            "mcp_servers": json!([]), "model": self.model, "permissionMode": permission_mode,
            "slash_commands": json!([]), "apiKeySource": "none", "claude_code_version": "2.1.330",
            "output_style": "default", "agents": json!([]), "skills": json!([]), "plugins": json!([]) }));
        self.input_tokens += 10;
    }

    fn write_event(&mut self, event: Value) {
        if self.has_partial_messages {
            self.write_line(json!({ "type": "stream_event", "event": event, "parent_tool_use_id": null }));
        }
    }

    fn usage(&self) -> Value {
        json!({ "input_tokens": self.input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": self.output_tokens, "service_tier": "standard" })
    }

    fn begin_message(&mut self) {
        self.message_id = format!("msg_{}", id::hex());
        self.turns += 1;
        let (message_id, model, usage) = (self.message_id.clone(), self.model.clone(), self.usage());
        self.write_event(json!({ "type": "message_start", "message": { "id": message_id, "type": "message",
            "role": "assistant", "model": model, "content": [], "stop_reason": null, "usage": usage } }));
    }

    fn end_message(&mut self, why: &str) {
        let usage = json!({ "output_tokens": self.output_tokens });
        self.write_event(
            json!({ "type": "message_delta", "delta": { "stop_reason": why, "stop_sequence": null },
            "usage": usage }),
        );
        self.write_event(json!({ "type": "message_stop" }));
    }

    fn write_assistant(&mut self, block: Value, extra: Value) {
        let mut line = json!({ "type": "assistant", "parent_tool_use_id": null,
            "message": { "id": self.message_id, "type": "message", "role": "assistant", "model": self.model,
                "content": [block], "stop_reason": null, "stop_sequence": null, "usage": self.usage() },
            "timestamp": time::rfc3339(time::now_ms()) });
        for (key, value) in extra.as_object().into_iter().flatten() {
            line[key] = value.clone();
        }
        self.write_line(line);
    }

    /// Begins a text that is written in pieces.
    pub fn begin_text(&mut self) {
        self.begin_message();
        self.text = Some(String::new());
        self.write_event(json!({ "type": "content_block_start", "index": 0,
            "content_block": { "type": "text", "text": "" } }));
    }

    /// Writes a piece of the text.
    pub fn write_piece(&mut self, piece: &str) {
        self.output_tokens += 1;
        if let Some(text) = &mut self.text {
            text.push_str(piece);
        }
        self.write_event(json!({ "type": "content_block_delta", "index": 0,
            "delta": { "type": "text_delta", "text": piece } }));
    }

    /// Ends the text.
    pub fn end_text(&mut self) {
        self.answer = self.text.take().unwrap_or_default();
        self.write_assistant(json!({ "type": "text", "text": self.answer }), Value::Null);
        self.write_event(json!({ "type": "content_block_stop", "index": 0 }));
        self.end_message("end_turn");
    }

    /// Writes a whole text in a few pieces.
    pub fn write_text(&mut self, text: &str) {
        self.begin_text();
        if self.has_partial_messages {
            let words: Vec<&str> = text.split_inclusive(' ').collect();
            words.chunks(WORDS).for_each(|some| self.write_piece(&some.concat()));
        } else {
            self.write_piece(text);
        }
        self.end_text();
    }

    /// Begins a tool call.
    pub fn begin_tool_call(&mut self, name: &str, command: &str, description: &str) {
        self.begin_message();
        let call = format!("toolu_{}", &id::hex()[..20]);
        let input = json!({ "command": command, "description": description });
        self.write_event(json!({ "type": "content_block_start", "index": 0,
            "content_block": { "type": "tool_use", "id": call, "name": name, "input": {} } }));
        self.write_event(json!({ "type": "content_block_delta", "index": 0,
            "delta": { "type": "input_json_delta", "partial_json": input.to_string() } }));
        self.write_assistant(
            json!({ "type": "tool_use", "id": call, "name": name, "input": input }),
            Value::Null,
        );
        self.write_event(json!({ "type": "content_block_stop", "index": 0 }));
        self.end_message("tool_use");
        self.call = Some(call);
    }

    /// Requests permission to use the tool.
    pub fn request_permission(&mut self, name: &str, command: &str, description: &str) {
        let input = json!({ "command": command, "description": description });
        let request = json!({ "subtype": "can_use_tool", "tool_name": name, "input": input });
        self.write_line(
            json!({ "type": "control_request", "request_id": id::uuid_v4(), "request": request }),
        );
    }

    /// Ends the tool call with the output of the tool, or with an error.
    pub fn end_tool_call(&mut self, output: &Result<String, String>) {
        if let Some(call) = self.call.take() {
            self.write_tool_result(&call, output);
        }
    }

    fn write_tool_result(&mut self, call: &str, output: &Result<String, String>) {
        let (Ok(content) | Err(content)) = output;
        let block = json!({ "tool_use_id": call, "type": "tool_result", "content": content,
            "is_error": output.is_err() });
        let result = match output {
            Ok(text) => json!({ "stdout": text, "stderr": "", "interrupted": false, "isImage": false }),
            Err(text) => format!("Error: {text}").into(),
        };
        self.write_line(json!({ "type": "user", "message": { "role": "user", "content": [block] },
            "parent_tool_use_id": null, "tool_use_result": result, "timestamp": time::rfc3339(time::now_ms()) }));
    }

    /// Writes a failure of the pretended provider: a synthetic text of the assistant.
    pub fn write_api_error(&mut self, text: &str) {
        self.message_id = id::uuid_v4();
        let extra = json!({ "is_api_error_message": true, "error": "server_error", "api_error_status": 500 });
        self.write_assistant(json!({ "type": "text", "text": text }), extra);
    }

    /// After SIGINT: ends the text or the tool call, and writes the note of the CLI.
    pub fn interrupt(&mut self) -> DemoEnding<'static> {
        if let Some(text) = self.text.take() {
            self.write_assistant(json!({ "type": "text", "text": text }), json!({ "aborted": true }));
        }
        let call = self.call.take();
        if let Some(call) = &call {
            self.write_tool_result(call, &Err("The tool use was rejected by the user.".to_owned()));
        }
        let in_tool = call.is_some();
        let note = format!("[Request interrupted by user{}]", if in_tool { " for tool use" } else { "" });
        let block = json!({ "type": "text", "text": note });
        self.write_line(json!({ "type": "user", "message": { "role": "user", "content": [block] },
            "parent_tool_use_id": null }));
        DemoEnding::Interrupted { in_tool }
    }

    /// Writes the `result` line; with `--output-format text`, the answer itself. `start` is the beginning of the turn.
    pub fn end_turn(&mut self, start: Instant, ending: &DemoEnding<'_>) {
        let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let subtype = match ending {
            DemoEnding::Completed | DemoEnding::Failed(_) => "success",
            DemoEnding::Interrupted { .. } | DemoEnding::NoSession(_) => "error_during_execution",
        };
        let mut line = json!({ "type": "result", "subtype": subtype, "duration_ms": took,
            "duration_api_ms": took, "is_error": *ending != DemoEnding::Completed, "num_turns": self.turns, "stop_reason": null, "total_cost_usd": 0.0, "usage": self.usage(),
            "modelUsage": {}, "permission_denials": json!([]), "api_error_status": null });
        match ending {
            DemoEnding::Completed => {
                line["terminal_reason"] = "completed".into();
                line["stop_reason"] = "end_turn".into();
                line["result"] = self.answer.as_str().into();
            }
            DemoEnding::Failed(text) => {
                line["terminal_reason"] = "api_error".into();
                line["api_error_status"] = 500.into();
                line["result"] = (*text).into();
            }
            DemoEnding::Interrupted { in_tool } => {
                line["terminal_reason"] = if *in_tool { "aborted_tools" } else { "aborted_streaming" }.into();
                line["errors"] = json!(["[ede_diagnostic] result_type=user last_content_type=n/a"]);
            }
            DemoEnding::NoSession(text) => line["errors"] = json!([text]),
        }
        self.write_line(line);
        if !self.is_json && *ending == DemoEnding::Completed {
            let _ = writeln!(io::stdout(), "{}", self.answer);
        }
    }
}
