//! The dialect of `codex app-server`: JSON-RPC lines both ways, one process for many turns of one thread (observed
//! with 0.169.0: `tests/fixtures/codex-app-server`). Pure.
//!
//! The thread is that of `codex exec`: a session may change its transport from turn to turn.

use crate::agent::adapters::codex::approvals;
use crate::agent::adapters::codex::exec::refusal;
use crate::agent::adapters::codex::items::Items;
use crate::agent::adapters::codex::{errors, rpc};
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, completed_outcome, count_field, failed_outcome,
    failure_detail, outcome_from_exit, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::Decision;
use crate::agent::{AgentEvent, TurnRequest, Usage, adapter, classify};
use crate::json;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the conversation stands: what the answer to our last request will begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AppServerStep {
    /// The greeting.
    Initialize,
    /// A thread, new or resumed.
    Thread,
    /// The turn has been asked for, and may run.
    Turn,
    /// The turn was interrupted; what it left running is being ended.
    Clean,
    /// The turn is over.
    Idle,
}

/// A process that serves one thread.
#[derive(Debug)]
pub struct AppServer {
    request: TurnRequest,
    items: Items,
    stray: StrayOutput,
    thread: String,
    turn: String,
    step: AppServerStep,
    /// The last id that we used; also that of the step's request.
    last_id: u64,
    step_id: u64,
    /// The file changes that have begun, by item: requests for approval do not repeat them.
    changes: BTreeMap<String, Value>,
    /// Open questions: the requests by id.
    pending: BTreeMap<String, Value>,
    /// Further messages by request id, until the server has taken them.
    steers: BTreeMap<String, Value>,
    /// Those that came before the turn had a name.
    early: Vec<String>,
    /// Answers of this turn that were followed by another message.
    earlier: String,
    stopping: bool,
}

