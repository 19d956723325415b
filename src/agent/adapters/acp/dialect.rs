//! The dialect of the Agent Client Protocol: JSON-RPC 2.0, one message per line, requests in both directions. Pure.
//!
//! One process serves many turns of one session. The connector's requests are numbered, and each is sent after the
//! response to the last one; the agent's requests have ids of their own, which are echoed as they came. Observed with
//! gemini 0.61, claude-agent-acp 0.100, codex-acp 2.6 and zed's 0.16, opencode 1.18, kimi-code 2.1, kimi-cli 1.51,
//! qoder 1.1: `tests/fixtures/acp`.

use crate::agent::adapters::acp::further_messages::FurtherMessages;
use crate::agent::adapters::acp::permission_requests::OpenRequest;
use crate::agent::adapters::acp::quirks::Quirks;
use crate::agent::adapters::acp::session_options::SessionOptions;
use crate::agent::adapters::acp::tool_calls::ToolCalls;
use crate::agent::adapters::acp::{failure, permission_requests, quirks};
use crate::agent::adapters::json_rpc::{request, response, take_member};
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, TextCollector, failed_outcome, one_line_title,
    outcome_from_exit, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::{Decision, PermissionKind};
use crate::agent::{TurnRequest, Usage, classify};
use crate::config::Mode;
use crate::json;
use serde_json::{Value, json};

/// Whether a CLI that also has a one-shot form is driven over ACP: if the settings say so
/// (`WTT_CONNECT_<ADAPTER>_TRANSPORT=acp`), and in the modes that ask, because the one-shot form cannot ask.
pub fn is_chosen(request: &TurnRequest) -> bool {
    request.transport.as_deref().map_or(request.can_ask(), |transport| transport == "acp")
}

/// Permission requests that may be open at once; a person could not answer more.
const MAX_OPEN_REQUESTS: usize = 32;

/// The purpose of the connector's open request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcpStep {
    Initialize,
    Login,
    /// A new session.
    New,
    /// An earlier session, by `session/resume` or `session/load`.
    Resume,
    Load,
    Mode,
    Model,
    Effort,
    Prompt,
}

/// What the agent has announced in its response to `initialize`.
#[derive(Debug, Default)]
pub(super) struct AcpCapabilities {
    pub(super) load: bool,
    pub(super) resume: bool,
    pub(super) image: bool,
    /// `_session/steering`: further messages for a running prompt.
    pub(super) steering: bool,
    /// A login method that needs no person, until it has been tried.
    pub(super) login: Option<String>,
}

/// What belongs to one turn.
#[derive(Debug, Default)]
pub(super) struct AcpTurn {
    pub(super) said: TextCollector,
    /// Text since the last tool call: the answer.
    pub(super) answer: String,
    /// Whether the next text begins a message, because a tool call has come.
    pub(super) starts_message: bool,
    pub(super) message_id: String,
    pub(super) tools: ToolCalls,
    /// The title of the last request that was denied.
    pub(super) denied: String,
    /// Whether the answer is an error message, as codex-acp announces (`tests/fixtures/acp/codex-no-login.jsonl`).
    pub(super) system_error: bool,
    pub(super) further: FurtherMessages,
    pub(super) usage: Option<Usage>,
    pub(super) cancel_sent: bool,
    /// The prompt has its response, and the agent still works.
    pub(super) works_on: bool,
    pub(super) ended: bool,
}

/// One process of an ACP agent.
#[derive(Debug)]
pub struct Acp {
    pub(super) request: TurnRequest,
    /// Whether the model is set on the command line.
    pub(super) model_by_flag: bool,
    pub(super) quirks: &'static Quirks,
    pub(super) capabilities: AcpCapabilities,
    pub(super) options: SessionOptions,
    pub(super) session: String,
    /// Whether the session is resumed, so that every request includes a history.
    pub(super) resumed: bool,
    pub(super) last_id: u64,
    /// Further messages that were sent in all turns, for their ids.
    pub(super) steers: u64,
    pub(super) pending: Option<AcpStep>,
    /// The replay of the history has not ended.
    pub(super) replaying: bool,
    /// Whether it is logged in, if it has said so.
    pub(super) logged_in: Option<bool>,
    /// Whether it has written any message of the protocol.
    has_spoken: bool,
    /// Names of its slash commands, once it has announced them.
    pub(super) commands: Vec<String>,
    /// A command is delayed until they are known.
    pub(super) waits_for_commands: bool,
    pub(super) open_requests: Vec<OpenRequest>,
    pub(super) turn: AcpTurn,
    stray: StrayOutput,
}

impl Acp {
    /// For one process. Agents whose model is chosen on the command line: `model_by_flag`.
    pub fn new(request: &TurnRequest, model_by_flag: bool) -> Self {
        Self {
            request: request.clone(),
            model_by_flag,
            quirks: quirks::of(""),
            capabilities: AcpCapabilities::default(),
            options: SessionOptions::default(),
            session: String::new(),
            resumed: false,
            last_id: 0,
            steers: 0,
            pending: None,
            replaying: false,
            logged_in: None,
            has_spoken: false,
            commands: Vec::new(),
            waits_for_commands: false,
            open_requests: Vec::new(),
            turn: AcpTurn::default(),
            stray: StrayOutput::default(),
        }
    }

    pub(super) fn send(&mut self, step: AcpStep, method: &str, params: Value, effects: &mut DialectEffects) {
        self.last_id += 1;
        self.pending = Some(step);
        effects.send(&request(self.last_id.into(), method, params));
    }

