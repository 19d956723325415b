//! The two-way dialect: `claude -p --input-format stream-json`, one process for many turns, with permission requests
//! (observed with 2.1.330: `tests/fixtures/claude-code-stream`). Pure.
//!
//! With `--replay-user-messages` claude echoes each user line when it starts to work on it. The echo shows whether a
//! further message went into the running turn or waits for a turn of its own, and to which turn a `result` belongs.

use crate::agent::adapter::is_uuid;
use crate::agent::adapters::claude_code::control_requests;
use crate::agent::adapters::claude_code::stream_json::{Claude, defuse};
use crate::agent::adapters::codex::approvals::join;
use crate::agent::dialect::{Dialect, DialectEffects, Exit, parse_typed_object, string_field};
use crate::agent::one_shot::invalid_session;
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::Decision;
use crate::agent::{TurnRequest, Usage};
use crate::config::Mode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A process that serves one session.
#[derive(Debug)]
pub struct TwoWay {
    /// Reads the lines of the turn.
    reader: Claude,
    mode: Mode,
    /// Whether the process serves further turns.
    keeps_process: bool,
    /// The first user line of the turn, until it is sent.
    first: Value,
    /// User lines that are sent and not echoed yet.
    unechoed: usize,
    /// Whether a user line of this turn is echoed.
    has_echo: bool,
    /// The permission requests that wait for a decision, by id.
    open: BTreeMap<String, Value>,
    /// The plan that claude wrote last.
    plan: String,
    /// Answers of this turn that were followed by another message.
    earlier: String,
    usage: Option<Usage>,
    /// Interrupts that were sent, for their ids.
    interrupts: u32,
    cancel_sent: bool,
    ended: bool,
}

impl TwoWay {
    /// For a process that begins with this turn.
    pub fn new(request: &TurnRequest, keeps_process: bool) -> Self {
        Self {
            reader: Claude::new(request),
            mode: request.mode,
            keeps_process,
            first: user_line(request),
            unechoed: 0,
            has_echo: false,
            open: BTreeMap::new(),
            plan: String::new(),
            earlier: String::new(),
            usage: None,
            interrupts: 0,
            cancel_sent: false,
            ended: false,
        }
    }

    fn send_user_line(&mut self, line: &Value, effects: &mut DialectEffects) {
        self.unechoed += 1;
        write(line, effects);
    }

    fn interrupt(&mut self, effects: &mut DialectEffects) {
        self.interrupts += 1;
        let id = format!("interrupt-{}", self.interrupts);
        let request = json!({ "subtype": "interrupt" });
        write(&json!({ "type": "control_request", "request_id": id, "request": request }), effects);
    }

    /// Handles a request of claude.
    fn on_request(&mut self, message: &Value, effects: &mut DialectEffects) {
        let id = string_field(message, "request_id");
        let request = &message["request"];
        if string_field(request, "subtype") == "can_use_tool" || control_requests::is_form(request) {
            return self.request_permission(id, request.clone(), "", effects);
        }
        let error = "wtt-connect does not offer this";
        respond(json!({ "subtype": "error", "request_id": id, "error": error }), effects);
    }

    /// Asks the person. `why`: the last answer did not fit for this reason, so the person is asked again.
    fn request_permission(&mut self, id: &str, request: Value, why: &str, effects: &mut DialectEffects) {
        let workdir = &self.reader.turn.workdir;
        let mut permission_request = control_requests::read(id, &request, self.mode, workdir, &self.plan);
        permission_request.detail = join(why, &permission_request.detail);
        effects.permission_requests.push(permission_request);
        self.open.insert(id.to_owned(), request);
    }

    /// Claude starts to work on a user line.
    fn on_echo(&mut self, effects: &mut DialectEffects) {
        self.unechoed = self.unechoed.saturating_sub(1);
        self.has_echo = true;
        // The line had waited for the turn that was cancelled.
        if self.cancel_sent {
            self.interrupt(effects);
        }
    }

