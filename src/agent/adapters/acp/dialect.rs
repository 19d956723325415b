//! The dialect of the Agent Client Protocol: JSON-RPC 2.0, one message a line, requests in both directions. Pure.
//!
//! One process serves many turns of one session. Our requests are numbered and answered one after the other; the
//! agent's own requests have ids of their own, which are echoed as they came (0 and texts are valid). Observed with
//! gemini 0.61, claude-agent-acp 0.100, codex-acp 2.6 and zed's 0.16, opencode 1.18, kimi-code 2.1, kimi-cli 1.51,
//! qoder 1.1: `tests/fixtures/acp`.

use crate::agent::adapters::acp::failure;
use crate::agent::adapters::acp::permission_requests;
use crate::agent::adapters::acp::permission_requests::Open;
use crate::agent::adapters::acp::quirks;
use crate::agent::adapters::acp::quirks::Quirks;
use crate::agent::adapters::acp::session_options::Offer;
use crate::agent::adapters::acp::steering;
use crate::agent::adapters::acp::tool_calls::Tools;
use crate::agent::dialect::{Dialect, Effects, Exit, Said, Stray, string, unsaid};
pub(crate) use crate::agent::dialect::{failed, title};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::permission::{AskKind, Decision};
use crate::agent::{AgentEvent, Request, Usage, classify};
use crate::config::Mode;
use crate::json::object;
use serde_json::Value;

/// Whether a CLI that also has a one-shot output speaks ACP this time: when its user wants it so
/// (`WTT_CONNECT_<ADAPTER>_TRANSPORT=acp`), and in the modes that can ask, because there is nobody to ask else.
pub fn is_chosen(request: &Request) -> bool {
    match request.transport.as_deref() {
        Some(transport) => transport == "acp",
        None => matches!(request.mode, Mode::AutoEdit | Mode::Suggest),
    }
}

/// Questions that may be open at once; a person could not answer more.
pub(super) const MAX_ASKS: usize = 32;

/// What our open request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Initialize,
    Login,
    /// A new session.
    New,
    /// An earlier one, by `session/resume` or `session/load`.
    Resume,
    Load,
    Mode,
    Model,
    Effort,
    Prompt,
}

/// What the agent has said of itself.
#[derive(Debug, Default)]
pub(super) struct Able {
    pub(super) load: bool,
    pub(super) resume: bool,
    pub(super) image: bool,
    /// Further messages for a running prompt.
    pub(super) steering: bool,
    /// A way to log in that needs no person, until it has been tried.
    pub(super) login: Option<String>,
}

/// What belongs to one turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) said: Said,
    /// Text since the last tool call: the answer.
    pub(super) answer: String,
    /// A tool call has come since: the next text begins a message.
    pub(super) broken: bool,
    pub(super) message_id: String,
    pub(super) tools: Tools,
    /// The last thing that was not allowed.
    pub(super) denied: String,
    /// codex-acp puts its errors into the answer, and says so here.
    pub(super) system_error: bool,
    pub(super) further: steering::Further,
    pub(super) usage: Option<Usage>,
    pub(super) stopping: bool,
    /// The prompt was answered, and it still works.
    pub(super) works_on: bool,
    pub(super) ended: bool,
}

/// One process of an ACP agent.
#[derive(Debug)]
pub struct Acp {
    pub(super) request: Request,
    /// The model is an argument of the command line.
    pub(super) model_by_flag: bool,
    pub(super) quirks: &'static Quirks,
    pub(super) able: Able,
    pub(super) offer: Offer,
    pub(super) session: String,
    /// The session has been resumed, so its history goes with every request.
    pub(super) resumed: bool,
    pub(super) last_id: u64,
    /// Further messages that were sent, all turns together.
    pub(super) steers: u64,
    pub(super) pending: Option<Step>,
    /// The replay of the history is still to come.
    pub(super) replaying: bool,
    /// Whether it has said that it is logged in.
    pub(super) logged_in: Option<bool>,
    /// It has spoken the protocol at all.
    pub(super) spoke: bool,
    /// Names of its slash commands, once it has announced them.
    pub(super) commands: Vec<String>,
    /// A command is held back until they are known.
    pub(super) waits_for_list: bool,
    pub(super) asks: Vec<Open>,
    pub(super) turn: Turn,
    pub(super) stray: Stray,
}

