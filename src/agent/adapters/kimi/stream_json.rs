//! The dialects of Kimi Code (`kimi -p`, observed with 2.1.0) and of kimi-cli (`kimi --print`, 1.51.0): messages as
//! of OpenAI's chat API, one a line (agents B 4, 5). Pure.

use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, TextCollector, completed_outcome, count_field,
    describe_tool_call, failed_outcome, outcome_from_exit, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, TurnRequest, adapter, classify};
use crate::json;
use serde_json::Value;
use std::path::PathBuf;

/// Linux takes no longer argument (128 KiB with its end), and Kimi Code takes the prompt no other way. `--prompt=` is in it.
const MAX_PROMPT: usize = (128 << 10) - 16;

/// kimi-cli folds its plain words at this width.
const FOLD: usize = 80;

/// Plain words that are kept: its errors are short.
const MAX_WORDS: usize = 2 << 10;

/// How Kimi Code begins the line of stderr that tells why it failed. The rest of stderr is output of tools.
const ERROR: &str = "error: ";

/// One turn of either Kimi.
#[derive(Debug)]
pub struct Kimi {
    legacy: bool,
    prompt: String,
    workdir: PathBuf,
    resume: Option<String>,
    started: bool,
    said: TextCollector,
    /// The text of the last message without tool calls, or of the last with text.
    answer: String,
    worked: bool,
    /// Plain lines of stdout: the errors of kimi-cli.
    words: String,
    complaint: String,
    stray: StrayOutput,
    ended: bool,
}

impl Kimi {
    /// For one turn of Kimi Code.
    pub fn code(request: &TurnRequest) -> Self {
        Self {
            legacy: false,
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            started: false,
            said: TextCollector::default(),
            answer: String::new(),
            worked: false,
            words: String::new(),
            complaint: String::new(),
            stray: StrayOutput::default(),
            ended: false,
        }
    }

    /// For one turn of kimi-cli.
    pub fn legacy(request: &TurnRequest) -> Self {
        Self { legacy: true, ..Kimi::code(request) }
    }

    fn assistant(&mut self, value: &Value, effects: &mut DialectEffects) {
        if !std::mem::replace(&mut self.started, true) {
            effects.events.push(AgentEvent::Started);
        }
        self.complaint.clear();
        let text = content(&value["content"], "text", effects);
        if !text.trim().is_empty() {
            self.said.push_message(&text);
            effects.events.push(AgentEvent::Text(text.clone()));
            self.answer = text;
        }
        for call in value["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let function = &call["function"];
            let input: Value = json::parse(string_field(function, "arguments")).unwrap_or_default();
            let (kind, title) = describe_tool_call(string_field(function, "name"), &input, &self.workdir);
            effects.events.push(AgentEvent::Tool { id: string_field(call, "id").to_owned(), kind, title });
            self.answer.clear();
        }
    }

    fn tool(&mut self, value: &Value, effects: &mut DialectEffects) {
        let text = content(&value["content"], "", effects);
        let ok = !FAILED.iter().any(|words| text.starts_with(words));
        self.worked |= ok;
        effects.events.push(AgentEvent::ToolEnd { id: string_field(value, "tool_call_id").to_owned(), ok });
    }

    fn meta(&mut self, value: &Value, effects: &mut DialectEffects) {
        match string_field(value, "type") {
            "turn.step.retrying" => {
                let (attempt, of) =
                    (count_field(value, "failed_attempt"), count_field(value, "max_attempts"));
                string_field(value, "error_message").clone_into(&mut self.complaint);
                effects
                    .events
                    .push(AgentEvent::Retry(format!("retry {attempt} of {of}: {}", self.complaint)));
            }
            // Ends a turn that went well, and only such a one.
            "session.resume_hint" => {
                let id = string_field(value, "session_id");
                if is_session(id) {
                    effects.events.push(AgentEvent::Session(id.to_owned()));
                }
                self.finish(completed_outcome(&self.answer, self.worked, "", self.said.text()), effects);
            }
            _ => {}
        }
    }

    /// Plain words, unfolded.
    fn plain(&mut self, line: &str, effects: &mut DialectEffects) {
        self.stray.line(line, effects);
        if self.words.len() + line.len() < MAX_WORDS {
            self.words.push_str(line);
            if line.chars().count() < FOLD {
                self.words.push('\n');
            }
        }
    }

