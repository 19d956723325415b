//! The dialect of `agent -p --output-format stream-json --stream-partial-output` of Cursor. Pure.
//!
//! Documented and reported shapes only (agents B 8; releases of 2026): this CLI could not be run where this was written.
//!
//! In this form it waits for nobody: each question of its own (`interaction_query`) it answers by itself, and prints both.
//! So nothing of it is asked in the chat; what it decided is shown. Its plan is such a question, too. Over ACP it asks
//! (`acp/cursor.rs`).

use crate::agent::adapters::claude_code::stream_json::defuse;
use crate::agent::dialect::{
    self, Dialect, DialectEffects, Exit, count_field, describe_tool_call, failed_outcome, parse_typed_object,
    string_field,
};
use crate::agent::one_shot::{OneShotState, naming};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, ToolKind, TurnRequest, Usage, adapter};
use crate::json;
use serde_json::Value;
use std::path::PathBuf;

/// Linux takes 128 KiB for one argument, its closing zero byte included.
const MAX_PROMPT: usize = (128 << 10) - 1;

/// The prompt as the argument that it must be. It can hold no zero byte.
pub fn prompt(request: &TurnRequest) -> String {
    defuse(naming(&request.prompt, &request.images)).replace('\0', "")
}

/// One turn of Cursor.
#[derive(Debug)]
pub struct Cursor {
    prompt_bytes: usize,
    workdir: PathBuf,
    resume: Option<String>,
    core: OneShotState,
    started: bool,
    /// It has written a plan, which its last word does not repeat.
    planned: bool,
}

impl Cursor {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            prompt_bytes: prompt(request).len(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            core: OneShotState::new(request),
            started: false,
            planned: false,
        }
    }

    /// With partial output one text comes up to three times: in pieces, as a recap before a tool (`model_call_id`), and
    /// as a last recap (no `timestamp_ms`). Without it, the last form is the only one.
    fn assistant(&mut self, value: &Value, effects: &mut DialectEffects) {
        let blocks = value["message"]["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut text = String::new();
        for block in blocks.iter().filter(|block| string_field(block, "type") == "text") {
            text.push_str(string_field(block, "text"));
        }
        if text.is_empty() {
            return;
        }
        if value.get("timestamp_ms").is_some() && value.get("model_call_id").is_none() {
            return self.core.text(&text, effects);
        }
        if !self.core.in_pieces() {
            self.core.text(&text, effects);
        }
        self.core.new_message();
    }

    /// `{"shellToolCall": {"args": {...}, "result": {"success": {...}}}}`, or a `function` with its arguments as text.
    fn tool(&mut self, value: &Value, effects: &mut DialectEffects) {
        let calls = value["tool_call"].as_object();
        let Some((kind, call)) = calls.and_then(|calls| calls.iter().find(|(_, call)| call.is_object()))
        else {
            return;
        };
        let id = string_field(value, "call_id").to_owned();
        let written = json::parse(string_field(call, "arguments")).unwrap_or_default();
        let (name, args) = match kind.strip_suffix("ToolCall") {
            Some("shell") => ("Bash", &call["args"]),
            Some("webSearch") => ("WebSearch", &call["args"]),
            Some(name) => (name, &call["args"]),
            None => (string_field(call, "name"), &written),
        };
        let (kind, mut title) = describe_tool_call(name, args, &self.workdir);
        if name == "askQuestion" {
            title = dialect::one_line_title(&["question: ", string_field(args, "title")].concat());
        }
        if string_field(value, "subtype") == "started" {
            self.core.new_message();
            effects.events.push(AgentEvent::Tool { id, kind, title });
            return;
        }
        let result = &call["result"];
        let ok = result.get("success").is_some_and(|success| count_field(success, "exitCode") == 0);
        self.core.tool_end(id, ok, effects);
        if result.get("rejected").is_some() {
            if name == "askQuestion" {
                title.push_str(" (Cursor skips its questions in this form)");
            }
            effects.events.push(AgentEvent::Denied(title));
        }
    }

    /// A question of its own, or what it has answered to it: `{"id": 1, "webFetchRequestResponse": {"approved": {}}}`.
    fn query(&mut self, value: &Value, effects: &mut DialectEffects) {
        let plan = string_field(&value["query"]["createPlanRequestQuery"]["args"], "plan");
        if !plan.trim().is_empty() {
            self.planned = true;
            self.core.new_message();
            self.core.text(plan, effects);
            self.core.new_message();
        }
        let answers = value["response"].as_object();
        let Some((_, answer)) = answers.and_then(|all| all.iter().find(|(_, answer)| answer.is_object()))
        else {
            return;
        };
        let answer = answer.get("result").unwrap_or(answer);
        let word = ["approved", "rejected", "error"].into_iter().find(|word| answer.get(word).is_some());
        let word = word.unwrap_or("accepted");
        let id = string_field(value, "query_type").to_owned();
        let what = id.trim_end_matches("Query").trim_end_matches("Request").trim_end_matches("Interaction");
        let title = [what, ": ", word, " by Cursor itself, nobody was asked"].concat();
        effects.events.push(AgentEvent::Tool { id: id.clone(), kind: ToolKind::Tool, title });
        effects.events.push(AgentEvent::ToolEnd { id, ok: word != "rejected" });
    }
}

