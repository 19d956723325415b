//! The dialect of `codex app-server`: JSON-RPC lines in both directions, one process for many turns of one thread
//! (observed with 0.169.0: `tests/fixtures/codex-app-server`). Pure.
//!
//! `codex exec` has the same threads: a session may change its transport from turn to turn.

use crate::agent::adapters::codex::approvals;
use crate::agent::adapters::codex::exec::refusal;
use crate::agent::adapters::codex::items::TurnItems;
use crate::agent::adapters::codex::{errors, rpc};
use crate::agent::adapters::json_rpc;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, completed_outcome, failed_outcome, failure_detail, string_field,
    usage_with_cache,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::Decision;
use crate::agent::{AgentEvent, TurnRequest, adapter, classify};
use crate::json;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The step whose request is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AppServerStep {
    /// `initialize`.
    Initialize,
    /// A thread, new or resumed.
    Thread,
    /// The turn is requested, and may run.
    Turn,
    /// The turn was interrupted; its background commands are being ended.
    Clean,
    /// The turn is over.
    Idle,
}

/// A process that serves one thread.
#[derive(Debug)]
pub struct AppServer {
    request: TurnRequest,
    items: TurnItems,
    thread: String,
    /// Id of the turn; empty until it is known.
    turn: String,
    step: AppServerStep,
    /// Id of the connector's last request.
    last_id: u64,
    /// Id of the step's request.
    step_id: u64,
    /// The file changes that have begun, by item id: approval requests do not repeat them.
    changes: BTreeMap<String, Value>,
    /// The requests of the server that wait for a decision, by id.
    pending: BTreeMap<String, Value>,
    /// Further messages by request id, until the server has confirmed them.
    steers: BTreeMap<String, Value>,
    /// Further messages that came before the turn's id was known.
    early: Vec<String>,
    /// Answers of this turn that were followed by another message.
    earlier: String,
    cancel_sent: bool,
}

