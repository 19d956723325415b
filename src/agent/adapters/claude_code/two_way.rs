//! The two-way form: `claude -p --input-format stream-json`, one process for many turns that may ask (observed with
//! 2.1.330: `tests/fixtures/claude-code-stream`). Pure.
//!
//! With `--replay-user-messages` it echoes each line of the user when it takes it up: so we know whether a further
//! message went into the running turn or waits for one of its own, and whose a `result` is.

use crate::agent::adapters;
use crate::agent::adapters::claude_code::control_requests;
use crate::agent::adapters::claude_code::stream_json::{Claude, defuse};
use crate::agent::adapters::codex::approvals::join;
use crate::agent::dialect::{Dialect, Effects, Exit, object, string};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::permission::Decision;
use crate::agent::{Request, Usage};
use crate::config::Mode;
use crate::json::object;
use serde_json::Value;
use std::collections::BTreeMap;

/// A process that serves one session.
#[derive(Debug)]
pub struct Stream {
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

impl Stream {
    /// For a process that begins with this turn.
    pub fn new(request: &Request) -> Self {
        Self {
            turn: Claude::new(request),
            mode: request.mode,
            kept: adapters::claude_code::keeps(request),
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

    fn say(&mut self, line: &Value, fx: &mut Effects) {
        self.due += 1;
        write(line, fx);
    }

    fn interrupt(&mut self, fx: &mut Effects) {
        self.interrupts += 1;
        let id = format!("interrupt-{}", self.interrupts);
        let request = object!({ "subtype": "interrupt" });
        write(&object!({ "type": "control_request", "request_id": id, "request": request }), fx);
    }

    /// It wants something of us.
    fn request(&mut self, message: &Value, fx: &mut Effects) {
        let id = string(message, "request_id");
        let request = &message["request"];
        if string(request, "subtype") == "can_use_tool" || control_requests::is_form(request) {
            return self.ask(id, request.clone(), "", fx);
        }
        let error = "wtt-connect does not offer this";
        respond(object!({ "subtype": "error", "request_id": id, "error": error }), fx);
    }

    /// `why`: what was answered did not fit, so it is asked again.
    fn ask(&mut self, id: &str, request: Value, why: &str, fx: &mut Effects) {
        let mut ask = control_requests::read(id, &request, self.mode, &self.turn.workdir, &self.plan);
        ask.detail = join(why, &ask.detail);
        fx.asks.push(ask);
        self.open.insert(id.to_owned(), request);
    }

    /// A line of the user, taken up.
    fn echo(&mut self, fx: &mut Effects) {
        self.due = self.due.saturating_sub(1);
        self.taken = true;
        // It had waited behind the turn that was stopped.
        if self.stopping {
            self.interrupt(fx);
        }
    }

    /// The reader has seen a `result`; it may not be the last one.
    fn result(&mut self, outcome: Outcome, fx: &mut Effects) {
        let usage = fx.usage.take();
        let own = self.taken || !matches!(outcome, Outcome::Done(_));
        if own {
            self.usage = Usage::sum(self.usage, usage);
        }
        match outcome {
            // Of a task that an earlier turn had left in the background; ours has not begun.
            _ if !own => self.turn.ended = false,
            // A message waits for a turn of its own. Its result is the last word, also after a failure.
            outcome if self.taken && self.due > 0 => {
                self.turn.ended = false;
                if let Outcome::Done(text) = outcome {
                    self.earlier = [&self.earlier, text.trim(), "\n\n"].concat();
                }
            }
            Outcome::Done(text) => self.finish(Outcome::Done([&self.earlier, text.as_str()].concat()), fx),
            Outcome::Failed { reason: Reason::Killed(_), partial, .. } if self.stopping => {
                self.finish(Outcome::Cancelled { partial }, fx);
            }
            other => self.finish(other, fx),
        }
    }

    fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        (self.over, self.stopping) = (true, false);
        fx.usage = self.usage.take();
        fx.withdraw(&mut self.open);
        fx.done = Some(outcome);
    }
}

/// A message of the user as a line: text and images.
fn user_line(request: &Request) -> Value {
    let mut content = vec![text_block(&request.prompt)];
    for image in &request.images {
        if let Some(data) = &image.data {
            let source = object!({ "type": "base64", "media_type": image.media_type, "data": data });
            content.push(object!({ "type": "image", "source": source }));
        }
    }
    user(content)
}

fn text_block(text: &str) -> Value {
    object!({ "type": "text", "text": defuse(text.to_owned()) })
}

fn user(content: Vec<Value>) -> Value {
    let message = object!({ "role": "user", "content": Value::Array(content) });
    object!({ "type": "user", "message": message, "parent_tool_use_id": () })
}

fn respond(response: Value, fx: &mut Effects) {
    write(&object!({ "type": "control_response", "response": response }), fx);
}

/// One bad line ends the process; releases that run on Node also break lines at these two.
fn write(message: &Value, fx: &mut Effects) {
    let line = message.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    fx.stdin.push(line + "\n");
}

impl Dialect for Stream {
    fn start(&mut self, fx: &mut Effects) {
        match self.turn.refusal() {
            Some(refused) => self.finish(refused, fx),
            None => {
                let first = self.first.take();
                self.say(&first, fx);
            }
        }
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(value) = object(line) else { return self.turn.stray.line(line, fx) };
        fx.alive = true;
        match string(&value, "type") {
            // A task in the background asks between the turns as well.
            "control_request" => self.request(&value, fx),
            _ if self.over => {}
            "control_cancel_request" => {
                let id = string(&value, "request_id");
                if self.open.remove(id).is_some() {
                    fx.withdrawn.push(id.to_owned());
                }
            }
            "control_response" => {}
            "user" if value["isReplay"] == true => {
                if value["message"]["content"].is_array() {
                    self.echo(fx);
                }
            }
            kind => {
                if kind == "assistant"
                    && let Some(plan) = value.pointer("/message/content/0/input/plan").and_then(Value::as_str)
                {
                    plan.clone_into(&mut self.plan);
                }
                self.turn.object(&value, fx);
                if let Some(outcome) = fx.done.take() {
                    self.result(outcome, fx);
                }
            }
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        if !self.over {
            self.turn.end(exit, stderr_tail, fx);
            if let Some(outcome) = fx.done.take() {
                self.finish(outcome, fx);
            }
        }
    }

    fn partial(&self) -> String {
        self.turn.partial()
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

    fn next_turn(&mut self, request: &Request, fx: &mut Effects) {
        *self = Self { interrupts: self.interrupts, ..Self::new(request) };
        self.start(fx);
    }

    fn cancel(&mut self, fx: &mut Effects) -> bool {
        if self.over {
            return false;
        }
        self.stopping = true;
        self.interrupt(fx);
        true
    }

    fn answer(&mut self, id: &str, decision: &Decision, fx: &mut Effects) {
        let Some(request) = self.open.remove(id).filter(|_| !self.stopping) else { return };
        let response = match control_requests::response(&request, decision) {
            Ok(response) => response,
            Err(why) => return self.ask(id, request, &why, fx),
        };
        respond(object!({ "subtype": "success", "request_id": id, "response": response }), fx);
        if *decision == Decision::DenyAndStop {
            self.stopping = true;
            // a tool that is refused can end the turn; a form cannot
            if control_requests::is_form(&request) {
                self.interrupt(fx);
            }
        }
    }

    fn steer(&mut self, text: &str, fx: &mut Effects) -> bool {
        if self.over || self.stopping {
            return false;
        }
        self.say(&user(vec![text_block(text)]), fx);
        true
    }
}