impl AppServer {
    /// For a process that begins with this turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            request: request.clone(),
            items: Items::new(request),
            stray: StrayOutput::default(),
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
            stopping: false,
        }
    }

    /// Sends a request; its id.
    fn send(&mut self, method: &str, params: Value, effects: &mut DialectEffects) -> u64 {
        self.last_id += 1;
        rpc::write(
            json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }),
            effects,
        );
        self.last_id
    }

    /// Sends the request on which everything waits.
    fn go(&mut self, step: AppServerStep, method: &str, params: Value, effects: &mut DialectEffects) {
        self.step = step;
        self.step_id = self.send(method, params, effects);
    }

    fn open_thread(&mut self, effects: &mut DialectEffects) {
        let (method, params) = rpc::thread(&self.request);
        self.go(AppServerStep::Thread, method, params, effects);
    }

    fn begin_turn(&mut self, prompt: &str, effects: &mut DialectEffects) {
        let slash = std::mem::take(&mut self.request.is_slash_command);
        let (method, params) = match slash.then(|| rpc::command(&self.thread, prompt)) {
            Some(command) => command,
            None => ("turn/start", rpc::turn(&self.request, &self.thread, prompt)),
        };
        self.request.images.clear();
        self.turn.clear();
        self.go(AppServerStep::Turn, method, params, effects);
    }

    fn send_steer(&mut self, text: &str, effects: &mut DialectEffects) {
        let input = [json!({ "type": "text", "text": text })];
        let params = json!({ "threadId": self.thread, "expectedTurnId": self.turn, "input": input });
        let id = self.send("turn/steer", params, effects);
        self.steers.insert(id.to_string(), text.into());
    }

    /// The answer to a request of ours.
    fn response(&mut self, message: &Value, effects: &mut DialectEffects) {
        let Some(id) = message["id"].as_u64() else { return };
        let error = &message["error"];
        if id != self.step_id {
            if error.is_null() {
                self.steers.remove(&id.to_string());
            } else {
                effects.events.push(AgentEvent::Note(failure_detail(string_field(error, "message"))));
            }
            return;
        }
        match self.step {
            AppServerStep::Clean => {
                self.finish(AgentOutcome::Cancelled { partial: self.items.said.text() }, effects)
            }
            AppServerStep::Idle => {}
            AppServerStep::Initialize if !error.is_null() => {
                let words = string_field(error, "message");
                let reason = classify::by_message(words).unwrap_or(Reason::CliUnsupported);
                self.finish(failed_outcome(reason, words, String::new()), effects);
            }
            _ if !error.is_null() => self.fail(error, effects),
            AppServerStep::Initialize => {
                rpc::write(json!({ "jsonrpc": "2.0", "method": "initialized" }), effects);
                self.open_thread(effects);
            }
            AppServerStep::Thread => {
                let id = string_field(&message["result"]["thread"], "id");
                if !adapter::is_uuid(id) {
                    return self.fail(&json!({ "message": "the app-server gave no thread" }), effects);
                }
                id.clone_into(&mut self.thread);
                let prompt = std::mem::take(&mut self.request.prompt);
                self.begin_turn(&prompt, effects);
            }
            AppServerStep::Turn => self.turn_began(&message["result"]["turn"], effects),
        }
    }

    /// Comes as answer and as notification, in any order.
    fn turn_began(&mut self, turn: &Value, effects: &mut DialectEffects) {
        // the answer to a compaction names none; the notification does
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

    fn notification(&mut self, method: &str, params: &Value, effects: &mut DialectEffects) {
        // Agents that codex sends out have threads of their own.
        if params.get("threadId").is_some_and(|thread| thread.as_str() != Some(&self.thread)) {
            return;
        }
        match method {
            "turn/started" => self.turn_began(&params["turn"], effects),
            "item/agentMessage/delta" => {
                self.items.piece(string_field(params, "itemId"), string_field(params, "delta"), effects);
            }
            "item/reasoning/summaryTextDelta" | "item/reasoning/textDelta" => {
                effects.events.push(AgentEvent::Thought(string_field(params, "delta").to_owned()));
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
                effects.usage_total = total.is_object().then(|| Usage {
                    input: count_field(total, "inputTokens"),
                    cached: count_field(total, "cachedInputTokens"),
                    output: count_field(total, "outputTokens"),
                });
            }
            "error" => {
                let message = string_field(&params["error"], "message");
                message.clone_into(&mut self.items.complaint);
                if params["willRetry"] == true {
                    effects.events.push(AgentEvent::Retry(failure_detail(message)));
                }
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
                effects.events.push(AgentEvent::Note(failure_detail(text)));
            }
            "turn/completed" => self.turn_over(&params["turn"], effects),
            _ => {}
        }
    }

    fn turn_over(&mut self, turn: &Value, effects: &mut DialectEffects) {
        if self.step != AppServerStep::Turn || self.turn.is_empty() || string_field(turn, "id") != self.turn {
            return;
        }
        let partial = self.items.said.text();
        match string_field(turn, "status") {
            "interrupted" if self.stopping => self.clean(AppServerStep::Clean, effects),
            "interrupted" => self.finish(failed_outcome(Reason::Killed(2), "", partial), effects),
            "failed" => self.fail(&turn["error"], effects),
            _ => {
                let answer = self.items.answer.take().unwrap_or_default();
                // A message that came too late for this turn begins the next one.
                let mut late = String::new();
                for (_, text) in std::mem::take(&mut self.steers) {
                    late.push_str(if late.is_empty() { "" } else { "\n\n" });
                    late.push_str(text.as_str().unwrap_or_default());
                }
                if !late.is_empty() && !self.stopping {
                    self.earlier = [&self.earlier, answer.trim(), "\n\n"].concat();
                    return self.begin_turn(&late, effects);
                }
                let answer = [&self.earlier, answer.as_str()].concat();
                let outcome = completed_outcome(&answer, self.items.worked, "", partial);
                // What the turn left running in the background ends with it, as with `exec`.
                self.clean(AppServerStep::Idle, effects);
                self.finish(outcome, effects);
            }
        }
    }

    /// A request of the server; `why`: what was answered did not fit, so it is asked again.
    fn asked(&mut self, message: Value, why: &str, effects: &mut DialectEffects) {
        let change = self.changes.get(string_field(&message["params"], "itemId")).unwrap_or(&Value::Null);
        match approvals::read(&message, change, self.items.changes(change), self.request.mode) {
            Some(mut ask) => {
                ask.detail = approvals::join(why, &ask.detail);
                self.pending.insert(ask.id.clone(), message);
                effects.permission_requests.push(ask);
            }
            None => {
                let error = json!({ "code": -32601, "message": "wtt-connect does not offer this" });
                rpc::reply(&message, "error", error, effects);
            }
        }
    }

    /// An interrupted turn leaves its commands running (seen with 0.169.0): they are ended with a request of their own.
    fn clean(&mut self, step: AppServerStep, effects: &mut DialectEffects) {
        let params = json!({ "threadId": self.thread });
        self.go(step, "thread/backgroundTerminals/clean", params, effects);
    }

    fn fail(&mut self, error: &Value, effects: &mut DialectEffects) {
        let reason = errors::reason(error, self.request.resume.is_some());
        self.finish(failed_outcome(reason, string_field(error, "message"), self.items.said.text()), effects);
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        (self.step, self.stopping) = (AppServerStep::Idle, false);
        effects.withdraw_all(&mut self.pending);
        effects.outcome = Some(outcome);
    }

    /// The turn's first request, or the refusal to begin it.
    fn begin(&mut self, effects: &mut DialectEffects) {
        if let Some(refused) = refusal(&self.request.prompt, self.request.resume.as_deref()) {
            return self.finish(refused, effects);
        }
        if self.last_id == 0 {
            self.go(AppServerStep::Initialize, "initialize", rpc::initialize(), effects);
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
            _ => return self.stray.line(line, effects),
        };
        let method = string_field(&message, "method");
        if method.is_empty() {
            effects.is_sign_of_life = message.get("id").is_some();
            return self.response(&message, effects);
        }
        effects.is_sign_of_life = true;
        if message.get("id").is_none() {
            return self.notification(method, &message["params"], effects);
        }
        self.asked(message, "", effects);
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if self.step != AppServerStep::Idle {
            let partial = self.items.said.text();
            let outcome = match self.stopping {
                true => AgentOutcome::Cancelled { partial },
                false => outcome_from_exit(exit, &self.items.complaint, &self.stray, stderr_tail, partial),
            };
            self.finish(outcome, effects);
        }
    }

    fn partial_text(&self) -> String {
        self.items.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_message(&self.items.complaint)
            .or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
    }

    fn keeps_stdin(&self) -> bool {
        true
    }

    fn keeps_process(&self) -> bool {
        true
    }

    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        self.request = request.clone();
        self.items = Items::new(request);
        self.stray = StrayOutput::default();
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
        self.stopping = true;
        let params = json!({ "threadId": self.thread, "turnId": self.turn });
        self.send("turn/interrupt", params, effects);
        true
    }

    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let Some(pending) = self.pending.remove(id).filter(|_| !self.stopping) else { return };
        match approvals::result(&pending, decision) {
            Ok(result) => rpc::reply(&pending, "result", result, effects),
            Err(why) => self.asked(pending, &why, effects),
        }
        if *decision == Decision::DenyAndStop {
            self.cancel(effects);
        }
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        match self.step {
            // Not asked for yet: it is part of the first message.
            AppServerStep::Initialize | AppServerStep::Thread => {
                self.request.prompt.push_str("\n\n");
                self.request.prompt.push_str(text);
                return true;
            }
            // Asked for, and not begun: it goes in as soon as the turn has a name.
            AppServerStep::Turn if self.turn.is_empty() && !self.stopping => {
                self.early.push(text.to_owned());
                return true;
            }
            AppServerStep::Turn if !self.stopping => {}
            _ => return false,
        }
        self.send_steer(text, effects);
        true
    }
}
