//! The dialects of Kimi Code (`kimi -p`, observed with 2.1.0: `tests/fixtures/kimi`) and of kimi-cli (`kimi --print`,
//! 1.51.0: `tests/fixtures/kimi-cli`): one message of OpenAI's chat API per line. Pure.

use crate::agent::adapter::is_uuid;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, array_items, count_field, describe_tool_call, string_field,
};
use crate::agent::one_shot::{OneShotState, invalid_session};
use crate::agent::outcome::Reason;
use crate::agent::{TurnRequest, classify};
use crate::json;
use serde_json::Value;

/// Bytes of the longest prompt: Linux limits an argument to 128 KiB with its zero byte, and `--prompt=` is part of it. Kimi
/// Code reads the prompt from nowhere else.
const MAX_PROMPT: usize = (128 << 10) - 16;

/// kimi-cli wraps plain text at this width.
const WRAP_WIDTH: usize = 80;

/// Bytes of plain text that are kept: its errors are short.
const MAX_PLAIN: usize = 2 << 10;

/// The beginning of the stderr line with which Kimi Code reports its failure. The rest of stderr is output of tools.
const ERROR_PREFIX: &str = "error: ";

/// One turn of either Kimi.
#[derive(Debug)]
pub struct Kimi {
    is_legacy: bool,
    turn: OneShotState,
    /// The text of the last message; empty after a tool call.
    answer: String,
    /// Plain lines of stdout: the errors of kimi-cli.
    plain: String,
}

impl Kimi {
    /// For one turn of Kimi Code.
    pub fn code(request: &TurnRequest) -> Self {
        let turn = OneShotState::new(request);
        Self { is_legacy: false, turn, answer: String::new(), plain: String::new() }
    }

    /// For one turn of kimi-cli.
    pub fn legacy(request: &TurnRequest) -> Self {
        Self { is_legacy: true, ..Kimi::code(request) }
    }

    fn assistant(&mut self, value: &Value, effects: &mut DialectEffects) {
        self.turn.started(effects);
        self.turn.complaint.clear();
        let text = content(&value["content"], "text", effects);
        if !text.trim().is_empty() {
            self.turn.message(&text, effects);
            self.answer = text;
        }
        for call in array_items(&value["tool_calls"]) {
            let function = &call["function"];
            let input = json::parse(string_field(function, "arguments")).unwrap_or_default();
            let described = describe_tool_call(string_field(function, "name"), &input, &self.turn.workdir);
            effects.tool(string_field(call, "id"), described);
            self.answer.clear();
        }
    }

    fn tool(&mut self, value: &Value, effects: &mut DialectEffects) {
        let text = content(&value["content"], "", effects);
        let ok = !FAILED.iter().any(|words| text.starts_with(words));
        self.turn.tool_end(string_field(value, "tool_call_id").to_owned(), ok, effects);
    }

    fn meta(&mut self, value: &Value, effects: &mut DialectEffects) {
        match string_field(value, "type") {
            "turn.step.retrying" => {
                let (attempt, max) =
                    (count_field(value, "failed_attempt"), count_field(value, "max_attempts"));
                string_field(value, "error_message").clone_into(&mut self.turn.complaint);
                effects.retry(attempt, max, &self.turn.complaint);
            }
            // Printed at the end of a successful turn only.
            "session.resume_hint" => {
                effects.session(string_field(value, "session_id"), is_session);
                self.turn.done(&self.answer, effects);
            }
            _ => {}
        }
    }

    /// Keeps plain text, without the line breaks of its wrapping.
    fn plain(&mut self, line: &str, effects: &mut DialectEffects) {
        self.turn.stray.line(line, effects);
        if self.plain.len() + line.len() < MAX_PLAIN {
            self.plain.push_str(line);
            if line.chars().count() < WRAP_WIDTH {
                self.plain.push('\n');
            }
        }
    }

