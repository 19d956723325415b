//! The two-way form: `claude -p --input-format stream-json`, one process for many turns that may ask (observed with
//! 2.1.330: `tests/fixtures/claude-code-stream`). Pure.
//!
//! With `--replay-user-messages` it echoes each line of the user when it takes it up: so we know whether a further
//! message went into the running turn or waits for one of its own, and whose a `result` is.

use crate::agent::adapters::claude_code::control_requests;
use crate::agent::adapters::claude_code::stream_json::{Claude, defuse};
use crate::agent::adapters::codex::approvals::join;
use crate::agent::dialect::{Dialect, DialectEffects, Exit, parse_typed_object, string_field};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::Decision;
use crate::agent::{TurnRequest, Usage};
use crate::config::Mode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether a mode lets it ask.
pub(super) fn asks(request: &TurnRequest) -> bool {
    matches!(request.mode, Mode::AutoEdit | Mode::Suggest)
}

/// Whether both sides talk in every turn, so that the process can wait for the next one: where it may ask, and where
/// the settings say so.
pub(super) fn keeps(request: &TurnRequest) -> bool {
    request.transport.as_deref().map_or_else(|| asks(request), |transport| transport == "stream")
}

/// A process that serves one session.
#[derive(Debug)]
pub struct TwoWay {
    /// Reads the turn.
    turn: Claude,
    mode: Mode,
    /// Whether the process serves further turns.
    kept: bool,
    /// The user's first line of the turn.
    first: Value,
    /// Lines of the user that it has not taken up yet.
    due: usize,
    /// Whether it has taken up any line of this turn.
    taken: bool,
    /// Open questions: the requests by id.
    open: BTreeMap<String, Value>,
    /// What it wrote last as its plan.
    plan: String,
    /// Answers of this turn that were followed by another message.
    earlier: String,
    usage: Option<Usage>,
    interrupts: u32,
    stopping: bool,
    over: bool,
}

impl TwoWay {
    /// For a process that begins with this turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            turn: Claude::new(request),
            mode: request.mode,
            kept: keeps(request),
            first: user_line(request),
            due: 0,
            taken: false,
            open: BTreeMap::new(),
            plan: String::new(),
            earlier: String::new(),
            usage: None,
            interrupts: 0,
            stopping: false,
            over: false,
        }
    }

    fn say(&mut self, line: &Value, effects: &mut DialectEffects) {
        self.due += 1;
        write(line, effects);
    }

    fn interrupt(&mut self, effects: &mut DialectEffects) {
        self.interrupts += 1;
        let id = format!("interrupt-{}", self.interrupts);
        let request = json!({ "subtype": "interrupt" });
        write(&json!({ "type": "control_request", "request_id": id, "request": request }), effects);
    }

    /// It wants something of us.
    fn request(&mut self, message: &Value, effects: &mut DialectEffects) {
        let id = string_field(message, "request_id");
        let request = &message["request"];
        if string_field(request, "subtype") == "can_use_tool" || control_requests::is_form(request) {
            return self.ask(id, request.clone(), "", effects);
        }
        let error = "wtt-connect does not offer this";
        respond(json!({ "subtype": "error", "request_id": id, "error": error }), effects);
    }

    /// `why`: what was answered did not fit, so it is asked again.
    fn ask(&mut self, id: &str, request: Value, why: &str, effects: &mut DialectEffects) {
        let mut ask = control_requests::read(id, &request, self.mode, &self.turn.workdir, &self.plan);
        ask.detail = join(why, &ask.detail);
        effects.permission_requests.push(ask);
        self.open.insert(id.to_owned(), request);
    }

    /// A line of the user, taken up.
    fn echo(&mut self, effects: &mut DialectEffects) {
        self.due = self.due.saturating_sub(1);
        self.taken = true;
        // It had waited behind the turn that was stopped.
        if self.stopping {
            self.interrupt(effects);
        }
    }

    /// The reader has seen a `result`; it may not be the last one.
    fn result(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        let usage = effects.usage.take();
        let own = self.taken || !matches!(outcome, AgentOutcome::Done(_));
        if own {
            self.usage = Usage::sum(self.usage, usage);
        }
        match outcome {
            // Of a task that an earlier turn had left in the background; ours has not begun.
            _ if !own => self.turn.ended = false,
            // A message waits for a turn of its own. Its result is the last word, also after a failure.
            outcome if self.taken && self.due > 0 => {
                self.turn.ended = false;
                if let AgentOutcome::Done(text) = outcome {
                    self.earlier = [&self.earlier, text.trim(), "\n\n"].concat();
                }
            }
            AgentOutcome::Done(text) => {
                self.finish(AgentOutcome::Done([&self.earlier, text.as_str()].concat()), effects)
            }
            AgentOutcome::Failed { reason: Reason::Killed(_), partial, .. } if self.stopping => {
                self.finish(AgentOutcome::Cancelled { partial }, effects);
            }
            other => self.finish(other, effects),
        }
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        (self.over, self.stopping) = (true, false);
        effects.usage = self.usage.take();
        effects.withdraw_all(&mut self.open);
        effects.outcome = Some(outcome);
    }
}