impl Dialect for Cursor {
    fn start(&mut self, effects: &mut DialectEffects) {
        let (reason, words) = if let Some(id) = self.resume.as_deref().filter(|id| !adapter::is_uuid(id)) {
            (Reason::StaleSession, format!("`{id}` is not a session id"))
        } else if self.prompt_bytes > MAX_PROMPT {
            let bytes = self.prompt_bytes;
            let words = format!(
                "the message has {bytes} bytes, and it takes at most {MAX_PROMPT} on its command line. Send it as a file"
            );
            (Reason::RefusedByPolicy, words)
        } else {
            return; // the prompt is an argument
        };
        self.core.finish(failed_outcome(reason, &words, String::new()), effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.core.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            "system" if !self.started && value["subtype"] == "init" => {
                self.started = true;
                let id = string_field(&value, "session_id");
                if adapter::is_uuid(id) {
                    effects.events.push(AgentEvent::Session(id.to_owned()));
                }
                effects.events.push(AgentEvent::Started);
            }
            "thinking" => {
                let text = string_field(&value, "text");
                if !text.is_empty() {
                    effects.events.push(AgentEvent::Thought(text.to_owned()));
                }
            }
            "assistant" => self.assistant(&value, effects),
            "tool_call" => self.tool(&value, effects),
            "interaction_query" => self.query(&value, effects),
            // It may never exit after this (reported): the end of the turn is here.
            "result" => {
                let usage = &value["usage"];
                let cached = count_field(usage, "cacheReadTokens");
                effects.usage = usage.is_object().then(|| Usage {
                    input: count_field(usage, "inputTokens")
                        + cached
                        + count_field(usage, "cacheWriteTokens"),
                    cached,
                    output: count_field(usage, "outputTokens"),
                });
                let text = string_field(&value, "result");
                if value["is_error"] == true {
                    return self.core.failed(text, effects);
                }
                // All messages of the turn without anything between them: ours have paragraphs.
                let said = self.core.said.text();
                let is_all = text.trim().is_empty() || self.planned || same(text, &said);
                let answer = if is_all { &said } else { text };
                self.core.done(answer, effects);
            }
            _ => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.core.end(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.core.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.core.classify(stderr_tail)
    }
}

/// Whether two texts differ in nothing but blanks.
fn same(a: &str, b: &str) -> bool {
    let dark = |c: &char| !c.is_whitespace();
    a.chars().filter(dark).eq(b.chars().filter(dark))
}
