//! The dialect of `claude -p --output-format stream-json` (observed with 2.1.330: `tests/fixtures/claude-code`), and
//! what it shares with the two-way form (`two_way.rs`). Pure.

use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, TextCollector, completed_outcome, count_field,
    describe_tool_call, failed_outcome, one_line_title, outcome_from_exit, parse_typed_object, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, TurnRequest, Usage, adapter, classify};
use serde_json::Value;
use std::path::PathBuf;

/// One turn of claude.
#[derive(Debug)]
pub struct Claude {
    pub(crate) prompt: String,
    /// It is a command.
    pub(crate) slash: bool,
    pub(crate) workdir: PathBuf,
    pub(crate) resume: Option<String>,
    pub(crate) said: TextCollector,
    /// The last whole text block: the answer if `result` is empty.
    pub(crate) last_text: String,
    /// Message ids whose text comes in pieces already: with partial messages every block is said twice.
    pub(crate) streaming: String,
    /// Whether the text of the streaming message has begun a paragraph of its own.
    pub(crate) streamed: bool,
    pub(crate) complaint: String,
    /// Whether a tool call has succeeded.
    pub(crate) worked: bool,
    pub(crate) stray: StrayOutput,
    pub(crate) started: bool,
    pub(crate) ended: bool,
}

