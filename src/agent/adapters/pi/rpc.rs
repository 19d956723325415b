//! The two-way dialect: `pi --mode rpc`, which accepts further messages while it works (observed with 0.87.1 and 0.73.1:
//! `tests/fixtures/pi-rpc`). One process per turn. Pure.
//!
//! Pi repeats a user message when it passes it to the model, which shows which further messages went into the turn. A
//! message that came too late for it is sent again. A slash command (template, skill, extension) is sent if pi lists it;
//! only commands of extensions may end without text.

use crate::agent::adapters::pi::json_mode::Pi;
use crate::agent::dialect::{Dialect, DialectEffects, Exit, array_items, parse_typed_object, string_field};
use crate::agent::one_shot::naming;
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{PromptImage, TurnRequest, slash_commands};
use serde_json::{Value, json};

/// Request ids: the session, the turn itself, a further message, whether pi is idle, the list of commands.
const STATE: &str = "state";
const TURN: &str = "turn";
const MORE: &str = "more";
const IDLE: &str = "rest";
const LIST: &str = "list";

/// Beginnings of its errors when there is nothing to compact.
const NOTHING_TO_COMPACT: &[&str] = &["Nothing to compact", "Already compacted"];

/// One turn of pi.
#[derive(Debug)]
pub struct PiRpc {
    /// Reads the lines of the turn.
    reader: Pi,
    images: Vec<PromptImage>,
    /// Whether the prompt is the command `/compact`.
    is_compaction: bool,
    /// Another slash command, until pi has listed its commands.
    command: String,
    /// Whether the command may end without text.
    may_be_silent: bool,
    /// User messages that pi has not passed to the model yet, oldest first.
    unsent: Vec<String>,
    /// Answers that were followed by another message.
    earlier: String,
    /// Whether pi works, or will continue by itself.
    is_busy: bool,
    cancel_sent: bool,
    ended: bool,
}

impl PiRpc {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            reader: Pi::new(request),
            images: request.images.clone(),
            is_compaction: request.is_slash_command
                && request.prompt.split_whitespace().next() == Some("/compact"),
            command: if request.is_slash_command { request.prompt.clone() } else { String::new() },
            may_be_silent: false,
            unsent: Vec::new(),
            earlier: String::new(),
            is_busy: false,
            cancel_sent: false,
            ended: false,
        }
    }

    fn prompt(&mut self, id: &str, text: String, images: Vec<Value>, effects: &mut DialectEffects) {
        // Otherwise a leading slash would name a command or a template.
        let text = if text.starts_with('/') { format!(" {text}") } else { text };
        send_prompt(id, &text, images, effects);
        self.unsent.push(text);
    }

    /// Sends the slash command if pi lists it. Older releases refuse the request for the list, and have no commands.
    fn on_command_list(&mut self, data: &Value, effects: &mut DialectEffects) {
        let command = std::mem::take(&mut self.command);
        let name = command.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
        let mut known = vec!["compact".to_owned()];
        for row in array_items(&data["commands"]) {
            if string_field(row, "name") == name {
                self.may_be_silent = string_field(row, "source") == "extension";
                return send_prompt(TURN, &command, Vec::new(), effects);
            }
            known.push(string_field(row, "name").to_owned());
        }
        self.reader.turn.done(&slash_commands::unknown_command_text(name, &known), effects);
    }

    /// Handles the response to a request of the connector.
    fn on_response(&mut self, value: &Value, effects: &mut DialectEffects) {
        let data = &value["data"];
        match (string_field(value, "id"), value["success"] == true) {
            (STATE, true) => string_field(data, "sessionId").clone_into(&mut self.reader.session),
            (LIST, _) => self.on_command_list(data, effects),
            (TURN, true) if self.may_be_silent && !self.is_busy => self.on_idle(false, effects),
            // The session reports the end in the language of the chat.
            (TURN, true) if self.is_compaction => self.reader.turn.done("", effects),
            (TURN, false) => match string_field(value, "error") {
                // Not a failure: "Nothing to compact (session too small)".
                words
                    if self.is_compaction
                        && NOTHING_TO_COMPACT.iter().any(|error| words.starts_with(error)) =>
                {
                    self.reader.turn.done(words, effects);
                }
                words => self.reader.turn.failed(words, effects),
            },
            // This request follows the further messages, so pi has read them.
            (IDLE, _) if !self.is_busy && data["isStreaming"] != true => {
                match std::mem::take(&mut self.unsent) {
                    unsent if unsent.is_empty() || self.cancel_sent => self.reader.settle(effects),
                    unsent => self.prompt(TURN, unsent.join("\n\n"), Vec::new(), effects),
                }
            }
            _ => {}
        }
    }

    /// Pi reports that it is idle; `is_final`: it will not retry by itself.
    fn on_idle(&mut self, is_final: bool, effects: &mut DialectEffects) {
        self.is_busy = false;
        if is_final && self.unsent.is_empty() {
            self.reader.settle(effects);
        } else {
            effects.send(&json!({ "id": IDLE, "type": "get_state" }));
        }
    }

    /// Pi passes a user message to the model.
    fn on_user_message(&mut self) {
        if !self.unsent.is_empty() {
            self.unsent.remove(0);
        }
        if !self.reader.answer.is_empty() {
            self.earlier.push_str(self.reader.answer.trim());
            self.earlier.push_str("\n\n");
            self.reader.answer.clear();
        }
    }

    /// Completes the outcome of the reader, if there is one.
    fn conclude(&mut self, effects: &mut DialectEffects) {
        let Some(outcome) = effects.outcome.take() else { return };
        self.ended = true;
        effects.outcome = Some(match outcome {
            AgentOutcome::Failed { partial, .. } if self.cancel_sent => AgentOutcome::Cancelled { partial },
            AgentOutcome::Done(text) => AgentOutcome::Done([self.earlier.as_str(), &text].concat()),
            other => other,
        });
    }
}