    /// The reader has seen a `result`; it may not be the last one.
    fn on_result(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        let usage = effects.usage.take();
        let is_of_this_turn = self.has_echo || !matches!(outcome, AgentOutcome::Done(_));
        if is_of_this_turn {
            self.usage = Usage::sum(self.usage, usage);
        }
        match outcome {
            // The result of an earlier turn's background task; this turn has not begun.
            _ if !is_of_this_turn => self.reader.turn.ended = false,
            // A message waits for a turn of its own, whose result counts, also after a failure.
            outcome if self.has_echo && self.unechoed > 0 => {
                self.reader.turn.ended = false;
                if let AgentOutcome::Done(text) = outcome {
                    self.earlier = [&self.earlier, text.trim(), "\n\n"].concat();
                }
            }
            AgentOutcome::Done(text) => {
                self.finish(AgentOutcome::Done([&self.earlier, text.as_str()].concat()), effects)
            }
            AgentOutcome::Failed { reason: Reason::Killed(_), partial, .. } if self.cancel_sent => {
                self.finish(AgentOutcome::Cancelled { partial }, effects);
            }
            other => self.finish(other, effects),
        }
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        (self.ended, self.cancel_sent) = (true, false);
        effects.usage = self.usage.take();
        effects.withdraw_all(&mut self.open);
        effects.outcome = Some(outcome);
    }
}

/// The user line of a request: text and images.
fn user_line(request: &TurnRequest) -> Value {
    let mut content = vec![text_block(&request.prompt)];
    for image in &request.images {
        if let Some(data) = &image.data {
            let source = json!({ "type": "base64", "media_type": image.media_type, "data": data });
            content.push(json!({ "type": "image", "source": source }));
        }
    }
    user_message(content)
}

fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": defuse(text.to_owned()) })
}

fn user_message(content: Vec<Value>) -> Value {
    let message = json!({ "role": "user", "content": content });
    json!({ "type": "user", "message": message, "parent_tool_use_id": null })
}

fn respond(response: Value, effects: &mut DialectEffects) {
    write(&json!({ "type": "control_response", "response": response }), effects);
}

/// Writes one line. A malformed line ends the process, and releases that run on Node also break lines at U+2028 and U+2029.
fn write(message: &Value, effects: &mut DialectEffects) {
    let line = message.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    effects.stdin.push(line + "\n");
}

impl Dialect for TwoWay {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(refused) = invalid_session(self.reader.turn.resume.as_deref(), is_uuid) {
            return self.finish(refused, effects);
        }
        let first = self.first.take();
        self.send_user_line(&first, effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.reader.turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            // Background tasks also send requests between the turns.
            "control_request" => self.on_request(&value, effects),
            _ if self.ended => {}
            "control_cancel_request" => {
                let id = string_field(&value, "request_id");
                if self.open.remove(id).is_some() {
                    effects.withdrawn_requests.push(id.to_owned());
                }
            }
            "control_response" => {}
            "user" if value["isReplay"] == true => {
                if value["message"]["content"].is_array() {
                    self.on_echo(effects);
                }
            }
            kind => {
                if kind == "assistant"
                    && let Some(plan) = value.pointer("/message/content/0/input/plan").and_then(Value::as_str)
                {
                    plan.clone_into(&mut self.plan);
                }
                self.reader.object(&value, effects);
                if let Some(outcome) = effects.outcome.take() {
                    self.on_result(outcome, effects);
                }
            }
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if !self.ended {
            self.reader.on_exit(exit, stderr_tail, effects);
            if let Some(outcome) = effects.outcome.take() {
                self.finish(outcome, effects);
            }
        }
    }

    fn partial_text(&self) -> String {
        self.reader.partial_text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.reader.classify(stderr_tail)
    }

    fn keeps_stdin(&self) -> bool {
        true
    }

    /// False for a turn with images in a mode that never asks: the next turn is one-shot again.
    fn keeps_process(&self) -> bool {
        self.keeps_process
    }

    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        *self = Self { interrupts: self.interrupts, ..Self::new(request, self.keeps_process) };
        self.start(effects);
    }

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.ended {
            return false;
        }
        self.cancel_sent = true;
        self.interrupt(effects);
        true
    }

    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let Some(request) = self.open.remove(id).filter(|_| !self.cancel_sent) else { return };
        let response = match control_requests::response(&request, decision) {
            Ok(response) => response,
            Err(why) => return self.request_permission(id, request, &why, effects),
        };
        respond(json!({ "subtype": "success", "request_id": id, "response": response }), effects);
        if *decision == Decision::DenyAndStop {
            self.cancel_sent = true;
            // The refusal of a tool ends the turn; that of a form does not.
            if control_requests::is_form(&request) {
                self.interrupt(effects);
            }
        }
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        if self.ended || self.cancel_sent {
            return false;
        }
        self.send_user_line(&user_message(vec![text_block(text)]), effects);
        true
    }
}
