//! The dialect of `codex app-server`: JSON-RPC lines both ways, one process for many turns of one thread (observed
//! with 0.169.0: `tests/fixtures/codex-app-server`). Pure.
//!
//! The thread is that of `codex exec`: a session may change its transport from turn to turn.

use crate::agent::adapters::codex::approvals;
use crate::agent::adapters::codex::exec::refusal;
use crate::agent::adapters::codex::items::Items;
use crate::agent::adapters::codex::{errors, rpc};
use crate::agent::dialect::{Dialect, Effects, Exit, Stray, count, detail, ended, failed, string, unsaid};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::permission::Decision;
use crate::agent::{AgentEvent, Request, Usage, adapter, classify};
use crate::json::object;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where the conversation stands: what the answer to our last request will begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
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
pub struct Server {
    request: Request,
    items: Items,
    stray: Stray,
    thread: String,
    turn: String,
    step: Step,
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

impl Server {
    /// For a process that begins with this turn.
    pub fn new(request: &Request) -> Self {
        Self {
            request: request.clone(),
            items: Items::new(request),
            stray: Stray::default(),
            thread: String::new(),
            turn: String::new(),
            step: Step::Initialize,
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
    fn send(&mut self, method: &str, params: Value, fx: &mut Effects) -> u64 {
        self.last_id += 1;
        rpc::write(object!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }), fx);
        self.last_id
    }

    /// Sends the request on which everything waits.
    fn go(&mut self, step: Step, method: &str, params: Value, fx: &mut Effects) {
        self.step = step;
        self.step_id = self.send(method, params, fx);
    }

    fn open_thread(&mut self, fx: &mut Effects) {
        let (method, params) = rpc::thread(&self.request);
        self.go(Step::Thread, method, params, fx);
    }

    fn begin_turn(&mut self, prompt: &str, fx: &mut Effects) {
        let slash = std::mem::take(&mut self.request.slash);
        let (method, params) = match slash.then(|| rpc::command(&self.thread, prompt)) {
            Some(command) => command,
            None => ("turn/start", rpc::turn(&self.request, &self.thread, prompt)),
        };
        self.request.images.clear();
        self.turn.clear();
        self.go(Step::Turn, method, params, fx);
    }

    fn send_steer(&mut self, text: &str, fx: &mut Effects) {
        let input = [object!({ "type": "text", "text": text })];
        let params = object!({ "threadId": self.thread, "expectedTurnId": self.turn, "input": input });
        let id = self.send("turn/steer", params, fx);
        self.steers.insert(id.to_string(), text.into());
    }

    /// The answer to a request of ours.
    fn response(&mut self, message: &Value, fx: &mut Effects) {
        let Some(id) = message["id"].as_u64() else { return };
        let error = &message["error"];
        if id != self.step_id {
            if error.is_null() {
                self.steers.remove(&id.to_string());
            } else {
                fx.events.push(AgentEvent::Note(detail(string(error, "message"))));
            }
            return;
        }
        match self.step {
            Step::Clean => self.finish(Outcome::Cancelled { partial: self.items.said.text() }, fx),
            Step::Idle => {}
            Step::Initialize if !error.is_null() => {
                let words = string(error, "message");
                let reason = classify::words(words).unwrap_or(Reason::CliUnsupported);
                self.finish(failed(reason, words, String::new()), fx);
            }
            _ if !error.is_null() => self.fail(error, fx),
            Step::Initialize => {
                rpc::write(object!({ "jsonrpc": "2.0", "method": "initialized" }), fx);
                self.open_thread(fx);
            }
            Step::Thread => {
                let id = string(&message["result"]["thread"], "id");
                if !adapter::is_uuid(id) {
                    return self.fail(&object!({ "message": "the app-server gave no thread" }), fx);
                }
                id.clone_into(&mut self.thread);
                let prompt = std::mem::take(&mut self.request.prompt);
                self.begin_turn(&prompt, fx);
            }
            Step::Turn => self.turn_began(&message["result"]["turn"], fx),
        }
    }

