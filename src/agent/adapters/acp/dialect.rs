//! The dialect of the Agent Client Protocol: JSON-RPC 2.0, one message a line, requests in both directions. Pure.
//!
//! One process serves many turns of one session. Our requests are numbered and answered one after the other; the
//! agent's own requests have ids of their own, which are echoed as they came (0 and texts are valid). Observed with
//! gemini 0.61, claude-agent-acp 0.100, codex-acp 2.6 and zed's 0.16, opencode 1.18, kimi-code 2.1, kimi-cli 1.51,
//! qoder 1.1: `tests/fixtures/acp`.

use crate::agent::adapters::acp::failure;
use crate::agent::adapters::acp::further_messages;
use crate::agent::adapters::acp::json_rpc::{response, take_member, write};
use crate::agent::adapters::acp::permission_requests;
use crate::agent::adapters::acp::permission_requests::OpenRequest;
use crate::agent::adapters::acp::quirks;
use crate::agent::adapters::acp::quirks::Quirks;
use crate::agent::adapters::acp::session_options::SessionOptions;
use crate::agent::adapters::acp::tool_calls::Tools;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, TextCollector, outcome_from_exit, string_field,
};
pub(crate) use crate::agent::dialect::{failed_outcome, one_line_title};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::{Decision, PermissionKind};
use crate::agent::{AgentEvent, TurnRequest, Usage, classify};
use crate::config::Mode;
use crate::json;
use serde_json::{Value, json};

/// Whether a CLI that also has a one-shot output speaks ACP this time: when its user wants it so
/// (`WTT_CONNECT_<ADAPTER>_TRANSPORT=acp`), and in the modes that can ask, because there is nobody to ask else.
pub fn is_chosen(request: &TurnRequest) -> bool {
    match request.transport.as_deref() {
        Some(transport) => transport == "acp",
        None => matches!(request.mode, Mode::AutoEdit | Mode::Suggest),
    }
}

/// Questions that may be open at once; a person could not answer more.
pub(super) const MAX_ASKS: usize = 32;

/// What our open request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcpStep {
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
pub(super) struct AcpTurn {
    pub(super) said: TextCollector,
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
    pub(super) further: further_messages::FurtherMessages,
    pub(super) usage: Option<Usage>,
    pub(super) stopping: bool,
    /// The prompt was answered, and it still works.
    pub(super) works_on: bool,
    pub(super) ended: bool,
}

/// One process of an ACP agent.
#[derive(Debug)]
pub struct Acp {
    pub(super) request: TurnRequest,
    /// The model is an argument of the command line.
    pub(super) model_by_flag: bool,
    pub(super) quirks: &'static Quirks,
    pub(super) capabilities: Able,
    pub(super) options: SessionOptions,
    pub(super) session: String,
    /// The session has been resumed, so its history goes with every request.
    pub(super) resumed: bool,
    pub(super) last_id: u64,
    /// Further messages that were sent, all turns together.
    pub(super) steers: u64,
    pub(super) pending: Option<AcpStep>,
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
    pub(super) asks: Vec<OpenRequest>,
    pub(super) turn: AcpTurn,
    pub(super) stray: StrayOutput,
}

impl Acp {
    /// For one process. Agents whose model is chosen on the command line: `model_by_flag`.
    pub fn new(request: &TurnRequest, model_by_flag: bool) -> Self {
        Self {
            request: request.clone(),
            model_by_flag,
            quirks: quirks::of(""),
            capabilities: Able::default(),
            options: SessionOptions::default(),
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
            turn: AcpTurn::default(),
            stray: StrayOutput::default(),
        }
    }

