//! The two-way form: `pi --mode rpc`, which takes further messages while it works (observed with 0.87.1 and 0.73.1;
//! agents B 3). One process per turn. Pure.
//!
//! It repeats a message of the user when the model gets it: so we know which further ones went into the turn. One that
//! came too late for it is asked again. A slash command of its user's (template, skill, extension) is sent when it is in
//! its list; only the ones of extensions may do their work without a word.

use crate::agent::adapters::pi::json_mode::Pi;
use crate::agent::dialect::{Dialect, Effects, Exit, items, object, string};
use crate::agent::one_shot::naming;
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::{Image, Request, adapter, slash_commands};
use crate::json::object;
use serde_json::Value;

/// Our names for what we ask: the session, the turn itself, a further message, whether it rests.
const STATE: &str = "state";
const TURN: &str = "turn";
const MORE: &str = "more";
const REST: &str = "rest";
const LIST: &str = "list";

/// What it says when there is no need to compact.
const NO_NEED: &[&str] = &["Nothing to compact", "Already compacted"];

/// One turn of pi.
#[derive(Debug)]
pub struct Rpc {
    turn: Pi,
    images: Vec<Image>,
    /// The prompt is the command `/compact`.
    compact: bool,
    /// The prompt is another command, to be sent when it is in the list; then whether it may end without a word.
    command: String,
    silent: bool,
    /// Messages of the user that the model has not been given yet, oldest first.
    due: Vec<String>,
    /// Answers that were followed by another message.
    earlier: String,
    /// It works, or will go on by itself.
    busy: bool,
    stopping: bool,
    over: bool,
}

impl Rpc {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        Self {
            turn: Pi::new(request),
            images: request.images.clone(),
            compact: request.slash && request.prompt.split_whitespace().next() == Some("/compact"),
            command: if request.slash { request.prompt.clone() } else { String::new() },
            silent: false,
            due: Vec::new(),
            earlier: String::new(),
            busy: false,
            stopping: false,
            over: false,
        }
    }

    fn prompt(&mut self, id: &str, text: String, images: Vec<Value>, fx: &mut Effects) {
        // A word behind a slash would be a command or a template of its own.
        let text = if text.starts_with('/') { format!(" {text}") } else { text };
        ask(id, &text, images, fx);
        self.due.push(text);
    }

    /// Its list of commands has come; it has none of its own where it cannot be asked.
    fn listed(&mut self, data: &Value, fx: &mut Effects) {
        let command = std::mem::take(&mut self.command);
        let name = command.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
        let mut known = vec!["compact".to_owned()];
        for row in items(&data["commands"]) {
            if string(row, "name") == name {
                self.silent = string(row, "source") == "extension";
                return ask(TURN, &command, Vec::new(), fx);
            }
            known.push(string(row, "name").to_owned());
        }
        self.turn.core.done(&slash_commands::unknown(name, &known), fx);
    }

    /// What has been asked is answered.
    fn response(&mut self, value: &Value, fx: &mut Effects) {
        let data = &value["data"];
        match (string(value, "id"), value["success"] == true) {
            (STATE, true) if adapter::is_plain_id(string(data, "sessionId")) => {
                string(data, "sessionId").clone_into(&mut self.turn.id);
            }
            (LIST, _) => self.listed(data, fx),
            (TURN, true) if self.silent && !self.busy => self.rests(false, fx),
            // The session says in the language of the chat that it is done.
            (TURN, true) if self.compact => self.turn.core.done("", fx),
            (TURN, false) => match string(value, "error") {
                // No fault of anybody's: "Nothing to compact (session too small)".
                words if self.compact && NO_NEED.iter().any(|need| words.starts_with(need)) => {
                    self.turn.core.done(words, fx);
                }
                words => self.turn.core.failed(words, fx),
            },
            // It is asked behind the further messages, so they have been heard.
            (REST, _) if !self.busy && data["isStreaming"] != true => match std::mem::take(&mut self.due) {
                due if due.is_empty() || self.stopping => self.turn.settle(fx),
                due => self.prompt(TURN, due.join("\n\n"), Vec::new(), fx),
            },
            _ => {}
        }
    }

    /// It says that it rests; `surely`: it will not try again by itself.
    fn rests(&mut self, surely: bool, fx: &mut Effects) {
        self.busy = false;
        if surely && self.due.is_empty() {
            self.turn.settle(fx);
        } else {
            write(&object!({ "id": REST, "type": "get_state" }), fx);
        }
    }

    /// The model gets a message of the user.
    fn given(&mut self) {
        if !self.due.is_empty() {
            self.due.remove(0);
        }
        if !self.turn.answer.is_empty() {
            self.earlier.push_str(self.turn.answer.trim());
            self.earlier.push_str("\n\n");
            self.turn.answer.clear();
        }
    }

    /// Looks at a verdict of the reader.
    fn conclude(&mut self, fx: &mut Effects) {
        let Some(outcome) = fx.done.take() else { return };
        self.over = true;
        fx.done = Some(match outcome {
            Outcome::Failed { partial, .. } if self.stopping => Outcome::Cancelled { partial },
            Outcome::Done(text) => Outcome::Done([self.earlier.as_str(), &text].concat()),
            other => other,
        });
    }
}

