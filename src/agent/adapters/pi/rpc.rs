//! The two-way form: `pi --mode rpc`, which takes further messages while it works (observed with 0.87.1 and 0.73.1;
//! agents B 3). One process per turn. Pure.
//!
//! It repeats a message of the user when the model gets it: so we know which further ones went into the turn. One that
//! came too late for it is asked again. A slash command of its user's (template, skill, extension) is sent when it is in
//! its list; only the ones of extensions may do their work without a word.

use crate::agent::adapters::pi::json_mode::Pi;
use crate::agent::dialect::{Dialect, DialectEffects, Exit, array_items, parse_typed_object, string_field};
use crate::agent::one_shot::naming;
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{PromptImage, TurnRequest, adapter, slash_commands};
use serde_json::{Value, json};

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
    images: Vec<PromptImage>,
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
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            turn: Pi::new(request),
            images: request.images.clone(),
            compact: request.is_slash_command && request.prompt.split_whitespace().next() == Some("/compact"),
            command: if request.is_slash_command { request.prompt.clone() } else { String::new() },
            silent: false,
            due: Vec::new(),
            earlier: String::new(),
            busy: false,
            stopping: false,
            over: false,
        }
    }

    fn prompt(&mut self, id: &str, text: String, images: Vec<Value>, effects: &mut DialectEffects) {
        // A word behind a slash would be a command or a template of its own.
        let text = if text.starts_with('/') { format!(" {text}") } else { text };
        ask(id, &text, images, effects);
        self.due.push(text);
    }

    /// Its list of commands has come; it has none of its own where it cannot be asked.
    fn listed(&mut self, data: &Value, effects: &mut DialectEffects) {
        let command = std::mem::take(&mut self.command);
        let name = command.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
        let mut known = vec!["compact".to_owned()];
        for row in array_items(&data["commands"]) {
            if string_field(row, "name") == name {
                self.silent = string_field(row, "source") == "extension";
                return ask(TURN, &command, Vec::new(), effects);
            }
            known.push(string_field(row, "name").to_owned());
        }
        self.turn.core.done(&slash_commands::unknown_command_text(name, &known), effects);
    }

    /// What has been asked is answered.
    fn response(&mut self, value: &Value, effects: &mut DialectEffects) {
        let data = &value["data"];
        match (string_field(value, "id"), value["success"] == true) {
            (STATE, true) if adapter::is_plain_id(string_field(data, "sessionId")) => {
                string_field(data, "sessionId").clone_into(&mut self.turn.id);
            }
            (LIST, _) => self.listed(data, effects),
            (TURN, true) if self.silent && !self.busy => self.rests(false, effects),
            // The session says in the language of the chat that it is done.
            (TURN, true) if self.compact => self.turn.core.done("", effects),
            (TURN, false) => match string_field(value, "error") {
                // No fault of anybody's: "Nothing to compact (session too small)".
                words if self.compact && NO_NEED.iter().any(|need| words.starts_with(need)) => {
                    self.turn.core.done(words, effects);
                }
                words => self.turn.core.failed(words, effects),
            },
            // It is asked behind the further messages, so they have been heard.
            (REST, _) if !self.busy && data["isStreaming"] != true => match std::mem::take(&mut self.due) {
                due if due.is_empty() || self.stopping => self.turn.settle(effects),
                due => self.prompt(TURN, due.join("\n\n"), Vec::new(), effects),
            },
            _ => {}
        }
    }

    /// It says that it rests; `surely`: it will not try again by itself.
    fn rests(&mut self, surely: bool, effects: &mut DialectEffects) {
        self.busy = false;
        if surely && self.due.is_empty() {
            self.turn.settle(effects);
        } else {
            write(&json!({ "id": REST, "type": "get_state" }), effects);
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
    fn conclude(&mut self, effects: &mut DialectEffects) {
        let Some(outcome) = effects.outcome.take() else { return };
        self.over = true;
        effects.outcome = Some(match outcome {
            AgentOutcome::Failed { partial, .. } if self.stopping => AgentOutcome::Cancelled { partial },
            AgentOutcome::Done(text) => AgentOutcome::Done([self.earlier.as_str(), &text].concat()),
            other => other,
        });
    }
}

fn ask(id: &str, text: &str, images: Vec<Value>, effects: &mut DialectEffects) {
    let how = "steer";
    write(
        &json!({ "id": id, "type": "prompt", "message": text, "images": Value::Array(images), "streamingBehavior": how }),
        effects,
    );
}

fn write(message: &Value, effects: &mut DialectEffects) {
    effects.stdin.push(message.to_string() + "\n");
}

impl Dialect for Rpc {
    fn start(&mut self, effects: &mut DialectEffects) {
        let mut first = DialectEffects::default();
        self.turn.start(&mut first);
        let (Some(prompt), None) = (first.stdin.pop(), &first.outcome) else {
            effects.outcome = first.outcome;
            return self.conclude(effects);
        };
        write(&json!({ "id": STATE, "type": "get_state" }), effects);
        if self.compact {
            let about = prompt.split_once(char::is_whitespace).map_or("", |(_, words)| words.trim());
            let mut compact = json!({ "id": TURN, "type": "compact" });
            if !about.is_empty() {
                compact["customInstructions"] = about.into();
            }
            return write(&compact, effects);
        }
        if !self.command.is_empty() {
            return write(&json!({ "id": LIST, "type": "get_commands" }), effects);
        }
        let (data, unread): (Vec<PromptImage>, Vec<PromptImage>) =
            std::mem::take(&mut self.images).into_iter().partition(|image| image.data.is_some());
        let mut images = Vec::new();
        for PromptImage { media_type, data, .. } in data {
            images.push(json!({ "type": "image", "data": data, "mimeType": media_type }));
        }
        self.prompt(TURN, naming(&prompt, &unread), images, effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.turn.core.stray.line(line, effects) };
        if self.over {
            return;
        }
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            "response" => self.response(&value, effects),
            // A window of an extension; nobody is there to answer.
            "extension_ui_request" => {
                let id = string_field(&value, "id");
                write(&json!({ "type": "extension_ui_response", "id": id, "cancelled": true }), effects);
            }
            "message_start" if value["message"]["role"] == "user" => self.given(),
            "agent_settled" => self.rests(true, effects),
            // The end of 0.73, unless it tries again; newer ones say more (`willRetry`), and settle.
            "agent_end" if value["willRetry"].is_null() => {
                self.rests(self.turn.core.complaint.is_empty(), effects)
            }
            kind => {
                self.busy |= matches!(kind, "agent_start" | "auto_retry_start");
                self.turn.object(&value, effects);
            }
        }
        self.conclude(effects);
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if !self.over {
            self.turn.core.end(exit, stderr_tail, effects);
            self.conclude(effects);
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

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.over || self.compact {
            return false;
        }
        self.stopping = true;
        write(&json!({ "type": "abort" }), effects);
        true
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        if self.over || self.stopping || self.compact || !self.command.is_empty() {
            return false;
        }
        self.prompt(MORE, text.to_owned(), Vec::new(), effects);
        true
    }
}
