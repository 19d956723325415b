//! The dialect of `gemini --output-format=stream-json` (observed with 0.61.0: `tests/fixtures/gemini`). Pure.

use crate::agent::adapter::is_uuid;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, TextCollector, count_field, describe_tool_call, one_line_title,
    parse_typed_object, string_field,
};
use crate::agent::one_shot::OneShotState;
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, PromptImage, TurnRequest, Usage, classify};
use crate::json;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// After a pause of this many milliseconds the text may be that of a repeated request: gemini waits a second or more
/// before it repeats one whose stream was cut.
const PAUSE_MS: u64 = 700;

/// Beginnings of stderr lines that say nothing about a failure.
const NOISE: &[&str] =
    &["Warning:", "YOLO mode", "Ripgrep is", "[STARTUP]", "    at ", "  Searched", "  Use --", "Usage:"];

/// One turn of gemini.
#[derive(Debug)]
pub struct Gemini {
    turn: OneShotState,
    /// Whether the mode removes tools: then a tool that is not registered counts as refused.
    removes_tools: bool,
    session: String,
    /// The text since the last tool call.
    growing: GrowingText,
    /// The last text that was not empty.
    answer: String,
    /// Titles of the tool calls that run, by id.
    open: BTreeMap<String, String>,
}

impl Gemini {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        let mut turn = OneShotState::new(request);
        turn.prompt = with_images(&request.prompt, &request.images);
        Self {
            turn,
            removes_tools: request.can_ask(),
            session: String::new(),
            growing: GrowingText::default(),
            answer: String::new(),
            open: BTreeMap::new(),
        }
    }

    fn close_text(&mut self) {
        let text = std::mem::take(&mut self.growing).text();
        if !text.trim().is_empty() {
            self.turn.said.push_message(&text);
            self.answer = text;
        }
    }

    fn tool_result(&mut self, value: &Value, effects: &mut DialectEffects) {
        let id = string_field(value, "tool_id");
        let kind = string_field(&value["error"], "type");
        if kind == "policy_violation" || (self.removes_tools && kind == "tool_not_registered") {
            self.turn.denied = self.open.get(id).cloned().unwrap_or_default();
            effects.events.push(AgentEvent::Denied(self.turn.denied.clone()));
        }
        self.open.remove(id);
        self.turn.tool_end(id.to_owned(), string_field(value, "status") == "success", effects);
    }

    fn result(&mut self, value: &Value, effects: &mut DialectEffects) {
        self.close_text();
        effects.usage = usage(&value["stats"]);
        if string_field(value, "status") == "success" {
            // Not earlier: a session whose first turn failed can never be resumed
            // (`tests/fixtures/gemini/resume-after-401-b.cmd`).
            effects.session(&self.session, is_uuid);
            return self.turn.done(&self.answer, effects);
        }
        let message = string_field(&value["error"], "message");
        let words = message.strip_prefix("[API Error: ").unwrap_or(message);
        let words = words.rsplit_once(']').map_or(words, |(words, _)| words);
        let body: Value = json::parse(words).unwrap_or_default();
        match classify::by_message(message) {
            Some(reason) => self.turn.fail(reason, words, effects),
            None => self.turn.fail_by_status(words, count_field(&body["error"], "code"), effects),
        }
    }
}

impl Dialect for Gemini {
    fn start(&mut self, effects: &mut DialectEffects) {
        self.turn.start(is_uuid, effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        if self.turn.ended {
            return;
        }
        match string_field(&value, "type") {
            "init" => {
                string_field(&value, "session_id").clone_into(&mut self.session);
                effects.events.push(AgentEvent::Started);
            }
            "message" if string_field(&value, "role") == "assistant" => {
                let text = string_field(&value, "content");
                self.growing.push(text, millis(string_field(&value, "timestamp")));
                effects.events.push(AgentEvent::Text(text.to_owned()));
            }
            "tool_use" => {
                self.close_text();
                let (name, id) = (string_field(&value, "tool_name"), string_field(&value, "tool_id"));
                let described = describe_tool_call(name, &value["parameters"], &self.turn.workdir);
                self.open.insert(id.to_owned(), described.1.clone());
                effects.tool(id, described);
            }
            "tool_result" => self.tool_result(&value, effects),
            "error" => {
                string_field(&value, "message").clone_into(&mut self.turn.complaint);
                effects.note(&one_line_title(&self.turn.complaint));
            }
            "result" => self.result(&value, effects),
            _ => {}
        }
    }

    /// Gemini has exited without a `result`.
    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.close_text();
        let turn = &mut self.turn;
        let relevant = stderr_tail.lines().filter(|line| !NOISE.iter().any(|noise| line.starts_with(noise)));
        let words = relevant.clone().next_back().unwrap_or(&turn.complaint).to_owned();
        match (exit, classify::by_stderr_tail(stderr_tail)) {
            // Somebody else has ended it.
            (Exit::Code(0), _) => turn.fail(Reason::Killed(15), "", effects),
            (Exit::Code(42), _) if turn.resume.is_some() => turn.fail(Reason::StaleSession, &words, effects),
            (Exit::Code(_), Some((reason, words))) => turn.fail(reason, &words, effects),
            (Exit::Code(41), None) => turn.fail(Reason::NotLoggedIn, &words, effects),
            (Exit::Code(42 | 55), None) => turn.fail(Reason::RefusedByPolicy, &words, effects),
            // The HTTP status modulo 256: 144 to 255 are the statuses 400 to 511. The shell's 137 and 143 are below.
            (Exit::Code(code @ 144..=255), None) => {
                turn.fail_by_status(&words, u64::from(code.unsigned_abs()) + 256, effects);
            }
            _ => {
                let stderr: String = relevant.flat_map(|line| [line, "\n"]).collect();
                turn.exited(exit, &stderr, effects);
            }
        }
    }