fn send_prompt(id: &str, text: &str, images: Vec<Value>, effects: &mut DialectEffects) {
    let mut request = json!({ "id": id, "type": "prompt", "message": text, "images": images });
    request["streamingBehavior"] = "steer".into();
    effects.send(&request);
}

impl Dialect for PiRpc {
    fn start(&mut self, effects: &mut DialectEffects) {
        let mut first = DialectEffects::default();
        self.reader.start(&mut first);
        let (Some(prompt), None) = (first.stdin.pop(), &first.outcome) else {
            effects.outcome = first.outcome;
            return self.conclude(effects);
        };
        effects.send(&json!({ "id": STATE, "type": "get_state" }));
        if self.is_compaction {
            let instructions = prompt.split_once(char::is_whitespace).map_or("", |(_, words)| words.trim());
            let mut compact = json!({ "id": TURN, "type": "compact" });
            if !instructions.is_empty() {
                compact["customInstructions"] = instructions.into();
            }
            return effects.send(&compact);
        }
        if !self.command.is_empty() {
            return effects.send(&json!({ "id": LIST, "type": "get_commands" }));
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
        let Some(value) = parse_typed_object(line) else { return self.reader.turn.stray.line(line, effects) };
        if self.ended {
            return;
        }
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            "response" => self.on_response(&value, effects),
            // A dialog of an extension, which nobody can answer.
            "extension_ui_request" => {
                let id = string_field(&value, "id");
                effects.send(&json!({ "type": "extension_ui_response", "id": id, "cancelled": true }));
            }
            "message_start" if value["message"]["role"] == "user" => self.on_user_message(),
            "agent_settled" => self.on_idle(true, effects),
            // The end in 0.73, unless pi retries; newer releases add `willRetry`, and print `agent_settled`.
            "agent_end" if value["willRetry"].is_null() => {
                self.on_idle(self.reader.turn.complaint.is_empty(), effects)
            }
            kind => {
                self.is_busy |= matches!(kind, "agent_start" | "auto_retry_start");
                self.reader.object(&value, effects);
            }
        }
        self.conclude(effects);
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if !self.ended {
            self.reader.turn.exited_with_any_code(exit, stderr_tail, effects);
            self.conclude(effects);
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

    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        if self.ended || self.is_compaction {
            return false;
        }
        self.cancel_sent = true;
        effects.send(&json!({ "type": "abort" }));
        true
    }

    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        if self.ended || self.cancel_sent || self.is_compaction || !self.command.is_empty() {
            return false;
        }
        self.prompt(MORE, text.to_owned(), Vec::new(), effects);
        true
    }
}
