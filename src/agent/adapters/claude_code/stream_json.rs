//! The dialect of `claude -p --output-format stream-json` (observed with 2.1.330: `tests/fixtures/claude-code`), and
//! the reader of its lines, which the two-way form (`two_way.rs`) shares. Pure.

use crate::agent::adapter::is_uuid;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, array_items, count_field, describe_tool_call, one_line_title,
    parse_typed_object, string_field, usage_without_cache,
};
use crate::agent::one_shot::OneShotState;
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, TurnRequest, Usage, classify};
use serde_json::Value;
use std::fmt::Write;

/// One turn of claude.
#[derive(Debug)]
pub struct Claude {
    pub(in crate::agent) turn: OneShotState,
    is_slash_command: bool,
    /// The last whole text block: the answer if `result` is empty.
    last_text: String,
    /// Id of the message whose text comes in pieces: with partial messages every block is printed twice.
    streaming: String,
}

impl Claude {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        let mut turn = OneShotState::new(request);
        // This form cannot send images, but claude can read the files.
        for image in &request.images {
            let _ = write!(turn.prompt, "\n\nAttached image: {}", image.path.display());
        }
        Self {
            turn,
            is_slash_command: request.is_slash_command,
            last_text: String::new(),
            streaming: String::new(),
        }
    }

    fn system(&mut self, value: &Value, effects: &mut DialectEffects) {
        match string_field(value, "subtype") {
            // Repeated for every background task.
            "init" if !self.turn.started => {
                effects.session(string_field(value, "session_id"), is_uuid);
                self.turn.started(effects);
            }
            "api_retry" => {
                let (attempt, max) = (count_field(value, "attempt"), count_field(value, "max_retries"));
                self.turn.complaint = match (string_field(value, "error"), count_field(value, "error_status"))
                {
                    // No HTTP response: connection refused or cut, name not resolved.
                    ("unknown", 0) => "connection failed".to_owned(),
                    (error, 0) => error.to_owned(),
                    (error, status) => format!("{error} ({status})"),
                };
                effects.retry(attempt, max, &self.turn.complaint);
            }
            "permission_denied" => {
                let words =
                    format!("{}: {}", string_field(value, "tool_name"), string_field(value, "message"));
                effects.events.push(AgentEvent::Denied(one_line_title(&words)));
            }
            _ => {}
        }
    }

    /// A raw event of the provider. Those of subagents are ignored.
    fn stream(&mut self, value: &Value, effects: &mut DialectEffects) {
        if !value["parent_tool_use_id"].is_null() {
            return;
        }
        let event = &value["event"];
        match string_field(event, "type") {
            "message_start" => string_field(&event["message"], "id").clone_into(&mut self.streaming),
            "content_block_start" => self.turn.new_message(),
            "content_block_delta" => {
                let delta = &event["delta"];
                self.turn.text(string_field(delta, "text"), effects);
                effects.thought(string_field(delta, "thinking"));
            }
            _ => {}
        }
    }

    fn assistant(&mut self, value: &Value, effects: &mut DialectEffects) {
        let message = &value["message"];
        let is_main_agent = value["parent_tool_use_id"].is_null();
        let in_pieces = !self.streaming.is_empty() && string_field(message, "id") == self.streaming;
        // Qoder prints only `error`.
        let is_error = value["is_api_error_message"] == true || value["error"].is_string();
        for block in array_items(&message["content"]) {
            let text = string_field(block, "text");
            match string_field(block, "type") {
                "text" if is_error => {
                    self.turn.complaint = format!("{} {text}", string_field(value, "error"))
                }
                "text" if is_main_agent && !text.trim().is_empty() => {
                    self.turn.complaint.clear();
                    text.clone_into(&mut self.last_text);
                    if !in_pieces {
                        self.turn.message(text, effects);
                    }
                }
                "thinking" if is_main_agent && !in_pieces => effects.thought(string_field(block, "thinking")),
                "tool_use" => {
                    let (name, input) = (string_field(block, "name"), &block["input"]);
                    let described = describe_tool_call(name, input, &self.turn.workdir);
                    effects.tool(string_field(block, "id"), described);
                }
                _ => {}
            }
        }
    }

    fn tool_results(&mut self, value: &Value, effects: &mut DialectEffects) {
        for block in array_items(&value["message"]["content"]) {
            if string_field(block, "type") == "tool_result" {
                let id = string_field(block, "tool_use_id").to_owned();
                self.turn.tool_end(id, block["is_error"] != true, effects);
            }
        }
    }

    fn result(&mut self, value: &Value, effects: &mut DialectEffects) {
        effects.usage = usage(value);
        let answer = string_field(value, "result");
        if value["is_error"] != true {
            let answer = if answer.trim().is_empty() { self.last_text.as_str() } else { answer };
            return self.turn.done(answer, effects);
        }
        let first_error = value["errors"].get(0).and_then(Value::as_str).unwrap_or_default();
        let words = if answer.is_empty() { first_error } else { answer };
        if string_field(value, "terminal_reason").starts_with("aborted") {
            // Somebody else has interrupted it; the runner knows about its own interrupts.
            return self.turn.fail(Reason::Killed(2), "", effects);
        }
        // The error code ("authentication_failed") says more than the sentence for people.
        match classify::by_message(words).or_else(|| classify::by_message(&self.turn.complaint)) {
            Some(reason) => self.turn.fail(reason, words, effects),
            None => self.turn.fail_by_status(words, count_field(value, "api_error_status"), effects),
        }
    }

    /// Handles one line of the protocol. The first `result` counts; a background task may cause another one
    /// (`tests/fixtures/claude-code/tool-bg-flag.jsonl`).
    pub(in crate::agent) fn object(&mut self, value: &Value, effects: &mut DialectEffects) {
        effects.is_sign_of_life = true;
        if self.turn.ended {
            return;
        }
        match string_field(value, "type") {
            "system" => self.system(value, effects),
            "stream_event" => self.stream(value, effects),
            "assistant" => self.assistant(value, effects),
            "user" => self.tool_results(value, effects),
            "result" => self.result(value, effects),
            _ => {}
        }
    }
}