    /// Comes as answer and as notification, in any order.
    fn turn_began(&mut self, turn: &Value, fx: &mut Effects) {
        // the answer to a compaction names none; the notification does
        if self.step == Step::Turn && self.turn.is_empty() && !string(turn, "id").is_empty() {
            string(turn, "id").clone_into(&mut self.turn);
            if self.earlier.is_empty() {
                fx.events.push(AgentEvent::Session(self.thread.clone()));
                fx.events.push(AgentEvent::Started);
            }
            for text in std::mem::take(&mut self.early) {
                self.send_steer(&text, fx);
            }
        }
    }

    fn notification(&mut self, method: &str, params: &Value, fx: &mut Effects) {
        // Agents that codex sends out have threads of their own.
        if params.get("threadId").is_some_and(|thread| thread.as_str() != Some(&self.thread)) {
            return;
        }
        match method {
            "turn/started" => self.turn_began(&params["turn"], fx),
            "item/agentMessage/delta" => {
                self.items.piece(string(params, "itemId"), string(params, "delta"), fx);
            }
            "item/reasoning/summaryTextDelta" | "item/reasoning/textDelta" => {
                fx.events.push(AgentEvent::Thought(string(params, "delta").to_owned()));
            }
            "item/started" => {
                let item = &params["item"];
                if string(item, "type") == "fileChange" {
                    self.changes.insert(string(item, "id").to_owned(), item.clone());
                }
                self.items.item(item, false, fx);
            }
            "item/completed" => self.items.item(&params["item"], true, fx),
            "thread/tokenUsage/updated" => {
                let total = &params["tokenUsage"]["total"];
                fx.usage_total = total.is_object().then(|| Usage {
                    input: count(total, "inputTokens"),
                    cached: count(total, "cachedInputTokens"),
                    output: count(total, "outputTokens"),
                });
            }
            "error" => {
                let message = string(&params["error"], "message");
                message.clone_into(&mut self.items.complaint);
                if params["willRetry"] == true {
                    fx.events.push(AgentEvent::Retry(detail(message)));
                }
            }
            "serverRequest/resolved" => {
                let id = params["requestId"].to_string();
                if self.pending.remove(&id).is_some() {
                    fx.withdrawn.push(id);
                }
            }
            "warning" | "configWarning" => {
                let text = string(params, "message");
                let text = if text.is_empty() { string(params, "summary") } else { text };
                fx.events.push(AgentEvent::Note(detail(text)));
            }
            "turn/completed" => self.turn_over(&params["turn"], fx),
            _ => {}
        }
    }

    fn turn_over(&mut self, turn: &Value, fx: &mut Effects) {
        if self.step != Step::Turn || self.turn.is_empty() || string(turn, "id") != self.turn {
            return;
        }
        let partial = self.items.said.text();
        match string(turn, "status") {
            "interrupted" if self.stopping => self.clean(Step::Clean, fx),
            "interrupted" => self.finish(failed(Reason::Killed(2), "", partial), fx),
            "failed" => self.fail(&turn["error"], fx),
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
                    return self.begin_turn(&late, fx);
                }
                let answer = [&self.earlier, answer.as_str()].concat();
                let outcome = ended(&answer, self.items.worked, "", partial);
                // What the turn left running in the background ends with it, as with `exec`.
                self.clean(Step::Idle, fx);
                self.finish(outcome, fx);
            }
        }
    }

    /// A request of the server; `why`: what was answered did not fit, so it is asked again.
    fn asked(&mut self, message: Value, why: &str, fx: &mut Effects) {
        let change = self.changes.get(string(&message["params"], "itemId")).unwrap_or(&Value::Null);
        match approvals::read(&message, change, self.items.changes(change), self.request.mode) {
            Some(mut ask) => {
                ask.detail = approvals::join(why, &ask.detail);
                self.pending.insert(ask.id.clone(), message);
                fx.asks.push(ask);
            }
            None => {
                let error = object!({ "code": -32601, "message": "wtt-connect does not offer this" });
                rpc::reply(&message, "error", error, fx);
            }
        }
    }

    /// An interrupted turn leaves its commands running (seen with 0.169.0): they are ended with a request of their own.
    fn clean(&mut self, step: Step, fx: &mut Effects) {
        let params = object!({ "threadId": self.thread });
        self.go(step, "thread/backgroundTerminals/clean", params, fx);
    }

    fn fail(&mut self, error: &Value, fx: &mut Effects) {
        let reason = errors::reason(error, self.request.resume.is_some());
        self.finish(failed(reason, string(error, "message"), self.items.said.text()), fx);
    }

    fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        (self.step, self.stopping) = (Step::Idle, false);
        fx.withdraw(&mut self.pending);
        fx.done = Some(outcome);
    }

    /// The turn's first request, or the refusal to begin it.
    fn begin(&mut self, fx: &mut Effects) {
        if let Some(refused) = refusal(&self.request.prompt, self.request.resume.as_deref()) {
            return self.finish(refused, fx);
        }
        if self.last_id == 0 {
            self.go(Step::Initialize, "initialize", rpc::initialize(), fx);
        } else if !self.thread.is_empty() && self.request.resume.as_ref() == Some(&self.thread) {
            let prompt = std::mem::take(&mut self.request.prompt);
            self.begin_turn(&prompt, fx);
        } else {
            self.open_thread(fx);
        }
    }
}