    pub(super) fn send_cancel(&mut self, effects: &mut DialectEffects) {
        let params = json!({ "sessionId": self.session });
        effects.send(&json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params }));
        self.close_requests(effects);
    }

    pub(super) fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        self.pending = None;
        self.close_requests(effects);
        if !self.turn.ended {
            self.turn.ended = true;
            effects.outcome = Some(outcome);
        }
    }

    pub(super) fn fail(&mut self, reason: Reason, words: &str, effects: &mut DialectEffects) {
        let partial = self.turn.said.text();
        self.finish(failed_outcome(reason, words, partial), effects);
    }

    /// Answers all open requests with a refusal, because the turn ends.
    fn close_requests(&mut self, effects: &mut DialectEffects) {
        for open in std::mem::take(&mut self.open_requests) {
            self.refuse(&open, effects);
            effects.withdrawn_requests.push(open.request.id);
        }
    }

    fn refuse(&self, open: &OpenRequest, effects: &mut DialectEffects) {
        if let Ok(answer) = open.answer(&Decision::DenyAndStop, self.quirks) {
            effects.send(&answer);
        }
    }

    /// Handles a request of the agent.
    fn on_request(&mut self, id: &Value, method: &str, params: &mut Value, effects: &mut DialectEffects) {
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
                effects.note(&one_line_title(&format!("refused {method}: {why}")));
                let error = json!({ "code": code, "message": why });
                return effects.send(&response(id, "error", error));
            }
        };
        let running = self.pending == Some(AcpStep::Prompt) && !self.turn.cancel_sent;
        if let Some(call) = params.get("toolCall").filter(|_| running) {
            self.turn.tools.update(call, true, effects);
        }
        let mut open =
            form.unwrap_or_else(|| permission_requests::open(id, params, &self.turn.tools, self.quirks));
        // In auto-edit the agent makes ordinary edits without asking. A request is for another folder, or for `.git`.
        if self.request.mode == Mode::AutoEdit && open.request.kind == PermissionKind::Edit {
            open.request.kind = PermissionKind::Other;
        }
        if !running || self.open_requests.len() >= MAX_OPEN_REQUESTS {
            return self.refuse(&open, effects);
        }
        self.open_requests.retain(|other| other.id != open.id);
        effects.permission_requests.push(open.request.clone());
        self.open_requests.push(open);
    }

    /// The agent has withdrawn requests.
    pub(super) fn withdraw(
        &mut self,
        is_withdrawn: impl Fn(&OpenRequest) -> bool,
        effects: &mut DialectEffects,
    ) {
        self.open_requests.retain(|open| {
            let is_withdrawn = is_withdrawn(open);
            if is_withdrawn {
                effects.withdrawn_requests.push(open.request.id.clone());
            }
            !is_withdrawn
        });
    }

    fn on_notification(&mut self, method: &str, params: &mut Value, effects: &mut DialectEffects) {
        match method {
            "session/update" => {
                let session = string_field(params, "sessionId");
                if self.session.is_empty() || session.is_empty() || session == self.session {
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
                if self.open_requests.iter().any(|open| open.id == id) {
                    let error = json!({ "code": failure::CANCELLED, "message": "Request cancelled" });
                    effects.send(&response(&id, "error", error));
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
        self.has_spoken = true;
        let id = take_member(&mut message, "id");
        match message.get("method").and_then(Value::as_str).map(str::to_owned) {
            Some(method) => {
                let mut params = take_member(&mut message, "params");
                if id.is_null() {
                    self.on_notification(&method, &mut params, effects);
                } else {
                    self.on_request(&id, &method, &mut params, effects);
                }
            }
            None if self.on_steering_response(&id, &message, effects) => {}
            None if id.as_u64() == Some(self.last_id) => {
                if let Some(step) = self.pending.take() {
                    self.on_response(step, &mut message, effects);
                }
            }
            None => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let mut outcome = outcome_from_exit(exit, "", &self.stray, stderr_tail, self.turn.said.text());
        // A program that never writes a message of the protocol is not an ACP agent, or a release before ACP.
        if let AgentOutcome::Failed { reason, .. } = &mut outcome
            && !self.has_spoken
            && matches!(reason, Reason::SilentExit(_) | Reason::NoOutput)
        {
            *reason = Reason::CliUnsupported;
        }
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        self.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason)
    }

    fn keeps_process(&self) -> bool {
        true
    }

    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        self.request = request.clone();
        self.turn = AcpTurn::default();
        if self.session.is_empty() || request.resume.as_ref() != Some(&self.session) {
            return self.open_session(effects);
        }
        self.resumed = true;
        self.choose(AcpStep::Mode, effects);
    }

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.pending != Some(AcpStep::Prompt) {
            return false;
        }
        self.send_cancel(effects);
        self.turn.cancel_sent = true;
        true
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        self.send_further_message(text, effects)
    }

    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let Some(place) = self.open_requests.iter().position(|open| open.request.id == id) else { return };
        let open = self.open_requests.remove(place);
        if matches!(decision, Decision::Deny(_) | Decision::DenyAndStop) {
            self.turn.denied.clone_from(&open.request.title);
        }
        match open.answer(decision, self.quirks) {
            Ok(answer) => effects.send(&answer),
            // The person is asked again, and told why.
            Err(why) => {
                let mut request = open.request.clone();
                request.detail = format!("{why}\n\n{}", request.detail);
                effects.permission_requests.push(request);
                self.open_requests.push(open);
            }
        }
        if *decision == Decision::DenyAndStop {
            self.cancel(effects);
        }
    }
}