impl Acp {
    /// For one process. Agents whose model is chosen on the command line: `model_by_flag`.
    pub fn new(request: &Request, model_by_flag: bool) -> Self {
        Self {
            request: request.clone(),
            model_by_flag,
            quirks: quirks::of(""),
            able: Able::default(),
            offer: Offer::default(),
            session: String::new(),
            resumed: false,
            last_id: 0,
            steers: 0,
            pending: None,
            replaying: false,
            logged_in: None,
            spoke: false,
            commands: Vec::new(),
            waits_for_list: false,
            asks: Vec::new(),
            turn: Turn::default(),
            stray: Stray::default(),
        }
    }

    pub(super) fn send(&mut self, step: Step, method: &str, params: Value, fx: &mut Effects) {
        self.last_id += 1;
        self.pending = Some(step);
        write(object!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }), fx);
    }

    pub(super) fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        self.pending = None;
        self.close_asks(fx);
        if !self.turn.ended {
            self.turn.ended = true;
            fx.done = Some(outcome);
        }
    }

    pub(super) fn fail(&mut self, reason: Reason, words: &str, fx: &mut Effects) {
        let partial = self.turn.said.text();
        self.finish(failed(reason, words, partial), fx);
    }

    /// Whoever asked gets an answer, also when nobody will decide any more.
    pub(super) fn close_asks(&mut self, fx: &mut Effects) {
        for open in std::mem::take(&mut self.asks) {
            self.turn_down(&open, fx);
            fx.withdrawn.push(open.ask.id);
        }
    }

    pub(super) fn turn_down(&self, open: &Open, fx: &mut Effects) {
        if let Ok(answer) = open.answer(&Decision::DenyAndStop, self.quirks) {
            write(answer, fx);
        }
    }

    /// A request of the agent.
    pub(super) fn asked(&mut self, id: &Value, method: &str, params: &mut Value, fx: &mut Effects) {
        let form = match method {
            "session/request_permission" => Ok(None),
            "elicitation/create" => {
                permission_requests::open_form(id, params).map(Some).map_err(|why| (failure::BAD_PARAMS, why))
            }
            _ => match permission_requests::open_cursor(method, id, params) {
                Some(open) => open.map(Some).map_err(|why| (failure::BAD_PARAMS, why)),
                None => Err((failure::NO_METHOD, "Method not found")),
            },
        };
        let form = match form {
            Ok(form) => form,
            Err((code, why)) => {
                fx.events.push(AgentEvent::Note(title(&format!("refused {method}: {why}"))));
                let error = object!({ "code": code, "message": why });
                return write(reply(id, "error", error), fx);
            }
        };
        let running = self.pending == Some(Step::Prompt) && !self.turn.stopping;
        if let Some(call) = params.get("toolCall").filter(|_| running) {
            self.turn.tools.update(call, true, fx);
        }
        let mut open =
            form.unwrap_or_else(|| permission_requests::open(id, params, &self.turn.tools, self.quirks));
        // The agent does by itself what the mode is named for. What it still asks for (another folder, `.git`) is no
        // ordinary edit.
        if self.request.mode == Mode::AutoEdit && open.ask.kind == AskKind::Edit {
            open.ask.kind = AskKind::Other;
        }
        if !running || self.asks.len() >= MAX_ASKS {
            return self.turn_down(&open, fx);
        }
        self.asks.retain(|other| other.id != open.id);
        fx.asks.push(open.ask.clone());
        self.asks.push(open);
    }

    /// The agent does not want to know any more.
    pub(super) fn withdraw(&mut self, is: impl Fn(&Open) -> bool, fx: &mut Effects) {
        self.asks.retain(|open| {
            if is(open) {
                fx.withdrawn.push(open.ask.id.clone());
            }
            !is(open)
        });
    }

    pub(super) fn told(&mut self, method: &str, params: &mut Value, fx: &mut Effects) {
        match method {
            "session/update" => {
                let about = string(params, "sessionId");
                if self.session.is_empty() || about.is_empty() || about == self.session {
                    let mut update = take(params, "update");
                    self.update(&mut update, fx);
                }
            }
            "_auth/status_update" => {
                let kind = string(&params["authStatus"], "kind");
                self.logged_in = (!kind.is_empty()).then_some(kind != "none");
            }
            "$/cancel_request" => {
                let id = take(params, "requestId");
                if self.asks.iter().any(|open| open.id == id) {
                    let error = object!({ "code": failure::CANCELLED, "message": "Request cancelled" });
                    write(reply(&id, "error", error), fx);
                }
                self.withdraw(|open| open.id == id, fx);
            }
            _ => {}
        }
    }
}

