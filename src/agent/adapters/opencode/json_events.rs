//! The dialect of `opencode run --format json` (observed with 1.18.33; agents B 1). Pure.

use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, TextCollector, completed_outcome, count_field,
    describe_tool_call, failed_outcome, outcome_from_exit, parse_typed_object, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, TurnRequest, Usage, classify};
use serde_json::Value;
use std::path::PathBuf;

/// After a cut connection it asks again, at once and for ever; so many cuts in a row are no accident.
const MAX_CUT: u32 = 4;

/// Its words for an unknown model and for a provider without a login alike.
const UNTOLD: &str = "Unexpected server error";

/// One turn of opencode.
#[derive(Debug)]
pub struct OpenCode {
    prompt: String,
    workdir: PathBuf,
    resume: Option<String>,
    session: String,
    started: bool,
    said: TextCollector,
    /// The text of the step, which is said again when the connection was cut.
    step: String,
    /// The text since the last tool call.
    answer: TextCollector,
    usage: Usage,
    cut: u32,
    worked: bool,
    denied: String,
    /// The error that ends the turn: words and HTTP status.
    error: Option<(String, u64)>,
    stray: StrayOutput,
    ended: bool,
}

impl OpenCode {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            session: String::new(),
            started: false,
            said: TextCollector::default(),
            step: String::new(),
            answer: TextCollector::default(),
            usage: Usage::default(),
            cut: 0,
            worked: false,
            denied: String::new(),
            error: None,
            stray: StrayOutput::default(),
            ended: false,
        }
    }

    /// A call comes when it is over, with its result.
    fn tool(&mut self, part: &Value, effects: &mut DialectEffects) {
        let state = &part["state"];
        let (kind, title) = describe_tool_call(string_field(part, "tool"), &state["input"], &self.workdir);
        let id = string_field(part, "callID").to_owned();
        let completed = string_field(state, "status") == "completed";
        let error = string_field(state, "error");
        effects.events.push(AgentEvent::Tool { id: id.clone(), kind, title: title.clone() });
        if error.contains("rejected permission") || error.contains("a rule which prevents") {
            effects.events.push(AgentEvent::Denied(title.clone()));
            self.denied = title;
        }
        effects
            .events
            .push(AgentEvent::ToolEnd { id, ok: completed && count_field(&state["metadata"], "exit") == 0 });
        self.worked |= completed;
        self.answer = TextCollector::default();
    }

    /// The tokens of the steps add up to those of the turn; `input` is without the cached ones.
    fn step_finish(&mut self, part: &Value, effects: &mut DialectEffects) {
        let tokens = &part["tokens"];
        let cached = count_field(&tokens["cache"], "read");
        self.usage.input += count_field(tokens, "input") + cached + count_field(&tokens["cache"], "write");
        self.usage.cached += cached;
        self.usage.output += count_field(tokens, "output") + count_field(tokens, "reasoning");
        effects.usage = Some(self.usage);
        if string_field(part, "reason") != "unknown" {
            self.cut = 0;
            self.said.push_message(&std::mem::take(&mut self.step));
            return;
        }
        self.cut += 1;
        effects.events.push(AgentEvent::Retry("the connection was cut".to_owned()));
        // What was said in it is said again.
        self.answer = TextCollector::default();
        if self.cut < MAX_CUT {
            self.step.clear();
        } else {
            let words = format!("the connection to the provider was cut {MAX_CUT} times in a row");
            self.finish(failed_outcome(Reason::Network, &words, self.partial_text()), effects);
        }
    }

    fn failure(&self, words: &str, status: u64) -> AgentOutcome {
        let partial = self.partial_text();
        if words.starts_with(UNTOLD) {
            let words = format!(
                "{UNTOLD}: most often it does not know the model, or has no login for its provider (`opencode auth list`)"
            );
            return failed_outcome(Reason::ProviderError, &words, partial);
        }
        failed_outcome(classify::by_http_status(words, status, self.resume.is_some()), words, partial)
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        if !self.ended {
            self.ended = true;
            effects.outcome = Some(outcome);
        }
    }
}

impl Dialect for OpenCode {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(id) = self.resume.as_deref().filter(|id| !is_session(id)) {
            let words = format!("`{id}` is not a session id");
            return self.finish(failed_outcome(Reason::StaleSession, &words, String::new()), effects);
        }
        effects.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        let session = string_field(&value, "sessionID");
        if self.session.is_empty() && is_session(session) {
            session.clone_into(&mut self.session);
            effects.events.push(AgentEvent::Session(session.to_owned()));
        }
        let part = &value["part"];
        let text = string_field(part, "text");
        match string_field(&value, "type") {
            "step_start" if !self.started => {
                self.started = true;
                effects.events.push(AgentEvent::Started);
            }
            "text" if part["synthetic"] != true && !text.trim().is_empty() => {
                self.step = [&self.step, text].join("\n\n");
                self.answer.push_message(text);
                effects.events.push(AgentEvent::Text(text.to_owned()));
            }
            "reasoning" => effects.events.push(AgentEvent::Thought(text.to_owned())),
            "tool_use" => self.tool(part, effects),
            "step_finish" => self.step_finish(part, effects),
            "error" => {
                let data = &value["error"]["data"];
                let words = [string_field(data, "message"), string_field(&value["error"], "name")];
                let words = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
                self.error = Some((words.to_owned(), count_field(data, "statusCode")));
            }
            _ => {}
        }
    }

    /// The exit ends a turn: a step that stops may also have been one that only shortened the history.
    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let partial = self.partial_text();
        let outcome = match (&self.error, exit) {
            (Some((words, status)), _) => self.failure(words, *status),
            (None, Exit::Code(0)) => {
                completed_outcome(&self.answer.text(), self.worked, &self.denied, partial)
            }
            (None, _) => outcome_from_exit(exit, "", &self.stray, stderr_tail, partial),
        };
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        format!("{}\n\n{}", self.said.text(), self.step.trim()).trim().to_owned()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        let told = self.error.as_ref().and_then(|(words, _)| classify::by_message(words));
        told.or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
            .or((self.cut > 0).then_some(Reason::Network))
    }
}

/// Whether an id may be handed to it as an argument: `ses_` and letters and digits.
pub fn is_session(id: &str) -> bool {
    let rest = id.strip_prefix("ses_").unwrap_or_default();
    !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}
