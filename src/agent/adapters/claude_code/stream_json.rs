//! The dialect of `claude -p --output-format stream-json` (observed with 2.1.330: `tests/fixtures/claude-code`), and
//! what it shares with the two-way form ([`stream`]). Pure.

use crate::agent::dialect::{
    Dialect, Effects, Exit, Said, Stray, count, describe, ended, failed, object, string, title, unsaid,
};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::{AgentEvent, Request, Usage, adapter, classify};
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
    pub(crate) said: Said,
    /// The last whole text block: the answer if `result` is empty.
    pub(crate) last_text: String,
    /// Message ids whose text comes in pieces already: with partial messages every block is said twice.
    pub(crate) streaming: String,
    /// Whether the text of the streaming message has begun a paragraph of its own.
    pub(crate) streamed: bool,
    pub(crate) complaint: String,
    /// Whether a tool call has succeeded.
    pub(crate) worked: bool,
    pub(crate) stray: Stray,
    pub(crate) started: bool,
    pub(crate) ended: bool,
}

impl Claude {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        let mut prompt = request.prompt.clone();
        // In this form they cannot be sent, but it can read them.
        for image in &request.images {
            prompt.push_str(&format!("\n\nAttached image: {}", image.path.display()));
        }
        Self {
            prompt,
            slash: request.slash,
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            said: Said::default(),
            last_text: String::new(),
            streaming: String::new(),
            streamed: false,
            complaint: String::new(),
            worked: false,
            stray: Stray::default(),
            started: false,
            ended: false,
        }
    }

    pub(crate) fn refusal(&self) -> Option<Outcome> {
        let id = self.resume.as_deref().filter(|id| !adapter::is_uuid(id))?;
        Some(failed(Reason::StaleSession, &format!("`{id}` is not a session id"), String::new()))
    }

    pub(crate) fn system(&mut self, value: &Value, fx: &mut Effects) {
        match string(value, "subtype") {
            // Comes again with every background task.
            "init" if !self.started => {
                self.started = true;
                let id = string(value, "session_id");
                if adapter::is_uuid(id) {
                    fx.events.push(AgentEvent::Session(id.to_owned()));
                }
                fx.events.push(AgentEvent::Started);
            }
            "api_retry" => {
                let (attempt, of) = (count(value, "attempt"), count(value, "max_retries"));
                self.complaint = match (string(value, "error"), count(value, "error_status")) {
                    // No answer at all: refused, cut, not resolved.
                    ("unknown", 0) => "connection failed".to_owned(),
                    (error, 0) => error.to_owned(),
                    (error, status) => format!("{error} ({status})"),
                };
                fx.events.push(AgentEvent::Retry(format!("retry {attempt} of {of}: {}", self.complaint)));
            }
            "permission_denied" => {
                let words = format!("{}: {}", string(value, "tool_name"), string(value, "message"));
                fx.events.push(AgentEvent::Denied(title(&words)));
            }
            _ => {}
        }
    }

    /// A raw event of the provider; only of the main agent, not of those that it sends out.
    pub(crate) fn stream(&mut self, value: &Value, fx: &mut Effects) {
        if !value["parent_tool_use_id"].is_null() {
            return;
        }
        let event = &value["event"];
        match string(event, "type") {
            "message_start" => string(&event["message"], "id").clone_into(&mut self.streaming),
            "content_block_start" => self.streamed = false,
            "content_block_delta" => {
                let delta = &event["delta"];
                let text = string(delta, "text");
                if !text.is_empty() {
                    self.complaint.clear();
                    if std::mem::replace(&mut self.streamed, true) {
                        self.said.piece(text);
                    } else {
                        self.said.message(text);
                    }
                    fx.events.push(AgentEvent::Text(text.to_owned()));
                }
                let thought = string(delta, "thinking");
                if !thought.is_empty() {
                    fx.events.push(AgentEvent::Thought(thought.to_owned()));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn assistant(&mut self, value: &Value, fx: &mut Effects) {
        let message = &value["message"];
        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = value["parent_tool_use_id"].is_null();
        let in_pieces = !self.streaming.is_empty() && string(message, "id") == self.streaming;
        // Qoder has only the word.
        let is_error = value["is_api_error_message"] == true || value["error"].is_string();
        for block in blocks {
            let text = string(block, "text");
            match string(block, "type") {
                "text" if is_error => self.complaint = format!("{} {text}", string(value, "error")),
                "text" if own && !text.trim().is_empty() => {
                    self.complaint.clear();
                    text.clone_into(&mut self.last_text);
                    if !in_pieces {
                        self.said.message(text);
                        fx.events.push(AgentEvent::Text(text.to_owned()));
                    }
                }
                "thinking" if own && !in_pieces => {
                    fx.events.push(AgentEvent::Thought(string(block, "thinking").to_owned()));
                }
                "tool_use" => {
                    let (kind, title) = describe(string(block, "name"), &block["input"], &self.workdir);
                    fx.events.push(AgentEvent::Tool { id: string(block, "id").to_owned(), kind, title });
                }
                _ => {}
            }
        }
    }

    pub(crate) fn tool_results(&mut self, value: &Value, fx: &mut Effects) {
        for block in value["message"]["content"].as_array().map(Vec::as_slice).unwrap_or_default() {
            if string(block, "type") == "tool_result" {
                let (id, ok) = (string(block, "tool_use_id").to_owned(), block["is_error"] != true);
                self.worked |= ok;
                fx.events.push(AgentEvent::ToolEnd { id, ok });
            }
        }
    }

    pub(crate) fn result(&mut self, value: &Value, fx: &mut Effects) {
        fx.usage = usage(value);
        let answer = string(value, "result");
        let partial = self.said.text();
        if value["is_error"] != true {
            let answer = if answer.trim().is_empty() { self.last_text.as_str() } else { answer };
            return self.finish(ended(answer, self.worked, "", partial), fx);
        }
        let first_error = value["errors"].get(0).and_then(Value::as_str).unwrap_or_default();
        let words = if answer.is_empty() { first_error } else { answer };
        if string(value, "terminal_reason").starts_with("aborted") {
            // An interrupt that was not ours; ours is known to the runner.
            return self.finish(failed(Reason::Killed(2), "", partial), fx);
        }
        // The error word ("authentication_failed") is more telling than the sentence for people.
        let known = classify::words(words).or_else(|| classify::words(&self.complaint));
        let status = count(value, "api_error_status");
        let reason = known.unwrap_or_else(|| classify::status(words, status, self.resume.is_some()));
        self.finish(failed(reason, words, partial), fx);
    }

    /// One line of the protocol.
    pub(crate) fn object(&mut self, value: &Value, fx: &mut Effects) {
        fx.alive = true;
        if self.ended {
            return;
        }
        match string(value, "type") {
            "system" => self.system(value, fx),
            "stream_event" => self.stream(value, fx),
            "assistant" => self.assistant(value, fx),
            "user" => self.tool_results(value, fx),
            "result" => self.result(value, fx),
            _ => {}
        }
    }

    /// The first verdict counts; a background task may bring another `result`
    /// (`tests/fixtures/claude-code/tool-bg-flag.jsonl`).
    pub(crate) fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        if !self.ended {
            self.ended = true;
            fx.done = Some(outcome);
        }
    }
}

impl Dialect for Claude {
    fn start(&mut self, fx: &mut Effects) {
        if let Some(refused) = self.refusal() {
            return self.finish(refused, fx);
        }
        let prompt = defuse(std::mem::take(&mut self.prompt));
        fx.stdin.push(if self.slash { prompt.trim_start().to_owned() } else { prompt });
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        match object(line) {
            Some(value) => self.object(&value, fx),
            None => self.stray.line(line, fx),
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        let outcome = unsaid(exit, &self.complaint, &self.stray, stderr_tail, self.said.text());
        self.finish(outcome, fx);
    }

    fn partial(&self) -> String {
        self.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::words(&self.complaint).or_else(|| classify::tail(stderr_tail).map(|(reason, _)| reason))
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
            let cached = count(model, "cacheReadInputTokens");
            total.input += count(model, "inputTokens") + cached + count(model, "cacheCreationInputTokens");
            total.cached += cached;
            total.output += count(model, "outputTokens");
        }
        return Some(total);
    }
    let usage = &result["usage"];
    let cached = count(usage, "cache_read_input_tokens");
    usage.is_object().then(|| Usage {
        input: count(usage, "input_tokens") + cached + count(usage, "cache_creation_input_tokens"),
        cached,
        output: count(usage, "output_tokens"),
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