impl AppServer {
    /// For a process that begins with this turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            request: request.clone(),
            items: TurnItems::new(request),
            thread: String::new(),
            turn: String::new(),
            step: AppServerStep::Initialize,
            last_id: 0,
            step_id: 0,
            changes: BTreeMap::new(),
            pending: BTreeMap::new(),
            steers: BTreeMap::new(),
            early: Vec::new(),
            earlier: String::new(),
            cancel_sent: false,
        }
    }

    /// Sends a request and returns its id.
    fn send(&mut self, method: &str, params: Value, effects: &mut DialectEffects) -> u64 {
        self.last_id += 1;
        effects.send(&json_rpc::request(self.last_id.into(), method, params));
        self.last_id
    }

    /// Sends the request of the next step.
    fn enter_step(&mut self, step: AppServerStep, method: &str, params: Value, effects: &mut DialectEffects) {
        self.step = step;
        self.step_id = self.send(method, params, effects);
    }

    fn open_thread(&mut self, effects: &mut DialectEffects) {
        let (method, params) = rpc::thread(&self.request);
        self.enter_step(AppServerStep::Thread, method, params, effects);
    }

    fn begin_turn(&mut self, prompt: &str, effects: &mut DialectEffects) {
        let slash = std::mem::take(&mut self.request.is_slash_command);
        let (method, params) = match slash.then(|| rpc::command(&self.thread, prompt)) {
            Some(command) => command,
            None => ("turn/start", rpc::turn(&self.request, &self.thread, prompt)),
        };
        self.request.images.clear();
        self.turn.clear();
        self.enter_step(AppServerStep::Turn, method, params, effects);
    }

    fn send_steer(&mut self, text: &str, effects: &mut DialectEffects) {
        let input = [json!({ "type": "text", "text": text })];
        let params = json!({ "threadId": self.thread, "expectedTurnId": self.turn, "input": input });
        let id = self.send("turn/steer", params, effects);
        self.steers.insert(id.to_string(), text.into());
    }

    /// Handles the response to a request of the connector.
    fn on_response(&mut self, message: &Value, effects: &mut DialectEffects) {
        let Some(id) = message["id"].as_u64() else { return };
        let error = &message["error"];
        if id != self.step_id {
            if error.is_null() {
                self.steers.remove(&id.to_string());
            } else {
                effects.note(&failure_detail(string_field(error, "message")));
            }
            return;
        }
        match self.step {
            AppServerStep::Clean => {
                self.finish(AgentOutcome::Cancelled { partial: self.partial_text() }, effects)
            }
            AppServerStep::Idle => {}
            AppServerStep::Initialize if !error.is_null() => {
                let words = string_field(error, "message");
                let reason = classify::by_message(words).unwrap_or(Reason::CliUnsupported);
                self.finish(failed_outcome(reason, words, String::new()), effects);
            }
            _ if !error.is_null() => self.fail(error, effects),
            AppServerStep::Initialize => {
                effects.send(&json!({ "jsonrpc": "2.0", "method": "initialized" }));
                self.open_thread(effects);
            }
            AppServerStep::Thread => {
                let id = string_field(&message["result"]["thread"], "id");
                if !adapter::is_uuid(id) {
                    return self.fail(&json!({ "message": "the app-server sent no thread" }), effects);
                }
                id.clone_into(&mut self.thread);
                let prompt = std::mem::take(&mut self.request.prompt);
                self.begin_turn(&prompt, effects);
            }
            AppServerStep::Turn => self.on_turn_started(&message["result"]["turn"], effects),
        }
    }

    /// The turn has begun: both the response and a notification say so, in any order. The response to a compaction has no
    /// turn id; the notification does.
    fn on_turn_started(&mut self, turn: &Value, effects: &mut DialectEffects) {
        if self.step == AppServerStep::Turn && self.turn.is_empty() && !string_field(turn, "id").is_empty() {
            string_field(turn, "id").clone_into(&mut self.turn);
            if self.earlier.is_empty() {
                effects.events.push(AgentEvent::Session(self.thread.clone()));
                effects.events.push(AgentEvent::Started);
            }
            for text in std::mem::take(&mut self.early) {
                self.send_steer(&text, effects);
            }
        }
    }

    fn on_notification(&mut self, method: &str, params: &Value, effects: &mut DialectEffects) {
        // Subagents of codex have threads of their own.
        if params.get("threadId").is_some_and(|thread| thread.as_str() != Some(&self.thread)) {
            return;
        }
        match method {
            "turn/started" => self.on_turn_started(&params["turn"], effects),
            "item/agentMessage/delta" => {
                self.items.piece(string_field(params, "itemId"), string_field(params, "delta"), effects);
            }
            "item/reasoning/summaryTextDelta" | "item/reasoning/textDelta" => {
                effects.thought(string_field(params, "delta"));
            }
            "item/started" => {
                let item = &params["item"];
                if string_field(item, "type") == "fileChange" {
                    self.changes.insert(string_field(item, "id").to_owned(), item.clone());
                }
                self.items.item(item, false, effects);
            }
            "item/completed" => self.items.item(&params["item"], true, effects),
            "thread/tokenUsage/updated" => {
                let total = &params["tokenUsage"]["total"];
                effects.usage_total = total
                    .is_object()
                    .then(|| usage_with_cache(total, ["inputTokens", "cachedInputTokens", "outputTokens"]));
            }
            "error" => {
                let message = string_field(&params["error"], "message");
                self.items.complain(message, params["willRetry"] == true, effects);
            }
            "serverRequest/resolved" => {
                let id = params["requestId"].to_string();
                if self.pending.remove(&id).is_some() {
                    effects.withdrawn_requests.push(id);
                }
            }
            "warning" | "configWarning" => {
                let text = string_field(params, "message");
                let text = if text.is_empty() { string_field(params, "summary") } else { text };
                effects.note(&failure_detail(text));
            }
            "turn/completed" => self.on_turn_completed(&params["turn"], effects),
            _ => {}
        }
    }

    fn on_turn_completed(&mut self, turn: &Value, effects: &mut DialectEffects) {
        if self.step != AppServerStep::Turn || self.turn.is_empty() || string_field(turn, "id") != self.turn {
            return;
        }
        let partial = self.partial_text();
        match string_field(turn, "status") {
            "interrupted" if self.cancel_sent => self.end_background_commands(AppServerStep::Clean, effects),
            "interrupted" => self.finish(failed_outcome(Reason::Killed(2), "", partial), effects),
            "failed" => self.fail(&turn["error"], effects),
            _ => {
                let answer = self.items.answer.take().unwrap_or_default();
                // A further message that came too late for this turn begins another one.
                let mut late = String::new();
                for (_, text) in std::mem::take(&mut self.steers) {
                    late.push_str(if late.is_empty() { "" } else { "\n\n" });
                    late.push_str(text.as_str().unwrap_or_default());
                }
                if !late.is_empty() && !self.cancel_sent {
                    self.earlier = [&self.earlier, answer.trim(), "\n\n"].concat();
                    return self.begin_turn(&late, effects);
                }
                let answer = [&self.earlier, answer.as_str()].concat();
                let outcome = completed_outcome(&answer, self.items.turn.worked, "", partial);
                // Background commands of the turn end with it, as with `exec`.
                self.end_background_commands(AppServerStep::Idle, effects);
                self.finish(outcome, effects);
            }
        }
    }

    /// Handles a request of the server. `why`: the last answer did not fit for this reason, so the person is asked again.
    fn on_request(&mut self, message: Value, why: &str, effects: &mut DialectEffects) {
        let change = self.changes.get(string_field(&message["params"], "itemId")).unwrap_or(&Value::Null);
        match approvals::read(&message, change, self.items.changes(change), self.request.mode) {
            Some(mut request) => {
                request.detail = approvals::join(why, &request.detail);
                self.pending.insert(request.id.clone(), message);
                effects.permission_requests.push(request);
            }
            None => {
                let error = json!({ "code": -32601, "message": "wtt-connect does not offer this" });
                effects.send(&json_rpc::response(&message["id"], "error", error));
            }
        }
    }

    /// An interrupted turn leaves its commands running (observed with 0.169.0): a request of its own ends them.
    fn end_background_commands(&mut self, step: AppServerStep, effects: &mut DialectEffects) {
        let params = json!({ "threadId": self.thread });
        self.enter_step(step, "thread/backgroundTerminals/clean", params, effects);
    }

    fn fail(&mut self, error: &Value, effects: &mut DialectEffects) {
        let reason = errors::reason(error, self.request.resume.is_some());
        self.finish(failed_outcome(reason, string_field(error, "message"), self.partial_text()), effects);
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        (self.step, self.cancel_sent) = (AppServerStep::Idle, false);
        effects.withdraw_all(&mut self.pending);
        effects.outcome = Some(outcome);
    }

    /// Sends the turn's first request, or refuses the turn.
    fn begin(&mut self, effects: &mut DialectEffects) {
        if let Some(refused) = refusal(&self.request.prompt, self.request.resume.as_deref()) {
            return self.finish(refused, effects);
        }
        if self.last_id == 0 {
            self.enter_step(AppServerStep::Initialize, "initialize", rpc::initialize(), effects);
        } else if !self.thread.is_empty() && self.request.resume.as_ref() == Some(&self.thread) {
            let prompt = std::mem::take(&mut self.request.prompt);
            self.begin_turn(&prompt, effects);
        } else {
            self.open_thread(effects);
        }
    }
}

