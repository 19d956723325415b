//! The steps from a new process to a running prompt: initialize, log in, open the session, set mode, model and effort. Pure.

use crate::agent::adapters::acp::dialect::{Acp, AcpStep};
use crate::agent::adapters::acp::session_options::OptionChange;
use crate::agent::adapters::acp::{failure, quirks};
use crate::agent::adapters::claude_code::stream_json::defuse;
use crate::agent::adapters::json_rpc::take_member;
use crate::agent::dialect::{DialectEffects, array_items, failed_outcome, one_line_title, string_field};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, PromptImage, classify, slash_commands};
use serde_json::{Value, json};

/// The version of the protocol. Agents also agree to unknown higher versions, so none is tried.
const VERSION: u64 = 1;

/// Bytes of the longest session id that is accepted; agents use words and UUIDs.
const MAX_SESSION: usize = 256;

impl Acp {
    /// Announces neither files nor terminals: agents use the disk themselves.
    pub(super) fn initialize(&mut self, effects: &mut DialectEffects) {
        let files = json!({ "readTextFile": false, "writeTextFile": false });
        let forms = json!({ "form": {} });
        let params = json!({
            "protocolVersion": VERSION,
            "clientCapabilities": { "fs": files, "terminal": false, "elicitation": forms },
            "clientInfo": { "name": "wtt-connect", "version": env!("CARGO_PKG_VERSION") },
        });
        self.send(AcpStep::Initialize, "initialize", params, effects);
    }

    /// Opens the session of the turn, or a new one.
    pub(super) fn open_session(&mut self, effects: &mut DialectEffects) {
        let id = self.request.resume.clone().unwrap_or_default();
        let (step, method) = match id.as_str() {
            "" => (AcpStep::New, "session/new"),
            _ if self.capabilities.resume => (AcpStep::Resume, "session/resume"),
            _ if self.capabilities.load => (AcpStep::Load, "session/load"),
            _ => {
                return self.fail(Reason::StaleSession, "this agent cannot resume a session", effects);
            }
        };
        self.session.clone_from(&id);
        self.resumed = step != AcpStep::New;
        let cwd = self.request.workdir.to_string_lossy();
        let no_servers: [&str; 0] = [];
        let mut params = json!({ "cwd": &*cwd, "mcpServers": no_servers });
        if self.resumed {
            params["sessionId"] = id.into();
        }
        self.send(step, method, params, effects);
        if step == AcpStep::Load && self.quirks.once_a_minute {
            effects.delayed_stdin = effects.stdin.pop();
        }
    }

    /// Handles the response to a request of the connector.
    pub(super) fn on_response(&mut self, step: AcpStep, message: &mut Value, effects: &mut DialectEffects) {
        let error = take_member(message, "error");
        let mut result = take_member(message, "result");
        if !error.is_null() {
            return self.on_error(step, &error, effects);
        }
        if matches!(step, AcpStep::Mode | AcpStep::Model | AcpStep::Effort) {
            self.options.apply_pending();
        }
        self.options.update(&mut result);
        match step {
            AcpStep::Initialize => self.on_initialized(&mut result, effects),
            AcpStep::Login => self.open_session(effects),
            AcpStep::New | AcpStep::Resume | AcpStep::Load => self.on_session_opened(step, &result, effects),
            AcpStep::Mode => self.choose(AcpStep::Model, effects),
            AcpStep::Model => self.choose(AcpStep::Effort, effects),
            AcpStep::Effort => self.prompt(effects),
            AcpStep::Prompt => self.on_prompt_response(&result, effects),
        }
    }

    fn on_initialized(&mut self, result: &mut Value, effects: &mut DialectEffects) {
        let version = result.get("protocolVersion").and_then(Value::as_u64).unwrap_or(VERSION);
        if version != VERSION {
            let words =
                format!("it speaks version {version} of ACP, and the connector speaks version {VERSION}");
            return self.fail(Reason::CliUnsupported, &words, effects);
        }
        self.quirks = quirks::of(string_field(&result["agentInfo"], "name"));
        let announced = &result["agentCapabilities"];
        self.capabilities.load = announced["loadSession"] == true;
        self.capabilities.resume = announced["sessionCapabilities"]["resume"].is_object();
        self.capabilities.steering = result["_meta"]["steering"]["supported"] == true;
        self.capabilities.image = announced["promptCapabilities"]["image"] == true;
        let unattended = array_items(&result["authMethods"]).iter().find(|method| {
            string_field(method, "type") == "env_var"
                || quirks::UNATTENDED.contains(&string_field(method, "id"))
        });
        self.capabilities.login = unattended.map(|method| string_field(method, "id").to_owned());
        self.open_session(effects);
    }

    fn on_session_opened(&mut self, step: AcpStep, result: &Value, effects: &mut DialectEffects) {
        if step == AcpStep::New {
            let id = string_field(result, "sessionId");
            if id.is_empty() || id.len() > MAX_SESSION {
                return self.fail(Reason::CliUnsupported, "it did not send a usable session id", effects);
            }
            id.clone_into(&mut self.session);
        }
        if !self.quirks.late_session || self.resumed {
            effects.events.push(AgentEvent::Session(self.session.clone()));
        }
        self.replaying = step == AcpStep::Load && self.quirks.replays_late;
        if !self.replaying {
            self.choose(AcpStep::Mode, effects);
        }
    }

