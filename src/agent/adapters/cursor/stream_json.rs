//! The dialect of `agent -p --output-format stream-json --stream-partial-output` of Cursor. Pure.
//!
//! Only documented and reported shapes (releases of 2026, `tests/fixtures/cursor`): the CLI could not be run here.
//!
//! In this form Cursor answers each question of its own (`interaction_query`) by itself, and prints question and answer. So
//! the chat shows its decisions and is not asked. Its plan is such a question, too. Over ACP it asks (`acp_requests.rs`).

use crate::agent::adapter::is_uuid;
use crate::agent::adapters::claude_code::stream_json::defuse;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, count_field, describe_tool_call, one_line_title, parse_typed_object,
    string_field, text_of_blocks, usage_without_cache,
};
use crate::agent::one_shot::{OneShotState, invalid_session, naming};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, ToolKind, TurnRequest};
use crate::json;
use serde_json::Value;

/// Bytes of the longest prompt: Linux limits an argument to 128 KiB with its zero byte.
const MAX_PROMPT: usize = (128 << 10) - 1;

/// The prompt as an argument, which cannot contain zero bytes.
pub fn prompt(request: &TurnRequest) -> String {
    defuse(naming(&request.prompt, &request.images)).replace('\0', "")
}

/// One turn of Cursor.
#[derive(Debug)]
pub struct Cursor {
    prompt_bytes: usize,
    turn: OneShotState,
    /// Whether it has written a plan, which its `result` does not repeat.
    has_plan: bool,
}

impl Cursor {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self { prompt_bytes: prompt(request).len(), turn: OneShotState::new(request), has_plan: false }
    }

    /// With partial output a text is printed up to three times: in pieces, repeated before a tool call (`model_call_id`), and
    /// repeated at the end (no `timestamp_ms`). Without partial output only the last form is printed.
    fn assistant(&mut self, value: &Value, effects: &mut DialectEffects) {
        let text = text_of_blocks(&value["message"]["content"]);
        if text.is_empty() {
            return;
        }
        if value.get("timestamp_ms").is_some() && value.get("model_call_id").is_none() {
            return self.turn.text(&text, effects);
        }
        if !self.turn.in_pieces() {
            self.turn.text(&text, effects);
        }
        self.turn.new_message();
    }

    /// `{"shellToolCall": {"args": {...}, "result": {"success": {...}}}}`, or a `function` with its arguments as text.
    fn tool(&mut self, value: &Value, effects: &mut DialectEffects) {
        let calls = value["tool_call"].as_object();
        let Some((kind, call)) = calls.and_then(|calls| calls.iter().find(|(_, call)| call.is_object()))
        else {
            return;
        };
        let id = string_field(value, "call_id");
        let written = json::parse(string_field(call, "arguments")).unwrap_or_default();
        let (name, args) = match kind.strip_suffix("ToolCall") {
            Some("shell") => ("Bash", &call["args"]),
            Some("webSearch") => ("WebSearch", &call["args"]),
            Some(name) => (name, &call["args"]),
            None => (string_field(call, "name"), &written),
        };
        let (kind, mut title) = describe_tool_call(name, args, &self.turn.workdir);
        if name == "askQuestion" {
            title = one_line_title(&["question: ", string_field(args, "title")].concat());
        }
        if string_field(value, "subtype") == "started" {
            self.turn.new_message();
            return effects.tool(id, (kind, title));
        }
        let result = &call["result"];
        let ok = result.get("success").is_some_and(|success| count_field(success, "exitCode") == 0);
        self.turn.tool_end(id.to_owned(), ok, effects);
        if result.get("rejected").is_some() {
            if name == "askQuestion" {
                title.push_str(" (Cursor skips its questions in this form)");
            }
            effects.events.push(AgentEvent::Denied(title));
        }
    }

    /// A question of Cursor, or its own answer: `{"id": 1, "webFetchRequestResponse": {"approved": {}}}`.
    fn query(&mut self, value: &Value, effects: &mut DialectEffects) {
        let plan = string_field(&value["query"]["createPlanRequestQuery"]["args"], "plan");
        if !plan.trim().is_empty() {
            self.has_plan = true;
            self.turn.message(plan, effects);
            self.turn.new_message();
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
        effects.tool(&id, (ToolKind::Tool, title));
        effects.events.push(AgentEvent::ToolEnd { id, ok: word != "rejected" });
    }
}

impl Dialect for Cursor {
    fn start(&mut self, effects: &mut DialectEffects) {
        // The prompt is an argument.
        let bytes = self.prompt_bytes;
        if let Some(refused) = invalid_session(self.turn.resume.as_deref(), is_uuid) {
            self.turn.finish(refused, effects);
        } else if bytes > MAX_PROMPT {
            let words = format!(
                "the message has {bytes} bytes, and it takes at most {MAX_PROMPT} on its command line. Send it as a file"
            );
            self.turn.fail(Reason::RefusedByPolicy, &words, effects);
        }
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            "system" if !self.turn.started && value["subtype"] == "init" => {
                effects.session(string_field(&value, "session_id"), is_uuid);
                self.turn.started(effects);
            }
            "thinking" => effects.thought(string_field(&value, "text")),
            "assistant" => self.assistant(&value, effects),
            "tool_call" => self.tool(&value, effects),
            "interaction_query" => self.query(&value, effects),
            // The end of the turn: by reports, it may never exit after this.
            "result" => {
                let keys = ["inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens"];
                let usage = &value["usage"];
                effects.usage = usage.is_object().then(|| usage_without_cache(usage, keys));
                let text = string_field(&value, "result");
                if value["is_error"] == true {
                    return self.turn.failed(text, effects);
                }
                // `result` is all messages without separators; the collected text has paragraphs.
                let said = self.turn.said.text();
                let is_all = text.trim().is_empty() || self.has_plan || is_same_text(text, &said);
                let answer = if is_all { &said } else { text };
                self.turn.done(answer, effects);
            }
            _ => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.turn.exited_with_any_code(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.turn.classify(stderr_tail)
    }
}

/// Whether two texts are the same except for blanks.
fn is_same_text(a: &str, b: &str) -> bool {
    let is_visible = |c: &char| !c.is_whitespace();
    a.chars().filter(is_visible).eq(b.chars().filter(is_visible))
}