    /// kimi-cli prints `Error code: 401 - {'error': {'message': '…'`, `LLM not set`, or only the words of the provider.
    fn fail_legacy(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let words = self.plain.trim();
        if words.contains("is no longer maintained") {
            return self.turn.fail(Reason::CliUnsupported, words, effects);
        }
        if words.ends_with("Interrupted by user") {
            return self.turn.fail(Reason::Killed(2), "", effects);
        }
        let Some((_, error)) = words.split_once("Error code: ") else {
            words.clone_into(&mut self.turn.complaint);
            return self.turn.exited(exit, stderr_tail, effects);
        };
        let status = leading_number(error);
        let message = error.split_once("'message': '").and_then(|(_, rest)| rest.split_once('\''));
        let reason = classify::by_http_status(error, status, self.turn.resume.is_some());
        self.turn.fail(reason, message.map_or(error, |(message, _)| message), effects);
    }

    /// Kimi Code prints `error: failed to run prompt: provider.auth_error: 401 …` on stderr.
    fn fail_code(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let error = stderr_tail.lines().rev().find_map(|line| line.strip_prefix(ERROR_PREFIX));
        let (Some(error), Exit::Code(1)) = (error, exit) else { return self.turn.exited(exit, "", effects) };
        let words = error.strip_prefix("failed to run prompt: ").unwrap_or(error);
        if words.starts_with("Session \"") && words.contains("not found") {
            return self.turn.fail(Reason::StaleSession, words, effects);
        }
        let status = words.split_once("_error: ").map_or(0, |(_, rest)| leading_number(rest));
        self.turn.fail_by_status(words, status, effects);
    }
}

impl Dialect for Kimi {
    fn start(&mut self, effects: &mut DialectEffects) {
        if self.is_legacy {
            // A leading slash would name a command of kimi-cli.
            if self.turn.prompt.starts_with('/') {
                self.turn.prompt.insert(0, ' ');
            }
            return self.turn.start(is_uuid, effects);
        }
        // The prompt is an argument.
        let bytes = self.turn.prompt.len();
        if let Some(refused) = invalid_session(self.turn.resume.as_deref(), is_session) {
            self.turn.finish(refused, effects);
        } else if bytes > MAX_PROMPT {
            let words = format!(
                "the message has {bytes} bytes, and it takes at most {MAX_PROMPT}. Send it as a file"
            );
            self.turn.fail(Reason::RefusedByPolicy, &words, effects);
        }
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let value = Some(line.trim()).filter(|line| line.starts_with('{'));
        let value = value.and_then(|line| json::parse::<Value>(line).ok());
        let Some(value) = value.filter(|value| value["role"].is_string()) else {
            return self.plain(line, effects);
        };
        effects.is_sign_of_life = true;
        if self.turn.ended {
            return;
        }
        match string_field(&value, "role") {
            "assistant" => self.assistant(&value, effects),
            "tool" => self.tool(&value, effects),
            "meta" => self.meta(&value, effects),
            _ => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        match (self.is_legacy, exit) {
            (true, Exit::Code(0)) if self.turn.started => self.turn.done(&self.answer, effects),
            (true, _) => self.fail_legacy(exit, stderr_tail, effects),
            (false, _) => self.fail_code(exit, stderr_tail, effects),
        }
    }

    fn partial_text(&self) -> String {
        self.turn.said.text()
    }

    /// Stderr is output of tools.
    fn classify(&self, _stderr_tail: &str) -> Option<Reason> {
        let complaint = &self.turn.complaint;
        let status = Some(leading_number(complaint)).filter(|status| *status > 0);
        let by_status = status.map(|status| classify::by_http_status(complaint, status, false));
        classify::by_message(complaint).or(by_status)
    }
}

/// The HTTP status with which an error begins; 0 if there is none.
fn leading_number(words: &str) -> u64 {
    words.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Beginnings of the results of failed tools.
const FAILED: &[&str] =
    &["<system>ERROR", "Process exited with code ", "Session closed", "Tool execution failed"];

/// A message's text: a string, or parts, of which those of one kind count (all of them for ""). Reasoning is reported.
fn content(content: &Value, kind: &str, effects: &mut DialectEffects) -> String {
    let mut out = content.as_str().unwrap_or_default().to_owned();
    for part in array_items(content) {
        match string_field(part, "type") {
            "think" => effects.thought(string_field(part, "think")),
            other if kind.is_empty() || other == kind => out.push_str(string_field(part, "text")),
            _ => {}
        }
    }
    out
}

/// Whether a session id of Kimi Code may be an argument: `session_` and a UUID.
pub fn is_session(id: &str) -> bool {
    id.strip_prefix("session_").is_some_and(is_uuid)
}