    pub(super) fn send(&mut self, step: AcpStep, method: &str, params: Value, effects: &mut DialectEffects) {
        self.last_id += 1;
        self.pending = Some(step);
        write(json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }), effects);
    }

    pub(super) fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        self.pending = None;
        self.close_asks(effects);
        if !self.turn.ended {
            self.turn.ended = true;
            effects.outcome = Some(outcome);
        }
    }

    pub(super) fn fail(&mut self, reason: Reason, words: &str, effects: &mut DialectEffects) {
        let partial = self.turn.said.text();
        self.finish(failed_outcome(reason, words, partial), effects);
    }

    /// Whoever asked gets an answer, also when nobody will decide any more.
    pub(super) fn close_asks(&mut self, effects: &mut DialectEffects) {
        for open in std::mem::take(&mut self.asks) {
            self.turn_down(&open, effects);
            effects.withdrawn_requests.push(open.ask.id);
        }
    }

    pub(super) fn turn_down(&self, open: &OpenRequest, effects: &mut DialectEffects) {
        if let Ok(answer) = open.answer(&Decision::DenyAndStop, self.quirks) {
            write(answer, effects);
        }
    }

    /// A request of the agent.
    pub(super) fn asked(
        &mut self,
        id: &Value,
        method: &str,
        params: &mut Value,
        effects: &mut DialectEffects,
    ) {
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
                effects.events.push(AgentEvent::Note(one_line_title(&format!("refused {method}: {why}"))));
                let error = json!({ "code": code, "message": why });
                return write(response(id, "error", error), effects);
            }
        };
        let running = self.pending == Some(AcpStep::Prompt) && !self.turn.stopping;
        if let Some(call) = params.get("toolCall").filter(|_| running) {
            self.turn.tools.update(call, true, effects);
        }
        let mut open =
            form.unwrap_or_else(|| permission_requests::open(id, params, &self.turn.tools, self.quirks));
        // The agent does by itself what the mode is named for. What it still asks for (another folder, `.git`) is no
        // ordinary edit.
        if self.request.mode == Mode::AutoEdit && open.ask.kind == PermissionKind::Edit {
            open.ask.kind = PermissionKind::Other;
        }
        if !running || self.asks.len() >= MAX_ASKS {
            return self.turn_down(&open, effects);
        }
        self.asks.retain(|other| other.id != open.id);
        effects.permission_requests.push(open.ask.clone());
        self.asks.push(open);
    }

    /// The agent does not want to know any more.
    pub(super) fn withdraw(&mut self, is: impl Fn(&OpenRequest) -> bool, effects: &mut DialectEffects) {
        self.asks.retain(|open| {
            if is(open) {
                effects.withdrawn_requests.push(open.ask.id.clone());
            }
            !is(open)
        });
    }

    pub(super) fn told(&mut self, method: &str, params: &mut Value, effects: &mut DialectEffects) {
        match method {
            "session/update" => {
                let about = string_field(params, "sessionId");
                if self.session.is_empty() || about.is_empty() || about == self.session {
                    let mut update = take_member(params, "update");
                    self.update(&mut update, effects);
                }
            }
            "_auth/status_update" => {
                let kind = string_field(&params["authStatus"], "kind");
                self.logged_in = (!kind.is_empty()).then_some(kind != "none");
            }
            "$/cancel_request" => {
                let id = take_member(params, "requestId");
                if self.asks.iter().any(|open| open.id == id) {
                    let error = json!({ "code": failure::CANCELLED, "message": "Request cancelled" });
                    write(response(&id, "error", error), effects);
                }
                self.withdraw(|open| open.id == id, effects);
            }
            _ => {}
        }
    }
}

impl Dialect for Acp {
    fn start(&mut self, effects: &mut DialectEffects) {
        self.initialize(effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let parsed = if line.trim_start().starts_with('{') { json::parse::<Value>(line).ok() } else { None };
        let Some(mut message) = parsed.filter(|m| m["method"].is_string() || m.get("id").is_some()) else {
            return self.stray.line(line, effects);
        };
        effects.is_sign_of_life = true;
        self.spoke = true;
        let id = take_member(&mut message, "id");
        match message.get("method").and_then(Value::as_str).map(str::to_owned) {
            Some(method) => {
                let mut params = take_member(&mut message, "params");
                if id.is_null() {
                    self.told(&method, &mut params, effects);
                } else {
                    self.asked(&id, &method, &mut params, effects);
                }
            }
            None if self.on_steering_response(&id, &message, effects) => {}
            None if id.as_u64() == Some(self.last_id) => {
                if let Some(step) = self.pending.take() {
                    self.answered(step, &mut message, effects);
                }
            }
            None => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let outcome = outcome_from_exit(exit, "", &self.stray, stderr_tail, self.turn.said.text());
        let outcome = match outcome {
            // What never spoke the protocol is no agent, or an older one.
            AgentOutcome::Failed { reason: Reason::SilentExit(_) | Reason::NoOutput, detail, partial }
                if !self.spoke =>
            {
                AgentOutcome::Failed { reason: Reason::CliUnsupported, detail, partial }
            }
            other => other,
        };
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        self.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason)
    }

    fn keeps_stdin(&self) -> bool {
        true
    }

    fn keeps_process(&self) -> bool {
        true
    }

    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        self.request = request.clone();
        self.turn = AcpTurn::default();
        if self.session.is_empty() || request.resume.as_ref() != Some(&self.session) {
            return self.open(effects);
        }
        self.resumed = true;
        self.choose(AcpStep::Mode, effects);
    }

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.pending != Some(AcpStep::Prompt) {
            return false;
        }
        let params = json!({ "sessionId": self.session });
        write(json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params }), effects);
        self.close_asks(effects);
        self.turn.stopping = true;
        true
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        self.steer(text, effects)
    }

    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let Some(place) = self.asks.iter().position(|open| open.ask.id == id) else { return };
        let open = self.asks.remove(place);
        if matches!(decision, Decision::Deny(_) | Decision::DenyAndStop) {
            self.turn.denied.clone_from(&open.ask.title);
        }
        match open.answer(decision, self.quirks) {
            Ok(answer) => write(answer, effects),
            // asked again, with why
            Err(why) => {
                let mut ask = open.ask.clone();
                ask.detail = format!("{why}\n\n{}", ask.detail);
                effects.permission_requests.push(ask);
                self.asks.push(open);
            }
        }
        if *decision == Decision::DenyAndStop {
            self.cancel(effects);
        }
    }
}