impl Dialect for Server {
    fn start(&mut self, fx: &mut Effects) {
        self.begin(fx);
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let line = line.trim();
        let message = match serde_json::from_str::<Value>(line) {
            Ok(message) if line.starts_with('{') => message,
            _ => return self.stray.line(line, fx),
        };
        let method = string(&message, "method");
        if method.is_empty() {
            fx.alive = message.get("id").is_some();
            return self.response(&message, fx);
        }
        fx.alive = true;
        if message.get("id").is_none() {
            return self.notification(method, &message["params"], fx);
        }
        self.asked(message, "", fx);
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        if self.step != Step::Idle {
            let partial = self.items.said.text();
            let outcome = match self.stopping {
                true => Outcome::Cancelled { partial },
                false => unsaid(exit, &self.items.complaint, &self.stray, stderr_tail, partial),
            };
            self.finish(outcome, fx);
        }
    }

    fn partial(&self) -> String {
        self.items.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::words(&self.items.complaint)
            .or_else(|| classify::tail(stderr_tail).map(|(reason, _)| reason))
    }

    fn keeps_stdin(&self) -> bool {
        true
    }

    fn keeps_process(&self) -> bool {
        true
    }

    fn next_turn(&mut self, request: &Request, fx: &mut Effects) {
        self.request = request.clone();
        self.items = Items::new(request);
        self.stray = Stray::default();
        self.steers.clear();
        self.early.clear();
        self.changes.clear();
        self.earlier.clear();
        self.begin(fx);
    }

    fn cancel(&mut self, fx: &mut Effects) -> bool {
        if self.step != Step::Turn || self.turn.is_empty() {
            return false;
        }
        self.stopping = true;
        let params = object!({ "threadId": self.thread, "turnId": self.turn });
        self.send("turn/interrupt", params, fx);
        true
    }

    fn answer(&mut self, id: &str, decision: &Decision, fx: &mut Effects) {
        let Some(pending) = self.pending.remove(id).filter(|_| !self.stopping) else { return };
        match approvals::result(&pending, decision) {
            Ok(result) => rpc::reply(&pending, "result", result, fx),
            Err(why) => self.asked(pending, &why, fx),
        }
        if *decision == Decision::DenyAndStop {
            self.cancel(fx);
        }
    }

    fn steer(&mut self, text: &str, fx: &mut Effects) -> bool {
        match self.step {
            // Not asked for yet: it is part of the first message.
            Step::Initialize | Step::Thread => {
                self.request.prompt.push_str("\n\n");
                self.request.prompt.push_str(text);
                return true;
            }
            // Asked for, and not begun: it goes in as soon as the turn has a name.
            Step::Turn if self.turn.is_empty() && !self.stopping => {
                self.early.push(text.to_owned());
                return true;
            }
            Step::Turn if !self.stopping => {}
            _ => return false,
        }
        self.send_steer(text, fx);
        true
    }
}
