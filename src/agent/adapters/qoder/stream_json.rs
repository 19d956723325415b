//! The dialect of `qodercli -p -o stream-json`: that of Claude Code, with the differences of older releases. Pure.
//!
//! Observed with 1.1.52 up to its login, and documented beyond (`tests/fixtures/qoder`).

use crate::agent::adapters::claude_code::stream_json::Claude;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, array_items, describe_tool_call, parse_typed_object, string_field,
};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, TurnRequest};
use crate::json;
use serde_json::Value;

/// One turn of Qoder.
#[derive(Debug)]
pub struct Qoder {
    claude: Claude,
    /// Calls of the old form, for their ids.
    calls: u32,
    /// The session, until the model has written something: before that it is not on disk (observed with 1.1.52 without a
    /// login).
    session: Option<AgentEvent>,
    has_spoken: bool,
}

impl Qoder {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self { claude: Claude::new(request), calls: 0, session: None, has_spoken: false }
    }

    /// A tool call of the old form: printed when it has ended, without an id, its input as text.
    fn function(&mut self, item: &Value, effects: &mut DialectEffects) {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        let input = json::parse(string_field(item, "input")).unwrap_or_default();
        let described = describe_tool_call(string_field(item, "name"), &input, &self.claude.turn.workdir);
        effects.tool(&id, described);
        effects.events.push(AgentEvent::ToolEnd { id, ok: true });
    }
}

impl Dialect for Qoder {
    fn start(&mut self, effects: &mut DialectEffects) {
        self.claude.start(effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(mut value) = parse_typed_object(line) else { return self.claude.on_line(line, effects) };
        let message = &value["message"];
        let items = array_items(&message["content"]);
        match string_field(&value, "type") {
            // A text that still grows is repeated as a whole in each line.
            "assistant" if !matches!(string_field(message, "status"), "" | "finished") => {
                effects.is_sign_of_life = true;
                return;
            }
            "assistant" => {
                items
                    .iter()
                    .filter(|item| item["type"] == "function")
                    .for_each(|item| self.function(item, effects));
            }
            "result" if value.get("result").is_none() => {
                let text: String = items.iter().map(|item| string_field(item, "text")).collect();
                value["result"] = text.into();
            }
            _ => {}
        }
        self.has_spoken |= matches!(string_field(&value, "type"), "assistant" | "stream_event")
            && value.get("error").is_none();
        self.claude.object(&value, effects);
        if let Some(at) = effects.events.iter().position(|event| matches!(event, AgentEvent::Session(_))) {
            self.session = Some(effects.events.remove(at));
        }
        if self.has_spoken {
            effects.events.extend(self.session.take());
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.claude.on_exit(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.claude.partial_text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.claude.classify(stderr_tail)
    }
}