    fn partial_text(&self) -> String {
        let mut all = TextCollector::default();
        [self.turn.said.text(), self.growing.text()]
            .iter()
            .filter(|s| !s.is_empty())
            .for_each(|s| all.push_message(s));
        all.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason)
    }
}

/// Text that grows in pieces. When gemini repeats a request whose stream was cut, the same text comes a second time, and
/// only a pause shows it.
#[derive(Debug, Default)]
struct GrowingText {
    text: String,
    /// The text after the last pause.
    after_pause: String,
    paused: bool,
    /// Time of the last piece, in milliseconds.
    last_ms: Option<u64>,
}

impl GrowingText {
    fn push(&mut self, piece: &str, ms: Option<u64>) {
        let pause = self.last_ms.zip(ms).is_some_and(|(last, now)| now.saturating_sub(last) >= PAUSE_MS);
        self.last_ms = ms;
        if pause {
            self.text = self.text();
            self.after_pause.clear();
            self.paused = true;
        }
        if self.paused { self.after_pause.push_str(piece) } else { self.text.push_str(piece) }
    }

    /// The whole text. A repetition replaces the text that it repeats; of two cut texts the longer one counts.
    fn text(&self) -> String {
        if self.after_pause.starts_with(&self.text) {
            return self.after_pause.clone();
        }
        if self.text.starts_with(&self.after_pause) {
            return self.text.clone();
        }
        format!("{}{}", self.text, self.after_pause)
    }
}

/// The milliseconds of the day of "2026-11-22T07:10:41.080Z".
fn millis(stamp: &str) -> Option<u64> {
    let part = |from: usize, to: usize| stamp.get(from..to)?.parse::<u64>().ok();
    Some(((part(11, 13)? * 60 + part(14, 16)?) * 60 + part(17, 19)?) * 1000 + part(20, 23)?)
}

/// The prompt with its images: gemini itself reads the file of `@path`. All special characters are escaped.
fn with_images(prompt: &str, images: &[PromptImage]) -> String {
    let mut out = prompt.to_owned();
    for image in images {
        out.push_str("\n\n@");
        for c in image.path.to_string_lossy().chars() {
            let plain = c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
            let _ = if plain { write!(out, "{c}") } else { write!(out, "\\{c}") };
        }
    }
    out
}

/// Tokens of the turn. Those that are neither input nor output are reasoning, which counts as output.
fn usage(stats: &Value) -> Option<Usage> {
    let input = count_field(stats, "input_tokens");
    let rest = count_field(stats, "total_tokens").saturating_sub(input);
    let output = count_field(stats, "output_tokens").max(rest);
    (input + output > 0).then(|| Usage { input, cached: count_field(stats, "cached"), output })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(pieces: &[(&str, u64)]) -> String {
        let mut part = GrowingText::default();
        for (piece, ms) in pieces {
            part.push(piece, Some(*ms));
        }
        part.text()
    }

    #[test]
    fn a_stream_that_was_cut_and_repeated_is_one_text() {
        assert_eq!(part(&[("one ", 0), ("two ", 10), ("one two ", 1100), ("three", 1110)]), "one two three");
        assert_eq!(part(&[("one ", 0), ("one ", 1000), ("one ", 3000), ("two", 3010)]), "one two");
        assert_eq!(part(&[("one two ", 0), ("one ", 1000), ("one two three", 3000)]), "one two three");
    }

    #[test]
    fn a_mere_pause_changes_nothing() {
        assert_eq!(part(&[("ha ", 0), ("ha ", 10), ("ha", 20)]), "ha ha ha");
        assert_eq!(part(&[("one ", 0), ("two ", 2000), ("three", 9000)]), "one two three");
    }

    #[test]
    fn stamps() {
        assert_eq!(millis("2026-11-22T07:10:41.080Z"), Some(25_841_080));
        assert_eq!(millis("2026-11-22"), None);
        assert_eq!(millis("äääääääääääääääää"), None);
    }

    #[test]
    fn images_are_named_in_the_prompt() {
        let image = PromptImage { path: "/in box/a,b.png".into(), media_type: String::new(), data: None };
        assert_eq!(with_images("see", &[image]), "see\n\n@/in\\ box/a\\,b.png");
    }
}
