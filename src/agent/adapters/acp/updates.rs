//! The notifications of an ACP agent while it works, and the end of its turn. Pure.

use crate::agent::adapters::acp::dialect::{Acp, AcpStep};
use crate::agent::adapters::acp::{failure, quirks, usage};
use crate::agent::classify;
use crate::agent::dialect::{DialectEffects, array_items, completed_outcome, failed_outcome, string_field};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, Usage};
use serde_json::{Value, json};

/// Slash commands that are kept: nobody reads more in an answer.
const MAX_COMMANDS: usize = 64;

/// Bytes of the longest answer. Of a longer one the end is kept, which says most.
const MAX_ANSWER: usize = 1 << 20;

impl Acp {
    /// Handles a `session/update`. Before the prompt it can only be a replay or a setting.
    pub(super) fn update(&mut self, update: &mut Value, effects: &mut DialectEffects) {
        let kind = string_field(update, "sessionUpdate").to_owned();
        if kind == "available_commands_update" {
            self.commands.clear();
            let names = array_items(&update["availableCommands"])
                .iter()
                .map(|row| string_field(row, "name").to_owned());
            self.commands.extend(names.take(MAX_COMMANDS));
        }
        match kind.as_str() {
            "config_option_update" => self.options.update(update),
            "current_mode_update" => self.options.set_current_mode(string_field(update, "currentModeId")),
            "available_commands_update" if self.waits_for_commands && !self.commands.is_empty() => {
                self.prompt(effects);
            }
            "available_commands_update" if self.replaying => {
                self.replaying = false;
                self.choose(AcpStep::Mode, effects);
            }
            _ if self.pending != Some(AcpStep::Prompt) => {}
            "agent_message_chunk" => self.text(update, effects),
            "agent_thought_chunk" => {
                let text = string_field(&update["content"], "text");
                if !text.trim().is_empty() {
                    effects.thought(text);
                }
            }
            "tool_call" | "tool_call_update" => {
                self.turn.starts_message |= kind == "tool_call";
                self.turn.tools.update(update, false, effects);
                if matches!(string_field(update, "status"), "completed" | "failed") {
                    let call = string_field(update, "toolCallId").to_owned();
                    self.withdraw(|open| open.tool_call == call, effects);
                }
            }
            "session_info_update" => {
                self.turn.system_error |=
                    string_field(&update["_meta"]["codex"]["threadStatus"], "type") == "systemError";
            }
            _ => {}
        }
    }

    fn text(&mut self, update: &Value, effects: &mut DialectEffects) {
        let text = string_field(&update["content"], "text");
        if text.is_empty() || quirks::NOISE.iter().any(|noise| text.starts_with(noise)) {
            return;
        }
        let turn = &mut self.turn;
        let id = string_field(update, "messageId");
        let is_another_message = (id != turn.message_id || turn.works_on) && !turn.answer.is_empty();
        id.clone_into(&mut turn.message_id);
        if std::mem::take(&mut turn.starts_message) {
            turn.answer.clear();
            turn.said.push_message(text);
        } else if is_another_message {
            turn.answer.push_str("\n\n");
            turn.said.push_message(text);
        } else {
            turn.said.push_delta(text);
        }
        turn.answer.push_str(text);
        if turn.answer.len() > MAX_ANSWER {
            let mut cut = turn.answer.len() - MAX_ANSWER / 2;
            while !turn.answer.is_char_boundary(cut) {
                cut += 1;
            }
            turn.answer.drain(..cut);
        }
        effects.events.push(AgentEvent::Text(text.to_owned()));
        if std::mem::take(&mut self.turn.works_on) {
            self.pending = None;
            self.on_prompt_response(&json!({ "stopReason": "end_turn" }), effects);
        }
    }

    /// Handles the response to the prompt.
    pub(super) fn on_prompt_response(&mut self, result: &Value, effects: &mut DialectEffects) {
        self.turn.usage = Usage::sum(self.turn.usage, usage::of(result));
        if self.continues(result, effects) {
            return;
        }
        let (answer, beginning) = (&self.turn.answer, self.quirks.works_on);
        if !beginning.is_empty() && answer.strip_prefix(beginning).is_some_and(|rest| !rest.contains('\n')) {
            // The agent works on after the response.
            (self.turn.works_on, self.pending) = (true, Some(AcpStep::Prompt));
            return;
        }
        effects.usage = self.turn.usage.take();
        let answer = std::mem::take(&mut self.turn.answer);
        let partial = self.turn.said.text();
        let why = string_field(result, "stopReason");
        if why == "cancelled" && self.turn.cancel_sent {
            return self.finish(AgentOutcome::Cancelled { partial }, effects);
        }
        if self.turn.system_error {
            let reason = classify::provider_failure(&answer, self.resumed);
            let partial = partial.strip_suffix(answer.trim()).unwrap_or_default();
            return self.finish(failed_outcome(reason, &answer, partial.trim().to_owned()), effects);
        }
        if let Some((reason, words)) = failure::stopped(why) {
            return self.fail(reason, words, effects);
        }
        let outcome = match (answer.trim(), self.turn.denied.as_str()) {
            // Somebody else has cancelled it. After a denied request it is not a failure: codex-acp ends the turn then.
            (_, "") if why == "cancelled" => failed_outcome(Reason::Killed(2), "", partial),
            ("", _) if self.turn.tools.worked => completed_outcome("", true, "", partial),
            ("", "") => failed_outcome(Reason::NoOutput, self.quirks.hint, partial),
            ("", denied) => {
                let words = format!("it could not go on without this: {denied}");
                failed_outcome(Reason::RefusedByPolicy, &words, partial)
            }
            _ => AgentOutcome::Done([&self.turn.further.earlier, answer.as_str()].concat()),
        };
        if self.quirks.late_session && matches!(outcome, AgentOutcome::Done(_)) {
            effects.events.push(AgentEvent::Session(self.session.clone()));
        }
        self.finish(outcome, effects);
    }
}
