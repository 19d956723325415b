//! The dialect of `opencode run --format json` (observed with 1.18.33: `tests/fixtures/opencode`). Pure.

use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, TextCollector, count_field, describe_tool_call, failed_outcome,
    parse_typed_object, string_field, usage_without_cache,
};
use crate::agent::one_shot::OneShotState;
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, TurnRequest, Usage, classify};
use serde_json::Value;

/// After a cut connection OpenCode repeats the request at once, without a limit. After this many cuts in a row the turn
/// fails.
const MAX_CUT: u32 = 4;

/// The same message stands for an unknown model and for a provider without a login.
const UNSPECIFIC_ERROR: &str = "Unexpected server error";

/// One turn of opencode.
#[derive(Debug)]
pub struct OpenCode {
    turn: OneShotState,
    session: String,
    /// The text of the current step, which is repeated after a cut connection.
    step: String,
    /// The text since the last tool call.
    answer: TextCollector,
    usage: Usage,
    /// Cut connections in a row.
    cuts: u32,
    /// The error that ends the turn: message and HTTP status.
    error: Option<(String, u64)>,
}

impl OpenCode {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            turn: OneShotState::new(request),
            session: String::new(),
            step: String::new(),
            answer: TextCollector::default(),
            usage: Usage::default(),
            cuts: 0,
            error: None,
        }
    }

    /// A tool call, which is printed when it has ended, with its result.
    fn tool(&mut self, part: &Value, effects: &mut DialectEffects) {
        let state = &part["state"];
        let described = describe_tool_call(string_field(part, "tool"), &state["input"], &self.turn.workdir);
        let title = described.1.clone();
        let id = string_field(part, "callID").to_owned();
        let completed = string_field(state, "status") == "completed";
        let error = string_field(state, "error");
        effects.tool(&id, described);
        if error.contains("rejected permission") || error.contains("a rule which prevents") {
            effects.events.push(AgentEvent::Denied(title.clone()));
            self.turn.denied = title;
        }
        effects
            .events
            .push(AgentEvent::ToolEnd { id, ok: completed && count_field(&state["metadata"], "exit") == 0 });
        self.turn.worked |= completed;
        self.answer = TextCollector::default();
    }

    /// A step has ended. The tokens of the turn are the sum of its steps.
    fn step_finish(&mut self, part: &Value, effects: &mut DialectEffects) {
        let tokens = &part["tokens"];
        let cache = usage_without_cache(&tokens["cache"], ["", "read", "write", ""]);
        let fresh = usage_without_cache(tokens, ["input", "", "", "output"]);
        let reasoning = Usage { output: count_field(tokens, "reasoning"), ..Usage::default() };
        self.usage = self.usage.plus(cache).plus(fresh).plus(reasoning);
        effects.usage = Some(self.usage);
        if string_field(part, "reason") != "unknown" {
            self.cuts = 0;
            self.turn.said.push_message(&std::mem::take(&mut self.step));
            return;
        }
        self.cuts += 1;
        effects.events.push(AgentEvent::Retry("the connection was cut".to_owned()));
        // The text of the step is repeated.
        self.answer = TextCollector::default();
        if self.cuts < MAX_CUT {
            self.step.clear();
        } else {
            let words = format!("the connection to the provider was cut {MAX_CUT} times in a row");
            self.turn.finish(failed_outcome(Reason::Network, &words, self.partial_text()), effects);
        }
    }
}

impl Dialect for OpenCode {
    fn start(&mut self, effects: &mut DialectEffects) {
        self.turn.start(is_session, effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        let session = string_field(&value, "sessionID");
        if self.session.is_empty() && is_session(session) {
            session.clone_into(&mut self.session);
            effects.events.push(AgentEvent::Session(session.to_owned()));
        }
        let part = &value["part"];
        let text = string_field(part, "text");
        match string_field(&value, "type") {
            "step_start" => self.turn.started(effects),
            "text" if part["synthetic"] != true && !text.trim().is_empty() => {
                self.step = [&self.step, text].join("\n\n");
                self.answer.push_message(text);
                effects.events.push(AgentEvent::Text(text.to_owned()));
            }
            "reasoning" => effects.thought(text),
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

    /// Only the exit ends a turn: the last step may also have been one that compacted the history.
    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.turn.said.push_message(&std::mem::take(&mut self.step));
        match (self.error.take(), exit) {
            (Some((words, _)), _) if words.starts_with(UNSPECIFIC_ERROR) => {
                let words = format!(
                    "{UNSPECIFIC_ERROR}: most often it does not know the model, or has no login for its provider (`opencode auth list`)"
                );
                self.turn.fail(Reason::ProviderError, &words, effects);
            }
            (Some((words, status)), _) => self.turn.fail_by_status(&words, status, effects),
            (None, Exit::Code(0)) => self.turn.done(&self.answer.text(), effects),
            (None, _) => self.turn.exited(exit, stderr_tail, effects),
        }
    }

    fn partial_text(&self) -> String {
        format!("{}\n\n{}", self.turn.said.text(), self.step.trim()).trim().to_owned()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        let by_error = self.error.as_ref().and_then(|(words, _)| classify::by_message(words));
        by_error.or_else(|| self.turn.classify(stderr_tail)).or((self.cuts > 0).then_some(Reason::Network))
    }
}

/// Whether a session id may be an argument: `ses_`, then letters and digits.
pub fn is_session(id: &str) -> bool {
    let rest = id.strip_prefix("ses_").unwrap_or_default();
    !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}