    /// Sets mode, model and effort, from this step on, then sends the prompt.
    pub(super) fn choose(&mut self, from: AcpStep, effects: &mut DialectEffects) {
        for step in [AcpStep::Mode, AcpStep::Model, AcpStep::Effort] {
            let effort = self.request.effort.as_deref().unwrap_or_default();
            let model = self.request.model.as_deref().filter(|_| !self.model_by_flag);
            let change = match step {
                AcpStep::Mode if from == AcpStep::Mode => {
                    self.options.mode(self.quirks.modes(self.request.mode), self.request.can_ask())
                }
                AcpStep::Model if from != AcpStep::Effort => {
                    model.map_or(OptionChange::None, |m| self.options.model(m, effort))
                }
                AcpStep::Effort if !effort.is_empty() => self.options.effort(effort),
                _ => OptionChange::None,
            };
            match change {
                OptionChange::None => {}
                OptionChange::Set(method, mut params) => {
                    self.options.set_pending(&params);
                    params["sessionId"] = self.session.as_str().into();
                    return self.send(step, method, params, effects);
                }
                OptionChange::Refused(why) => return self.fail(Reason::RefusedByPolicy, &why, effects),
            }
        }
        self.prompt(effects);
    }

    pub(super) fn prompt(&mut self, effects: &mut DialectEffects) {
        let unlisted = self.quirks.unlisted;
        self.waits_for_commands =
            self.request.is_slash_command && self.commands.is_empty() && !unlisted.is_empty();
        if self.waits_for_commands {
            return;
        }
        let mut text = defuse(std::mem::take(&mut self.request.prompt));
        if std::mem::take(&mut self.request.is_slash_command) {
            text = text.trim_start().to_owned();
            let name = text.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
            let is_known = name == unlisted || self.commands.iter().any(|known| known == name);
            if !self.commands.is_empty() && !is_known {
                let answer = slash_commands::unknown_command_text(name, &self.commands);
                return self.finish(AgentOutcome::Done(answer), effects);
            }
        }
        let mut blocks = vec![Value::Null];
        for image in &self.request.images {
            match image {
                PromptImage { data: Some(data), media_type, .. } if self.capabilities.image => {
                    blocks.push(json!({ "type": "image", "mimeType": media_type, "data": data }));
                }
                PromptImage { path, .. } => text.push_str(&format!("\n\nImage: {}", path.display())),
            }
        }
        blocks[0] = json!({ "type": "text", "text": text });
        let params = json!({ "sessionId": self.session, "prompt": blocks });
        self.send(AcpStep::Prompt, "session/prompt", params, effects);
        effects.events.push(AgentEvent::Started);
    }

    /// Handles an error response to a request of the connector.
    fn on_error(&mut self, step: AcpStep, error: &Value, effects: &mut DialectEffects) {
        let words = failure::words(error).to_owned();
        let reason = failure::reason(error, matches!(step, AcpStep::Resume | AcpStep::Load), self.resumed);
        match step {
            AcpStep::New | AcpStep::Resume | AcpStep::Load if error["code"] == failure::NEEDS_LOGIN => {
                match self.capabilities.login.take() {
                    Some(method) => {
                        self.send(AcpStep::Login, "authenticate", json!({ "methodId": method }), effects)
                    }
                    None => self.fail(Reason::NotLoggedIn, &words, effects),
                }
            }
            AcpStep::Login => self.fail(Reason::NotLoggedIn, &words, effects),
            // The mode only avoids permission requests; without it each of them is allowed.
            AcpStep::Mode if !self.request.can_ask() => {
                effects.note(&one_line_title(&format!("the mode could not be set: {words}")));
                self.choose(AcpStep::Model, effects);
            }
            AcpStep::Mode => {
                self.fail(Reason::RefusedByPolicy, &format!("its mode could not be set: {words}"), effects)
            }
            AcpStep::Model => {
                let asked = self.request.model.clone().unwrap_or_default();
                self.fail(Reason::RefusedByPolicy, &self.options.unknown_model_text(&asked), effects);
            }
            AcpStep::Effort => {
                effects.note(&one_line_title(&format!("the effort could not be set: {words}")));
                self.prompt(effects);
            }
            AcpStep::Prompt => self.on_prompt_error(reason, error, &words, effects),
            _ => self.fail(reason, &words, effects),
        }
    }

    /// Ends a turn whose prompt has failed.
    fn on_prompt_error(&mut self, reason: Reason, error: &Value, words: &str, effects: &mut DialectEffects) {
        if self.turn.cancel_sent {
            let partial = self.turn.said.text();
            return self.finish(AgentOutcome::Cancelled { partial }, effects);
        }
        // Some agents answer a cancelled prompt with an error.
        if !self.capabilities.steering && self.continues(&json!({ "stopReason": "cancelled" }), effects) {
            return;
        }
        // claude-agent-acp sends its error twice: as text of the answer, then as a shorter error.
        let answer = std::mem::take(&mut self.turn.answer);
        let is_repeated = !answer.trim().is_empty()
            && (words.contains(answer.trim()) || classify::by_message(&answer).is_some());
        let words = if is_repeated { answer.trim() } else { words };
        let reason = match reason {
            // The same error stands for a rejected key and for a missing login.
            Reason::NotLoggedIn
                if error["code"] == failure::NEEDS_LOGIN
                    && (self.logged_in == Some(true) || self.turn.system_error) =>
            {
                Reason::AuthRejected
            }
            reason => reason,
        };
        let partial = self.turn.said.text();
        let partial = if is_repeated {
            partial.strip_suffix(answer.trim()).unwrap_or(&partial).trim()
        } else {
            &partial
        };
        self.finish(failed_outcome(reason, words, partial.to_owned()), effects);
    }
}