    /// kimi-cli: `Error code: 401 - {'error': {'message': '…'`, `LLM not set`, or nothing but what it was told.
    fn failure_legacy(&self, exit: Exit, stderr_tail: &str) -> AgentOutcome {
        let words = self.words.trim();
        let partial = self.said.text();
        if words.contains("is no longer maintained") {
            return failed_outcome(Reason::CliUnsupported, words, partial);
        }
        if words.ends_with("Interrupted by user") {
            return failed_outcome(Reason::Killed(2), "", partial);
        }
        let Some((_, error)) = words.split_once("Error code: ") else {
            return outcome_from_exit(exit, words, &self.stray, stderr_tail, partial);
        };
        let status = error.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
        let message = error.split_once("'message': '").and_then(|(_, rest)| rest.split_once('\''));
        let reason = classify::by_http_status(error, status, self.resume.is_some());
        failed_outcome(reason, message.map_or(error, |(message, _)| message), partial)
    }

    /// Kimi Code: `error: failed to run prompt: provider.auth_error: 401 …` on stderr.
    fn failure_code(&self, exit: Exit, stderr_tail: &str) -> AgentOutcome {
        let partial = self.said.text();
        let error = stderr_tail.lines().rev().find_map(|line| line.strip_prefix(ERROR));
        let (Some(error), Exit::Code(1)) = (error, exit) else {
            return outcome_from_exit(exit, &self.complaint, &self.stray, "", partial);
        };
        let words = error.strip_prefix("failed to run prompt: ").unwrap_or(error);
        if words.starts_with("Session \"") && words.contains("not found") {
            return failed_outcome(Reason::StaleSession, words, partial);
        }
        let status = words.split_once("_error: ").map_or("", |(_, rest)| rest).split(' ').next();
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        failed_outcome(classify::by_http_status(words, status, self.resume.is_some()), words, partial)
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        if !self.ended {
            self.ended = true;
            effects.outcome = Some(outcome);
        }
    }
}

impl Dialect for Kimi {
    fn start(&mut self, effects: &mut DialectEffects) {
        let known = |id: &&str| if self.legacy { adapter::is_uuid(id) } else { is_session(id) };
        if let Some(id) = self.resume.as_deref().filter(|id| !known(id)) {
            let words = format!("`{id}` is not a session id");
            return self.finish(failed_outcome(Reason::StaleSession, &words, String::new()), effects);
        }
        let prompt = std::mem::take(&mut self.prompt);
        if self.legacy {
            // A leading slash would name a command of its own.
            let slash = if prompt.starts_with('/') { " " } else { "" };
            effects.stdin.push(format!("{slash}{prompt}"));
        } else if prompt.len() > MAX_PROMPT {
            let words = format!(
                "the message has {} bytes, and it takes at most {MAX_PROMPT}. Send it as a file",
                prompt.len()
            );
            self.finish(failed_outcome(Reason::RefusedByPolicy, &words, String::new()), effects);
        }
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let value = Some(line.trim()).filter(|line| line.starts_with('{'));
        let value = value.and_then(|line| json::parse::<Value>(line).ok());
        let Some(value) = value.filter(|value| value["role"].is_string()) else {
            return self.plain(line, effects);
        };
        effects.is_sign_of_life = true;
        if self.ended {
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
        let outcome = match (self.legacy, exit) {
            (true, Exit::Code(0)) if self.started => {
                completed_outcome(&self.answer, self.worked, "", self.said.text())
            }
            (true, _) => self.failure_legacy(exit, stderr_tail),
            (false, _) => self.failure_code(exit, stderr_tail),
        };
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        self.said.text()
    }

    fn classify(&self, _stderr_tail: &str) -> Option<Reason> {
        let status = self.complaint.split(' ').next().and_then(|status| status.parse().ok());
        let by_status = status.map(|status| classify::by_http_status(&self.complaint, status, false));
        classify::by_message(&self.complaint).or(by_status)
    }
}

/// How the results of tools begin that failed.
const FAILED: &[&str] =
    &["<system>ERROR", "Process exited with code ", "Session closed", "Tool execution failed"];

/// A message's text: a string, or parts of which those of one kind count (all with ""). Thinking is told apart.
fn content(content: &Value, kind: &str, effects: &mut DialectEffects) -> String {
    let mut out = content.as_str().unwrap_or_default().to_owned();
    for part in content.as_array().map(Vec::as_slice).unwrap_or_default() {
        match string_field(part, "type") {
            "think" => effects.events.push(AgentEvent::Thought(string_field(part, "think").to_owned())),
            other if kind.is_empty() || other == kind => out.push_str(string_field(part, "text")),
            _ => {}
        }
    }
    out
}

/// Whether an id of Kimi Code may be handed to it: `session_` and a UUID.
pub fn is_session(id: &str) -> bool {
    id.strip_prefix("session_").is_some_and(adapter::is_uuid)
}