impl Dialect for Acp {
    fn start(&mut self, fx: &mut Effects) {
        self.initialize(fx);
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let parsed =
            if line.trim_start().starts_with('{') { serde_json::from_str::<Value>(line).ok() } else { None };
        let Some(mut message) = parsed.filter(|m| m["method"].is_string() || m.get("id").is_some()) else {
            return self.stray.line(line, fx);
        };
        fx.alive = true;
        self.spoke = true;
        let id = take(&mut message, "id");
        match message.get("method").and_then(Value::as_str).map(str::to_owned) {
            Some(method) => {
                let mut params = take(&mut message, "params");
                if id.is_null() {
                    self.told(&method, &mut params, fx);
                } else {
                    self.asked(&id, &method, &mut params, fx);
                }
            }
            None if self.further_answered(&id, &message, fx) => {}
            None if id.as_u64() == Some(self.last_id) => {
                if let Some(step) = self.pending.take() {
                    self.answered(step, &mut message, fx);
                }
            }
            None => {}
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        let outcome = unsaid(exit, "", &self.stray, stderr_tail, self.turn.said.text());
        let outcome = match outcome {
            // What never spoke the protocol is no agent, or an older one.
            Outcome::Failed { reason: Reason::SilentExit(_) | Reason::NoOutput, detail, partial }
                if !self.spoke =>
            {
                Outcome::Failed { reason: Reason::CliUnsupported, detail, partial }
            }
            other => other,
        };
        self.finish(outcome, fx);
    }

    fn partial(&self) -> String {
        self.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::tail(stderr_tail).map(|(reason, _)| reason)
    }

    fn keeps_stdin(&self) -> bool {
        true
    }

    fn keeps_process(&self) -> bool {
        true
    }

    fn next_turn(&mut self, request: &Request, fx: &mut Effects) {
        self.request = request.clone();
        self.turn = Turn::default();
        if self.session.is_empty() || request.resume.as_ref() != Some(&self.session) {
            return self.open(fx);
        }
        self.resumed = true;
        self.choose(Step::Mode, fx);
    }

    fn cancel(&mut self, fx: &mut Effects) -> bool {
        if self.pending != Some(Step::Prompt) {
            return false;
        }
        let params = object!({ "sessionId": self.session });
        write(object!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params }), fx);
        self.close_asks(fx);
        self.turn.stopping = true;
        true
    }

    fn steer(&mut self, text: &str, fx: &mut Effects) -> bool {
        self.take_further(text, fx)
    }

    fn answer(&mut self, id: &str, decision: &Decision, fx: &mut Effects) {
        let Some(place) = self.asks.iter().position(|open| open.ask.id == id) else { return };
        let open = self.asks.remove(place);
        if matches!(decision, Decision::Deny(_) | Decision::DenyAndStop) {
            self.turn.denied.clone_from(&open.ask.title);
        }
        match open.answer(decision, self.quirks) {
            Ok(answer) => write(answer, fx),
            // asked again, with why
            Err(why) => {
                let mut ask = open.ask.clone();
                ask.detail = format!("{why}\n\n{}", ask.detail);
                fx.asks.push(ask);
                self.asks.push(open);
            }
        }
        if *decision == Decision::DenyAndStop {
            self.cancel(fx);
        }
    }
}

/// One message is one line.
pub(super) fn write(message: Value, fx: &mut Effects) {
    fx.stdin.push(format!("{message}\n"));
}

/// The answer to a request of the agent.
pub(super) fn reply(id: &Value, member: &str, value: Value) -> Value {
    let mut reply = object!({ "jsonrpc": "2.0", "id": id });
    if let Some(object) = reply.as_object_mut() {
        object.insert(member.to_owned(), value);
    }
    reply
}

/// Takes a member out; null when there is none, whatever the value is.
pub(super) fn take(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}
