//! Sends further messages for a running prompt: by `_session/steering` if the agent announces it (claude-agent-acp,
//! codex-acp). Otherwise the prompt is cancelled, and the message is the next prompt. Pure.

use crate::agent::adapters::acp::dialect::{Acp, AcpStep};
use crate::agent::adapters::claude_code::stream_json::defuse;
use crate::agent::adapters::json_rpc::request;
use crate::agent::dialect::{DialectEffects, string_field};
use serde_json::{Value, json};

/// Beginning of the ids of these requests, which are answered out of order; all others have numbers.
const ID_PREFIX: &str = "steer-";

impl Acp {
    pub(super) fn send_further_message(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        match self.pending {
            _ if self.turn.ended || self.turn.cancel_sent => return false,
            Some(AcpStep::Prompt) => {}
            // The prompt is not sent yet.
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
                self.send_cancel(effects);
            }
            self.turn.further.queued.push(text.to_owned());
            return true;
        }
        self.steers += 1;
        further.sent.push((self.steers, text.to_owned()));
        let block = json!({ "type": "text", "text": defuse(text.to_owned()) });
        // An agent that has just ended the prompt returns the message.
        let idle = json!({ "steering": { "idleBehavior": "promptRequired" } });
        let params = json!({ "sessionId": self.session, "prompt": [block], "_meta": idle });
        let id = format!("{ID_PREFIX}{}", self.steers);
        effects.send(&request(id.into(), "_session/steering", params));
        true
    }

    /// Handles the response to a further message; false if it is another response.
    pub(super) fn on_steering_response(
        &mut self,
        id: &Value,
        message: &Value,
        effects: &mut DialectEffects,
    ) -> bool {
        let number =
            id.as_str().and_then(|id| id.strip_prefix(ID_PREFIX)).and_then(|n| n.parse::<u64>().ok());
        let Some(number) = number else { return false };
        let further = &mut self.turn.further;
        let Some(at) = further.sent.iter().position(|(sent, _)| *sent == number) else { return true };
        let (_, text) = further.sent.remove(at);
        // "startedNewTurn": the response of that prompt would be lost, but the agent has the message.
        if !matches!(string_field(&message["result"], "outcome"), "injected" | "startedNewTurn") {
            further.queued.push(text);
        }
        if further.sent.is_empty()
            && let Some(result) = further.held_result.take()
        {
            self.pending = Some(AcpStep::Prompt);
            self.on_prompt_response(&result, effects);
        }
        true
    }

    /// Continues the turn after the response to its prompt if further messages wait; false if the turn has ended.
    pub(super) fn continues(&mut self, result: &Value, effects: &mut DialectEffects) -> bool {
        let further = &mut self.turn.further;
        if self.turn.cancel_sent || (further.sent.is_empty() && further.queued.is_empty()) {
            return false;
        }
        if !further.sent.is_empty() {
            further.held_result = Some(result.clone());
            // Permission requests still belong to the prompt.
            self.pending = Some(AcpStep::Prompt);
            return true;
        }
        let texts = std::mem::take(&mut further.queued);
        let answer = std::mem::take(&mut self.turn.answer);
        if string_field(result, "stopReason") != "cancelled" && !answer.trim().is_empty() {
            self.turn.further.earlier.push_str(answer.trim());
            self.turn.further.earlier.push_str("\n\n");
        }
        self.turn.starts_message = true;
        self.request.images.clear();
        self.request.prompt = texts.join("\n\n");
        if string_field(result, "stopReason") == "cancelled" {
            self.request.prompt.insert_str(0, INTERRUPTED);
        }
        self.prompt(effects);
        true
    }
}

/// Without this an agent may believe that the first message is withdrawn.
const INTERRUPTED: &str =
    "(A further message has interrupted you. Go on with both, from where you were.)\n\n";