fn ask(id: &str, text: &str, images: Vec<Value>, fx: &mut Effects) {
    let how = "steer";
    write(
        &object!({ "id": id, "type": "prompt", "message": text, "images": Value::Array(images), "streamingBehavior": how }),
        fx,
    );
}

fn write(message: &Value, fx: &mut Effects) {
    fx.stdin.push(message.to_string() + "\n");
}

impl Dialect for Rpc {
    fn start(&mut self, fx: &mut Effects) {
        let mut first = Effects::default();
        self.turn.start(&mut first);
        let (Some(prompt), None) = (first.stdin.pop(), &first.done) else {
            fx.done = first.done;
            return self.conclude(fx);
        };
        write(&object!({ "id": STATE, "type": "get_state" }), fx);
        if self.compact {
            let about = prompt.split_once(char::is_whitespace).map_or("", |(_, words)| words.trim());
            let mut compact = object!({ "id": TURN, "type": "compact" });
            if !about.is_empty() {
                compact["customInstructions"] = about.into();
            }
            return write(&compact, fx);
        }
        if !self.command.is_empty() {
            return write(&object!({ "id": LIST, "type": "get_commands" }), fx);
        }
        let (data, unread): (Vec<Image>, Vec<Image>) =
            std::mem::take(&mut self.images).into_iter().partition(|image| image.data.is_some());
        let mut images = Vec::new();
        for Image { media_type, data, .. } in data {
            images.push(object!({ "type": "image", "data": data, "mimeType": media_type }));
        }
        self.prompt(TURN, naming(&prompt, &unread), images, fx);
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(value) = object(line) else { return self.turn.core.stray.line(line, fx) };
        if self.over {
            return;
        }
        fx.alive = true;
        match string(&value, "type") {
            "response" => self.response(&value, fx),
            // A window of an extension; nobody is there to answer.
            "extension_ui_request" => {
                let id = string(&value, "id");
                write(&object!({ "type": "extension_ui_response", "id": id, "cancelled": true }), fx);
            }
            "message_start" if value["message"]["role"] == "user" => self.given(),
            "agent_settled" => self.rests(true, fx),
            // The end of 0.73, unless it tries again; newer ones say more (`willRetry`), and settle.
            "agent_end" if value["willRetry"].is_null() => {
                self.rests(self.turn.core.complaint.is_empty(), fx)
            }
            kind => {
                self.busy |= matches!(kind, "agent_start" | "auto_retry_start");
                self.turn.object(&value, fx);
            }
        }
        self.conclude(fx);
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        if !self.over {
            self.turn.core.end(exit, stderr_tail, fx);
            self.conclude(fx);
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

    fn cancel(&mut self, fx: &mut Effects) -> bool {
        if self.over || self.compact {
            return false;
        }
        self.stopping = true;
        write(&object!({ "type": "abort" }), fx);
        true
    }

    fn steer(&mut self, text: &str, fx: &mut Effects) -> bool {
        if self.over || self.stopping || self.compact || !self.command.is_empty() {
            return false;
        }
        self.prompt(MORE, text.to_owned(), Vec::new(), fx);
        true
    }
}