impl Dialect for Claude {
    fn start(&mut self, effects: &mut DialectEffects) {
        let prompt = defuse(std::mem::take(&mut self.turn.prompt));
        self.turn.prompt = if self.is_slash_command { prompt.trim_start().to_owned() } else { prompt };
        self.turn.start(is_uuid, effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        match parse_typed_object(line) {
            Some(value) => self.object(&value, effects),
            None => self.turn.stray.line(line, effects),
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.turn.exited(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.turn.classify(stderr_tail)
    }
}

/// The word joiner: an invisible character that is not a blank.
const JOINER: char = '\u{2060}';

/// Prompt text is not inert (`tests/fixtures/claude-code/slash.jsonl`, `tests/fixtures/claude-code/at-file.jsonl`): a
/// leading `/` names a command that runs without the model, and `@path` makes the CLI itself read that file, in every
/// permission mode and also outside the working directory (observed with 2.1.330: `@/abs`, `@../up`, `@~/home`,
/// `@"quoted"`, at the start or after a blank). A message must not read files of the machine that the mode does not
/// permit; mentions of files below the working directory stay as they are.
pub(crate) fn defuse(prompt: String) -> String {
    let mut out = String::with_capacity(prompt.len() + 8);
    if prompt.trim_start().starts_with('/') {
        out.push(' ');
    }
    let mut after_blank = true;
    for (at, c) in prompt.char_indices() {
        if c == '@' && after_blank && leads_out(&prompt[at + 1..]) {
            out.push(JOINER);
        }
        out.push(c);
        after_blank = is_blank(c);
    }
    out
}

/// Blanks as in JavaScript: those of Unicode, and the byte order mark.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Whether the path after an `@` may leave the working directory.
fn leads_out(rest: &str) -> bool {
    let path = rest.split(is_blank).next().unwrap_or_default();
    path.starts_with(['/', '~', '"', '\\']) || path.contains("..")
}

/// Tokens of this turn: `model_usage_since_last_result`, because `modelUsage` counts the whole session
/// (`tests/fixtures/claude-code/resume.jsonl`).
fn usage(result: &Value) -> Option<Usage> {
    if let Some(models) = result["model_usage_since_last_result"].as_object() {
        let keys = ["inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "outputTokens"];
        let per_model = models.values().map(|model| usage_without_cache(model, keys));
        return Some(per_model.fold(Usage::default(), Usage::plus));
    }
    let keys = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"];
    let usage = &result["usage"];
    usage.is_object().then(|| usage_without_cache(usage, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_defused() {
        assert_eq!(defuse("/cost".to_owned()), " /cost");
        assert_eq!(defuse("  /cost".to_owned()), "   /cost");
        assert_eq!(defuse("a /cost".to_owned()), "a /cost");
    }

    #[test]
    fn paths_that_leave_the_working_directory_are_defused() {
        let cases = [
            ("@/etc/passwd", true),
            ("see @../x and", true),
            ("see @~/.ssh/id", true),
            ("see\n@a/../../x", true),
            ("see\u{3000}@/x", true),
            ("see\u{feff}@/x", true),
            ("see @\"/x y\"", true),
            ("see @src/main.rs", false),
            ("@claude hello", false),
            ("me@/example", false),
            ("@property\ndef x(): ...", false),
            ("import '@/components'", false),
        ];
        for (prompt, changed) in cases {
            let got = defuse(prompt.to_owned());
            assert_eq!(got != prompt, changed, "{prompt}");
            assert_eq!(got.replace(JOINER, ""), prompt, "only an invisible character is added");
        }
    }
}