/// A message of the user as a line: text and images.
fn user_line(request: &TurnRequest) -> Value {
    let mut content = vec![text_block(&request.prompt)];
    for image in &request.images {
        if let Some(data) = &image.data {
            let source = json!({ "type": "base64", "media_type": image.media_type, "data": data });
            content.push(json!({ "type": "image", "source": source }));
        }
    }
    user(content)
}

fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": defuse(text.to_owned()) })
}

fn user(content: Vec<Value>) -> Value {
    let message = json!({ "role": "user", "content": Value::Array(content) });
    json!({ "type": "user", "message": message, "parent_tool_use_id": null })
}

fn respond(response: Value, effects: &mut DialectEffects) {
    write(&json!({ "type": "control_response", "response": response }), effects);
}

/// One bad line ends the process; releases that run on Node also break lines at these two.
fn write(message: &Value, effects: &mut DialectEffects) {
    let line = message.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    effects.stdin.push(line + "\n");
}

impl Dialect for TwoWay {
    fn start(&mut self, effects: &mut DialectEffects) {
        match self.turn.refusal() {
            Some(refused) => self.finish(refused, effects),
            None => {
                let first = self.first.take();
                self.say(&first, effects);
            }
        }
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            // A task in the background asks between the turns as well.
            "control_request" => self.request(&value, effects),
            _ if self.over => {}
            "control_cancel_request" => {
                let id = string_field(&value, "request_id");
                if self.open.remove(id).is_some() {
                    effects.withdrawn_requests.push(id.to_owned());
                }
            }
            "control_response" => {}
            "user" if value["isReplay"] == true => {
                if value["message"]["content"].is_array() {
                    self.echo(effects);
                }
            }
            kind => {
                if kind == "assistant"
                    && let Some(plan) = value.pointer("/message/content/0/input/plan").and_then(Value::as_str)
                {
                    plan.clone_into(&mut self.plan);
                }
                self.turn.object(&value, effects);
                if let Some(outcome) = effects.outcome.take() {
                    self.result(outcome, effects);
                }
            }
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if !self.over {
            self.turn.on_exit(exit, stderr_tail, effects);
            if let Some(outcome) = effects.outcome.take() {
                self.finish(outcome, effects);
            }
        }
    }

    fn partial_text(&self) -> String {
        self.turn.partial_text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.turn.classify(stderr_tail)
    }

    fn keeps_stdin(&self) -> bool {
        true
    }

    /// Not for a single turn with images in a mode that never asks: the next one is one-shot again.
    fn keeps_process(&self) -> bool {
        self.kept
    }

    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        *self = Self { interrupts: self.interrupts, ..Self::new(request) };
        self.start(effects);
    }

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.over {
            return false;
        }
        self.stopping = true;
        self.interrupt(effects);
        true
    }

    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let Some(request) = self.open.remove(id).filter(|_| !self.stopping) else { return };
        let response = match control_requests::response(&request, decision) {
            Ok(response) => response,
            Err(why) => return self.ask(id, request, &why, effects),
        };
        respond(json!({ "subtype": "success", "request_id": id, "response": response }), effects);
        if *decision == Decision::DenyAndStop {
            self.stopping = true;
            // a tool that is refused can end the turn; a form cannot
            if control_requests::is_form(&request) {
                self.interrupt(effects);
            }
        }
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        if self.over || self.stopping {
            return false;
        }
        self.say(&user(vec![text_block(text)]), effects);
        true
    }
}
