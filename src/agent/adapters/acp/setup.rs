//! From a fresh process to a running prompt: initialize, log in, open the session, choose mode, model and effort. Pure.

use crate::agent::adapters::acp::dialect::{Acp, AcpStep, one_line_title};
use crate::agent::adapters::acp::json_rpc::take_member;
use crate::agent::adapters::acp::session_options::Change;
use crate::agent::adapters::acp::{failure, quirks};
use crate::agent::adapters::claude_code::stream_json::defuse;
use crate::agent::dialect::{DialectEffects, array_items, string_field};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, PromptImage, slash_commands};
use crate::config::Mode;
use serde_json::{Value, json};

/// What we speak. Agents agree to higher numbers that nobody knows, so none is tried.
const VERSION: u64 = 1;

/// Session ids are words or UUIDs.
const MAX_SESSION: usize = 256;

impl Acp {
    /// Without files and terminals of ours: agents work on the disk themselves, and better.
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

    /// Opens the session that the turn belongs to, or a new one.
    pub(super) fn open(&mut self, effects: &mut DialectEffects) {
        let id = self.request.resume.clone().unwrap_or_default();
        let (step, method) = match id.as_str() {
            "" => (AcpStep::New, "session/new"),
            _ if self.capabilities.resume => (AcpStep::Resume, "session/resume"),
            _ if self.capabilities.load => (AcpStep::Load, "session/load"),
            _ => {
                return self.fail(Reason::StaleSession, "this agent cannot take up a session again", effects);
            }
        };
        self.session.clone_from(&id);
        self.resumed = step != AcpStep::New;
        let cwd = self.request.workdir.to_string_lossy();
        let no_servers: [&str; 0] = [];
        let mut params = json!({ "cwd": &*cwd, "mcpServers": no_servers });
        if self.resumed {
            with_session(&mut params, &id);
        }
        self.send(step, method, params, effects);
        if step == AcpStep::Load && self.quirks.once_a_minute {
            effects.delayed_stdin = effects.stdin.pop();
        }
    }

    /// The answer to our request.
    pub(super) fn answered(&mut self, step: AcpStep, message: &mut Value, effects: &mut DialectEffects) {
        let error = take_member(message, "error");
        let mut result = take_member(message, "result");
        if !error.is_null() {
            return self.refused(step, &error, effects);
        }
        if matches!(step, AcpStep::Mode | AcpStep::Model | AcpStep::Effort) {
            self.options.made();
        }
        self.options.learn(&mut result);
        match step {
            AcpStep::Initialize => self.greeted(&mut result, effects),
            AcpStep::Login => self.open(effects),
            AcpStep::New | AcpStep::Resume | AcpStep::Load => self.opened(step, &result, effects),
            AcpStep::Mode => self.choose(AcpStep::Model, effects),
            AcpStep::Model => self.choose(AcpStep::Effort, effects),
            AcpStep::Effort => self.prompt(effects),
            AcpStep::Prompt => self.stopped(&result, effects),
        }
    }

    fn greeted(&mut self, result: &mut Value, effects: &mut DialectEffects) {
        let version = result.get("protocolVersion").and_then(Value::as_u64).unwrap_or(VERSION);
        if version != VERSION {
            let words = format!("it speaks version {version} of ACP, and this is made for version {VERSION}");
            return self.fail(Reason::CliUnsupported, &words, effects);
        }
        self.quirks = quirks::of(string_field(&result["agentInfo"], "name"));
        let able = &result["agentCapabilities"];
        self.capabilities.load = able["loadSession"] == true;
        self.capabilities.resume = able["sessionCapabilities"]["resume"].is_object();
        self.capabilities.steering = result["_meta"]["steering"]["supported"] == true;
        self.capabilities.image = able["promptCapabilities"]["image"] == true;
        let unattended = array_items(&result["authMethods"]).iter().find(|method| {
            string_field(method, "type") == "env_var"
                || quirks::UNATTENDED.contains(&string_field(method, "id"))
        });
        self.capabilities.login = unattended.map(|method| string_field(method, "id").to_owned());
        self.open(effects);
    }