impl Claude {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        let mut prompt = request.prompt.clone();
        // In this form they cannot be sent, but it can read them.
        for image in &request.images {
            prompt.push_str(&format!("\n\nAttached image: {}", image.path.display()));
        }
        Self {
            prompt,
            slash: request.is_slash_command,
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            said: TextCollector::default(),
            last_text: String::new(),
            streaming: String::new(),
            streamed: false,
            complaint: String::new(),
            worked: false,
            stray: StrayOutput::default(),
            started: false,
            ended: false,
        }
    }

    pub(crate) fn refusal(&self) -> Option<AgentOutcome> {
        let id = self.resume.as_deref().filter(|id| !adapter::is_uuid(id))?;
        Some(failed_outcome(Reason::StaleSession, &format!("`{id}` is not a session id"), String::new()))
    }

    pub(crate) fn system(&mut self, value: &Value, effects: &mut DialectEffects) {
        match string_field(value, "subtype") {
            // Comes again with every background task.
            "init" if !self.started => {
                self.started = true;
                let id = string_field(value, "session_id");
                if adapter::is_uuid(id) {
                    effects.events.push(AgentEvent::Session(id.to_owned()));
                }
                effects.events.push(AgentEvent::Started);
            }
            "api_retry" => {
                let (attempt, of) = (count_field(value, "attempt"), count_field(value, "max_retries"));
                self.complaint = match (string_field(value, "error"), count_field(value, "error_status")) {
                    // No answer at all: refused, cut, not resolved.
                    ("unknown", 0) => "connection failed".to_owned(),
                    (error, 0) => error.to_owned(),
                    (error, status) => format!("{error} ({status})"),
                };
                effects
                    .events
                    .push(AgentEvent::Retry(format!("retry {attempt} of {of}: {}", self.complaint)));
            }
            "permission_denied" => {
                let words =
                    format!("{}: {}", string_field(value, "tool_name"), string_field(value, "message"));
                effects.events.push(AgentEvent::Denied(one_line_title(&words)));
            }
            _ => {}
        }
    }

    /// A raw event of the provider; only of the main agent, not of those that it sends out.
    pub(crate) fn stream(&mut self, value: &Value, effects: &mut DialectEffects) {
        if !value["parent_tool_use_id"].is_null() {
            return;
        }
        let event = &value["event"];
        match string_field(event, "type") {
            "message_start" => string_field(&event["message"], "id").clone_into(&mut self.streaming),
            "content_block_start" => self.streamed = false,
            "content_block_delta" => {
                let delta = &event["delta"];
                let text = string_field(delta, "text");
                if !text.is_empty() {
                    self.complaint.clear();
                    if std::mem::replace(&mut self.streamed, true) {
                        self.said.push_delta(text);
                    } else {
                        self.said.push_message(text);
                    }
                    effects.events.push(AgentEvent::Text(text.to_owned()));
                }
                let thought = string_field(delta, "thinking");
                if !thought.is_empty() {
                    effects.events.push(AgentEvent::Thought(thought.to_owned()));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn assistant(&mut self, value: &Value, effects: &mut DialectEffects) {
        let message = &value["message"];
        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = value["parent_tool_use_id"].is_null();
        let in_pieces = !self.streaming.is_empty() && string_field(message, "id") == self.streaming;
        // Qoder has only the word.
        let is_error = value["is_api_error_message"] == true || value["error"].is_string();
        for block in blocks {
            let text = string_field(block, "text");
            match string_field(block, "type") {
                "text" if is_error => self.complaint = format!("{} {text}", string_field(value, "error")),
                "text" if own && !text.trim().is_empty() => {
                    self.complaint.clear();
                    text.clone_into(&mut self.last_text);
                    if !in_pieces {
                        self.said.push_message(text);
                        effects.events.push(AgentEvent::Text(text.to_owned()));
                    }
                }
                "thinking" if own && !in_pieces => {
                    effects.events.push(AgentEvent::Thought(string_field(block, "thinking").to_owned()));
                }
                "tool_use" => {
                    let (kind, title) =
                        describe_tool_call(string_field(block, "name"), &block["input"], &self.workdir);
                    effects.events.push(AgentEvent::Tool {
                        id: string_field(block, "id").to_owned(),
                        kind,
                        title,
                    });
                }
                _ => {}
            }
        }
    }

    pub(crate) fn tool_results(&mut self, value: &Value, effects: &mut DialectEffects) {
        for block in value["message"]["content"].as_array().map(Vec::as_slice).unwrap_or_default() {
            if string_field(block, "type") == "tool_result" {
                let (id, ok) = (string_field(block, "tool_use_id").to_owned(), block["is_error"] != true);
                self.worked |= ok;
                effects.events.push(AgentEvent::ToolEnd { id, ok });
            }
        }
    }

    pub(crate) fn result(&mut self, value: &Value, effects: &mut DialectEffects) {
        effects.usage = usage(value);
        let answer = string_field(value, "result");
        let partial = self.said.text();
        if value["is_error"] != true {
            let answer = if answer.trim().is_empty() { self.last_text.as_str() } else { answer };
            return self.finish(completed_outcome(answer, self.worked, "", partial), effects);
        }
        let first_error = value["errors"].get(0).and_then(Value::as_str).unwrap_or_default();
        let words = if answer.is_empty() { first_error } else { answer };
        if string_field(value, "terminal_reason").starts_with("aborted") {
            // An interrupt that was not ours; ours is known to the runner.
            return self.finish(failed_outcome(Reason::Killed(2), "", partial), effects);
        }
        // The error word ("authentication_failed") is more telling than the sentence for people.
        let known = classify::by_message(words).or_else(|| classify::by_message(&self.complaint));
        let status = count_field(value, "api_error_status");
        let reason = known.unwrap_or_else(|| classify::by_http_status(words, status, self.resume.is_some()));
        self.finish(failed_outcome(reason, words, partial), effects);
    }

    /// One line of the protocol.
    pub(crate) fn object(&mut self, value: &Value, effects: &mut DialectEffects) {
        effects.is_sign_of_life = true;
        if self.ended {
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

    /// The first verdict counts; a background task may bring another `result`
    /// (`tests/fixtures/claude-code/tool-bg-flag.jsonl`).
    pub(crate) fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        if !self.ended {
            self.ended = true;
            effects.outcome = Some(outcome);
        }
    }
}

impl Dialect for Claude {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(refused) = self.refusal() {
            return self.finish(refused, effects);
        }
        let prompt = defuse(std::mem::take(&mut self.prompt));
        effects.stdin.push(if self.slash { prompt.trim_start().to_owned() } else { prompt });
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        match parse_typed_object(line) {
            Some(value) => self.object(&value, effects),
            None => self.stray.line(line, effects),
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let outcome = outcome_from_exit(exit, &self.complaint, &self.stray, stderr_tail, self.said.text());
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        self.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_message(&self.complaint)
            .or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
    }
}

/// An invisible character that is no blank: the word joiner.
pub(crate) const JOINER: char = '\u{2060}';

/// Prompt text is not inert (`tests/fixtures/claude-code/slash.jsonl`, `tests/fixtures/claude-code/at-file.jsonl`): a
/// leading `/` names a command that runs without the model, and `@path` makes the CLI itself read that file, in every
/// permission mode and also outside the working directory (seen with 2.1.330: `@/abs`, `@../up`, `@~/home`,
/// `@"quoted"`, at the start or after a blank). Whoever writes in the topic must not read the machine's files past
/// the mode; files below the working directory may stay what they are.
pub(crate) fn defuse(prompt: String) -> String {
    let slash = prompt.trim_start().starts_with('/');
    let mut out = String::with_capacity(prompt.len() + 8);
    if slash {
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

/// JavaScript's idea of a blank: Unicode's, and the byte order mark.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Whether the path after an `@` may leave the working directory.
pub(crate) fn leads_out(rest: &str) -> bool {
    let path = rest.split(is_blank).next().unwrap_or_default();
    path.starts_with(['/', '~', '"', '\\']) || path.contains("..")
}

/// Tokens of this turn: `model_usage_since_last_result`, as `modelUsage` counts the whole session
/// (`tests/fixtures/claude-code/resume.jsonl`).
pub(crate) fn usage(result: &Value) -> Option<Usage> {
    if let Some(models) = result["model_usage_since_last_result"].as_object() {
        let mut total = Usage::default();
        for model in models.values() {
            let cached = count_field(model, "cacheReadInputTokens");
            total.input +=
                count_field(model, "inputTokens") + cached + count_field(model, "cacheCreationInputTokens");
            total.cached += cached;
            total.output += count_field(model, "outputTokens");
        }
        return Some(total);
    }
    let usage = &result["usage"];
    let cached = count_field(usage, "cache_read_input_tokens");
    usage.is_object().then(|| Usage {
        input: count_field(usage, "input_tokens")
            + cached
            + count_field(usage, "cache_creation_input_tokens"),
        cached,
        output: count_field(usage, "output_tokens"),
    })
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
