//! Further messages for a running prompt: by `_session/steering` where the agent announces it (claude-agent-acp,
//! codex-acp), else the prompt is cancelled and the session prompted again. Pure.

use crate::agent::adapters::acp::dialect::{Acp, AcpStep};
use crate::agent::adapters::acp::json_rpc::write;
use crate::agent::adapters::claude_code::stream_json::defuse;
use crate::agent::dialect::{DialectEffects, string_field};
use serde_json::{Value, json};

/// Our requests are numbers; these have names, so that they can be answered out of order.
const NAME: &str = "steer-";

impl Acp {
    pub(super) fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        match self.pending {
            _ if self.turn.ended || self.turn.stopping => return false,
            Some(AcpStep::Prompt) => {}
            // on the way to the prompt
            Some(_) => {
                self.request.prompt.push_str("\n\n");
                self.request.prompt.push_str(text);
                return true;
            }
            None => return false,
        }
        let further = &mut self.turn.further;
        if !self.capabilities.steering {
            if further.queued.is_empty() {
                let params = json!({ "sessionId": self.session });
                write(json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params }), effects);
                self.close_asks(effects);
            }
            self.turn.further.queued.push(text.to_owned());
            return true;
        }
        self.steers += 1;
        further.sent.push((self.steers, text.to_owned()));
        let block = json!({ "type": "text", "text": defuse(text.to_owned()) });
        // an agent that has just ended leaves the message to us
        let idle = json!({ "steering": { "idleBehavior": "promptRequired" } });
        let params = json!({ "sessionId": self.session, "prompt": [block], "_meta": idle });
        let id = format!("{NAME}{}", self.steers);
        write(
            json!({ "jsonrpc": "2.0", "id": id, "method": "_session/steering", "params": params }),
            effects,
        );
        true
    }

    /// An answer to one of ours; false when it is none.
    pub(super) fn on_steering_response(
        &mut self,
        id: &Value,
        message: &Value,
        effects: &mut DialectEffects,
    ) -> bool {
        let number = id.as_str().and_then(|id| id.strip_prefix(NAME)).and_then(|n| n.parse::<u64>().ok());
        let Some(number) = number else { return false };
        let further = &mut self.turn.further;
        let Some(at) = further.sent.iter().position(|(sent, _)| *sent == number) else { return true };
        let (_, text) = further.sent.remove(at);
        // "startedNewTurn": its prompt would be answered to nobody, but the agent has the message
        if !matches!(string_field(&message["result"], "outcome"), "injected" | "startedNewTurn") {
            further.queued.push(text);
        }
        if further.sent.is_empty()
            && let Some(result) = further.held_result.take()
        {
            self.pending = Some(AcpStep::Prompt);
            self.stopped(&result, effects);
        }
        true
    }

    /// The prompt was answered, and the turn may not be over: true when it goes on.
    pub(super) fn goes_on(&mut self, result: &Value, effects: &mut DialectEffects) -> bool {
        let further = &mut self.turn.further;
        if self.turn.stopping || (further.sent.is_empty() && further.queued.is_empty()) {
            return false;
        }
        if !further.sent.is_empty() {
            further.held_result = Some(result.clone());
            // what is still asked for belongs to the prompt
            self.pending = Some(AcpStep::Prompt);
            return true;
        }
        let texts = std::mem::take(&mut further.queued);
        let answer = std::mem::take(&mut self.turn.answer);
        if string_field(result, "stopReason") != "cancelled" && !answer.trim().is_empty() {
            self.turn.further.earlier.push_str(answer.trim());
            self.turn.further.earlier.push_str("\n\n");
        }
        self.turn.broken = true;
        self.request.images.clear();
        self.request.prompt = texts.join("\n\n");
        if string_field(result, "stopReason") == "cancelled" {
            self.request.prompt.insert_str(0, INTERRUPTED);
        }
        self.prompt(effects);
        true
    }
}

/// Else an agent may take the first message for withdrawn.
const INTERRUPTED: &str =
    "(A further message has interrupted you. Go on with both, from where you were.)\n\n";