impl Dialect for AppServer {
    fn start(&mut self, effects: &mut DialectEffects) {
        self.begin(effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let line = line.trim();
        let message = match json::parse::<Value>(line) {
            Ok(message) if line.starts_with('{') => message,
            _ => return self.items.turn.stray.line(line, effects),
        };
        let method = string_field(&message, "method");
        if method.is_empty() {
            effects.is_sign_of_life = message.get("id").is_some();
            return self.on_response(&message, effects);
        }
        effects.is_sign_of_life = true;
        if message.get("id").is_none() {
            return self.on_notification(method, &message["params"], effects);
        }
        self.on_request(message, "", effects);
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if self.step != AppServerStep::Idle {
            if self.cancel_sent {
                return self.finish(AgentOutcome::Cancelled { partial: self.partial_text() }, effects);
            }
            self.items.turn.exited(exit, stderr_tail, effects);
            if let Some(outcome) = effects.outcome.take() {
                self.finish(outcome, effects);
            }
        }
    }

    fn partial_text(&self) -> String {
        self.items.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.items.turn.classify(stderr_tail)
    }

    fn keeps_process(&self) -> bool {
        true
    }

    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        self.request = request.clone();
        self.items = TurnItems::new(request);
        self.steers.clear();
        self.early.clear();
        self.changes.clear();
        self.earlier.clear();
        self.begin(effects);
    }

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.step != AppServerStep::Turn || self.turn.is_empty() {
            return false;
        }
        self.cancel_sent = true;
        let params = json!({ "threadId": self.thread, "turnId": self.turn });
        self.send("turn/interrupt", params, effects);
        true
    }

    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let Some(pending) = self.pending.remove(id).filter(|_| !self.cancel_sent) else { return };
        match approvals::result(&pending, decision) {
            Ok(result) => effects.send(&json_rpc::response(&pending["id"], "result", result)),
            Err(why) => self.on_request(pending, &why, effects),
        }
        if *decision == Decision::DenyAndStop {
            self.cancel(effects);
        }
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        match self.step {
            // The turn is not requested yet: the text becomes part of the first message.
            AppServerStep::Initialize | AppServerStep::Thread => {
                self.request.prompt.push_str("\n\n");
                self.request.prompt.push_str(text);
                return true;
            }
            // Requested and not begun: the text follows as soon as the turn's id is known.
            AppServerStep::Turn if self.turn.is_empty() && !self.cancel_sent => {
                self.early.push(text.to_owned());
                return true;
            }
            AppServerStep::Turn if !self.cancel_sent => {}
            _ => return false,
        }
        self.send_steer(text, effects);
        true
    }
}