    fn opened(&mut self, step: AcpStep, result: &Value, effects: &mut DialectEffects) {
        if step == AcpStep::New {
            let id = string_field(result, "sessionId");
            if id.is_empty() || id.len() > MAX_SESSION {
                return self.fail(Reason::CliUnsupported, "it gave its session no usable id", effects);
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

    /// Makes the choices from this one on, then prompts.
    pub(super) fn choose(&mut self, from: AcpStep, effects: &mut DialectEffects) {
        for step in [AcpStep::Mode, AcpStep::Model, AcpStep::Effort] {
            let strict = matches!(self.request.mode, Mode::AutoEdit | Mode::Suggest);
            let effort = self.request.effort.as_deref().unwrap_or_default();
            let model = self.request.model.as_deref().filter(|_| !self.model_by_flag);
            let change = match step {
                // those before `from` are made
                AcpStep::Mode if from == AcpStep::Mode => {
                    self.options.mode(self.quirks.modes(self.request.mode), strict)
                }
                AcpStep::Model if from != AcpStep::Effort => {
                    model.map_or(Change::None, |m| self.options.model(m, effort))
                }
                AcpStep::Effort if !effort.is_empty() => self.options.effort(effort),
                _ => Change::None,
            };
            match change {
                Change::None => {}
                Change::Set(method, mut params) => {
                    self.options.asked(&params);
                    with_session(&mut params, &self.session);
                    return self.send(step, method, params, effects);
                }
                Change::Refused(why) => return self.fail(Reason::RefusedByPolicy, &why, effects),
            }
        }
        self.prompt(effects);
    }

    pub(super) fn prompt(&mut self, effects: &mut DialectEffects) {
        let unlisted = self.quirks.unlisted;
        self.waits_for_list =
            self.request.is_slash_command && self.commands.is_empty() && !unlisted.is_empty();
        if self.waits_for_list {
            return;
        }
        let mut text = defuse(std::mem::take(&mut self.request.prompt));
        if std::mem::take(&mut self.request.is_slash_command) {
            text = text.trim_start().to_owned();
            let name = text.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
            let is_known = name == unlisted || self.commands.iter().any(|known| known == name);
            if !self.commands.is_empty() && !is_known {
                return self.finish(
                    AgentOutcome::Done(slash_commands::unknown_command_text(name, &self.commands)),
                    effects,
                );
            }
        }
        let mut images: Vec<Value> = Vec::new();
        for image in &self.request.images {
            match image {
                PromptImage { data: Some(data), media_type, .. } if self.capabilities.image => {
                    images.push(json!({ "type": "image", "mimeType": media_type, "data": data }));
                }
                PromptImage { path, .. } => text.push_str(&format!("\n\nImage: {}", path.display())),
            }
        }
        let mut blocks = vec![json!({ "type": "text", "text": text })];
        blocks.append(&mut images);
        let params = json!({ "sessionId": self.session, "prompt": blocks });
        self.send(AcpStep::Prompt, "session/prompt", params, effects);
        effects.events.push(AgentEvent::Started);
    }

    /// Our request was answered with an error.
    fn refused(&mut self, step: AcpStep, error: &Value, effects: &mut DialectEffects) {
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
            // The mode only spares questions here; without it each is allowed as it comes.
            AcpStep::Mode if matches!(self.request.mode, Mode::FullAuto | Mode::Yolo) => {
                effects
                    .events
                    .push(AgentEvent::Note(one_line_title(&format!("the mode could not be set: {words}"))));
                self.choose(AcpStep::Model, effects);
            }
            AcpStep::Mode => {
                self.fail(Reason::RefusedByPolicy, &format!("its mode could not be set: {words}"), effects)
            }
            AcpStep::Model => {
                let asked = self.request.model.clone().unwrap_or_default();
                self.fail(Reason::RefusedByPolicy, &self.options.no_model(&asked), effects);
            }
            AcpStep::Effort => {
                effects
                    .events
                    .push(AgentEvent::Note(one_line_title(&format!("the effort could not be set: {words}"))));
                self.prompt(effects);
            }
            AcpStep::Prompt => self.broke_off(reason, error, &words, effects),
            _ => self.fail(reason, &words, effects),
        }
    }

    /// The turn ended with an error.
    fn broke_off(&mut self, reason: Reason, error: &Value, words: &str, effects: &mut DialectEffects) {
        if self.turn.stopping {
            let partial = self.turn.said.text();
            return self.finish(AgentOutcome::Cancelled { partial }, effects);
        }
        // some answer a cancelled prompt so
        if !self.capabilities.steering && self.goes_on(&json!({ "stopReason": "cancelled" }), effects) {
            return;
        }
        // claude-agent-acp says its error twice: as a piece of the answer, and then, with fewer words, as the error.
        let answer = std::mem::take(&mut self.turn.answer);
        let twice = !answer.trim().is_empty()
            && (words.contains(answer.trim()) || crate::agent::classify::by_message(&answer).is_some());
        let words = if twice { answer.trim() } else { words };
        let reason = match reason {
            // A rejected key is called the same as a missing login.
            Reason::NotLoggedIn if error["code"] == failure::NEEDS_LOGIN => match self.logged_in {
                Some(true) => Reason::AuthRejected,
                _ if self.turn.system_error => Reason::AuthRejected,
                _ => Reason::NotLoggedIn,
            },
            reason => reason,
        };
        let partial = self.turn.said.text();
        let partial =
            if twice { partial.strip_suffix(answer.trim()).unwrap_or(&partial).trim() } else { &partial };
        let outcome = crate::agent::adapters::acp::dialect::failed_outcome(reason, words, partial.to_owned());
        self.finish(outcome, effects);
    }
}

fn with_session(params: &mut Value, id: &str) {
    if let Some(object) = params.as_object_mut() {
        object.insert("sessionId".to_owned(), id.into());
    }
}
