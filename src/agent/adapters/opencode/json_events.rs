//! The dialect of `opencode run --format json` (observed with 1.18.33; agents B 1). Pure.

use crate::agent::dialect::{
    Dialect, Effects, Exit, Said, Stray, count, describe, ended, failed, object, string, unsaid,
};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::{AgentEvent, Request, Usage, classify};
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
    said: Said,
    /// The text of the step, which is said again when the connection was cut.
    step: String,
    /// The text since the last tool call.
    answer: Said,
    usage: Usage,
    cut: u32,
    worked: bool,
    denied: String,
    /// The error that ends the turn: words and HTTP status.
    error: Option<(String, u64)>,
    stray: Stray,
    ended: bool,
}

impl OpenCode {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        Self {
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            session: String::new(),
            started: false,
            said: Said::default(),
            step: String::new(),
            answer: Said::default(),
            usage: Usage::default(),
            cut: 0,
            worked: false,
            denied: String::new(),
            error: None,
            stray: Stray::default(),
            ended: false,
        }
    }

    /// A call comes when it is over, with its result.
    fn tool(&mut self, part: &Value, fx: &mut Effects) {
        let state = &part["state"];
        let (kind, title) = describe(string(part, "tool"), &state["input"], &self.workdir);
        let id = string(part, "callID").to_owned();
        let completed = string(state, "status") == "completed";
        let error = string(state, "error");
        fx.events.push(AgentEvent::Tool { id: id.clone(), kind, title: title.clone() });
        if error.contains("rejected permission") || error.contains("a rule which prevents") {
            fx.events.push(AgentEvent::Denied(title.clone()));
            self.denied = title;
        }
        fx.events.push(AgentEvent::ToolEnd { id, ok: completed && count(&state["metadata"], "exit") == 0 });
        self.worked |= completed;
        self.answer = Said::default();
    }

    /// The tokens of the steps add up to those of the turn; `input` is without the cached ones.
    fn step_finish(&mut self, part: &Value, fx: &mut Effects) {
        let tokens = &part["tokens"];
        let cached = count(&tokens["cache"], "read");
        self.usage.input += count(tokens, "input") + cached + count(&tokens["cache"], "write");
        self.usage.cached += cached;
        self.usage.output += count(tokens, "output") + count(tokens, "reasoning");
        fx.usage = Some(self.usage);
        if string(part, "reason") != "unknown" {
            self.cut = 0;
            self.said.message(&std::mem::take(&mut self.step));
            return;
        }
        self.cut += 1;
        fx.events.push(AgentEvent::Retry("the connection was cut".to_owned()));
        // What was said in it is said again.
        self.answer = Said::default();
        if self.cut < MAX_CUT {
            self.step.clear();
        } else {
            let words = format!("the connection to the provider was cut {MAX_CUT} times in a row");
            self.finish(failed(Reason::Network, &words, self.partial()), fx);
        }
    }

    fn failure(&self, words: &str, status: u64) -> Outcome {
        let partial = self.partial();
        if words.starts_with(UNTOLD) {
            let words = format!(
                "{UNTOLD}: most often it does not know the model, or has no login for its provider (`opencode auth list`)"
            );
            return failed(Reason::ProviderError, &words, partial);
        }
        failed(classify::status(words, status, self.resume.is_some()), words, partial)
    }

    fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        if !self.ended {
            self.ended = true;
            fx.done = Some(outcome);
        }
    }
}

impl Dialect for OpenCode {
    fn start(&mut self, fx: &mut Effects) {
        if let Some(id) = self.resume.as_deref().filter(|id| !is_session(id)) {
            let words = format!("`{id}` is not a session id");
            return self.finish(failed(Reason::StaleSession, &words, String::new()), fx);
        }
        fx.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(value) = object(line) else { return self.stray.line(line, fx) };
        fx.alive = true;
        let session = string(&value, "sessionID");
        if self.session.is_empty() && is_session(session) {
            session.clone_into(&mut self.session);
            fx.events.push(AgentEvent::Session(session.to_owned()));
        }
        let part = &value["part"];
        let text = string(part, "text");
        match string(&value, "type") {
            "step_start" if !self.started => {
                self.started = true;
                fx.events.push(AgentEvent::Started);
            }
            "text" if part["synthetic"] != true && !text.trim().is_empty() => {
                self.step = [&self.step, text].join("\n\n");
                self.answer.message(text);
                fx.events.push(AgentEvent::Text(text.to_owned()));
            }
            "reasoning" => fx.events.push(AgentEvent::Thought(text.to_owned())),
            "tool_use" => self.tool(part, fx),
            "step_finish" => self.step_finish(part, fx),
            "error" => {
                let data = &value["error"]["data"];
                let words = [string(data, "message"), string(&value["error"], "name")];
                let words = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
                self.error = Some((words.to_owned(), count(data, "statusCode")));
            }
            _ => {}
        }
    }

    /// The exit ends a turn: a step that stops may also have been one that only shortened the history.
    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        let partial = self.partial();
        let outcome = match (&self.error, exit) {
            (Some((words, status)), _) => self.failure(words, *status),
            (None, Exit::Code(0)) => ended(&self.answer.text(), self.worked, &self.denied, partial),
            (None, _) => unsaid(exit, "", &self.stray, stderr_tail, partial),
        };
        self.finish(outcome, fx);
    }

    fn partial(&self) -> String {
        format!("{}\n\n{}", self.said.text(), self.step.trim()).trim().to_owned()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        let told = self.error.as_ref().and_then(|(words, _)| classify::words(words));
        told.or_else(|| classify::tail(stderr_tail).map(|(reason, _)| reason))
            .or((self.cut > 0).then_some(Reason::Network))
    }
}

/// Whether an id may be handed to it as an argument: `ses_` and letters and digits.
pub fn is_session(id: &str) -> bool {
    let rest = id.strip_prefix("ses_").unwrap_or_default();
    !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}
