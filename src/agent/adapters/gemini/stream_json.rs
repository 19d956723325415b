//! The dialect of `gemini --output-format=stream-json` (observed with 0.61.0: `tests/fixtures/gemini`). Pure.

use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, TextCollector, completed_outcome, count_field,
    describe_tool_call, failed_outcome, one_line_title, outcome_from_exit, parse_typed_object, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, PromptImage, TurnRequest, Usage, adapter, classify};
use crate::config::Mode;
use crate::json;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// A pause in the text of this many milliseconds may be a cut stream that was asked for again; gemini waits a second
/// or more before it does.
const PAUSE_MS: u64 = 700;

/// Beginnings of lines on stderr that say nothing about a failure.
const NOISE: &[&str] =
    &["Warning:", "YOLO mode", "Ripgrep is", "[STARTUP]", "    at ", "  Searched", "  Use --", "Usage:"];

/// One turn of gemini.
#[derive(Debug)]
pub struct Gemini {
    prompt: String,
    workdir: PathBuf,
    resume: Option<String>,
    /// Whether the mode keeps tools from it: then a tool that is not there was refused.
    strict: bool,
    session: String,
    said: TextCollector,
    /// The text since the last tool call.
    part: Part,
    /// The last text that was not empty.
    answer: String,
    open: BTreeMap<String, String>,
    worked: bool,
    denied: String,
    complaint: String,
    stray: StrayOutput,
    ended: bool,
}

impl Gemini {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            prompt: with_images(&request.prompt, &request.images),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            strict: matches!(request.mode, Mode::AutoEdit | Mode::Suggest),
            session: String::new(),
            said: TextCollector::default(),
            part: Part::default(),
            answer: String::new(),
            open: BTreeMap::new(),
            worked: false,
            denied: String::new(),
            complaint: String::new(),
            stray: StrayOutput::default(),
            ended: false,
        }
    }

    fn close_part(&mut self) {
        let text = self.part.take();
        if !text.trim().is_empty() {
            self.said.push_message(&text);
            self.answer = text;
        }
    }

    fn tool_result(&mut self, value: &Value, effects: &mut DialectEffects) {
        let id = string_field(value, "tool_id");
        let ok = string_field(value, "status") == "success";
        self.worked |= ok;
        let kind = string_field(&value["error"], "type");
        if kind == "policy_violation" || (self.strict && kind == "tool_not_registered") {
            self.denied = self.open.get(id).cloned().unwrap_or_default();
            effects.events.push(AgentEvent::Denied(self.denied.clone()));
        }
        self.open.remove(id);
        effects.events.push(AgentEvent::ToolEnd { id: id.to_owned(), ok });
    }

    fn result(&mut self, value: &Value, effects: &mut DialectEffects) {
        self.close_part();
        effects.usage = usage(&value["stats"]);
        if string_field(value, "status") == "success" {
            // Only now: a session whose first turn failed can never be resumed
            // (`tests/fixtures/gemini/resume-after-401-b.cmd`).
            if adapter::is_uuid(&self.session) {
                effects.events.push(AgentEvent::Session(std::mem::take(&mut self.session)));
            }
            let outcome = completed_outcome(&self.answer, self.worked, &self.denied, self.said.text());
            return self.finish(outcome, effects);
        }
        let message = string_field(&value["error"], "message");
        let words = message.strip_prefix("[API Error: ").unwrap_or(message);
        let words = words.rsplit_once(']').map_or(words, |(words, _)| words);
        let body: Value = json::parse(words).unwrap_or_default();
        let known = classify::by_message(message);
        let status = count_field(&body["error"], "code");
        let reason = known.unwrap_or_else(|| classify::by_http_status(words, status, self.resume.is_some()));
        self.finish(failed_outcome(reason, words, self.said.text()), effects);
    }

    fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        if !self.ended {
            self.ended = true;
            effects.outcome = Some(outcome);
        }
    }
}

impl Dialect for Gemini {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(id) = self.resume.as_deref().filter(|id| !adapter::is_uuid(id)) {
            let words = format!("`{id}` is not a session id");
            return self.finish(failed_outcome(Reason::StaleSession, &words, String::new()), effects);
        }
        effects.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        if self.ended {
            return;
        }
        match string_field(&value, "type") {
            "init" => {
                string_field(&value, "session_id").clone_into(&mut self.session);
                effects.events.push(AgentEvent::Started);
            }
            "message" if string_field(&value, "role") == "assistant" => {
                let text = string_field(&value, "content");
                self.part.piece(text, millis(string_field(&value, "timestamp")));
                effects.events.push(AgentEvent::Text(text.to_owned()));
            }
            "tool_use" => {
                self.close_part();
                let (kind, title) = describe_tool_call(
                    string_field(&value, "tool_name"),
                    &value["parameters"],
                    &self.workdir,
                );
                let id = string_field(&value, "tool_id").to_owned();
                self.open.insert(id.clone(), title.clone());
                effects.events.push(AgentEvent::Tool { id, kind, title });
            }
            "tool_result" => self.tool_result(&value, effects),
            "error" => {
                string_field(&value, "message").clone_into(&mut self.complaint);
                effects.events.push(AgentEvent::Note(one_line_title(&self.complaint)));
            }
            "result" => self.result(&value, effects),
            _ => {}
        }
    }

    /// There was no `result`.
    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.close_part();
        let partial = self.said.text();
        let telling = stderr_tail.lines().filter(|line| !NOISE.iter().any(|noise| line.starts_with(noise)));
        let words = telling.clone().next_back().unwrap_or(&self.complaint);
        let found = classify::by_stderr_tail(stderr_tail);
        let outcome = match (exit, found) {
            // It ends so when somebody stops it.
            (Exit::Code(0), _) => failed_outcome(Reason::Killed(15), "", partial),
            (Exit::Code(42), _) if self.resume.is_some() => {
                failed_outcome(Reason::StaleSession, words, partial)
            }
            (Exit::Code(_), Some((reason, words))) => failed_outcome(reason, &words, partial),
            (Exit::Code(41), None) => failed_outcome(Reason::NotLoggedIn, words, partial),
            (Exit::Code(42 | 55), None) => failed_outcome(Reason::RefusedByPolicy, words, partial),
            // The HTTP status modulo 256; 144 to 255 are those from 400 to 511. The shell's 137 and 143 are below.
            (Exit::Code(code @ 144..=255), None) => {
                let reason = classify::by_http_status(
                    words,
                    u64::from(code.unsigned_abs()) + 256,
                    self.resume.is_some(),
                );
                failed_outcome(reason, words, partial)
            }
            _ => {
                let stderr: String = telling.flat_map(|line| [line, "\n"]).collect();
                outcome_from_exit(exit, &self.complaint, &self.stray, &stderr, partial)
            }
        };
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        let mut all = TextCollector::default();
        [self.said.text(), self.part.text()]
            .iter()
            .filter(|s| !s.is_empty())
            .for_each(|s| all.push_message(s));
        all.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason)
    }
}

/// Text that grows in pieces, and begins anew when a cut stream was asked for again: the same words come a second time,
/// and nothing but a pause tells.
#[derive(Debug, Default)]
struct Part {
    text: String,
    /// What came after the last pause.
    again: String,
    paused: bool,
    last_ms: Option<u64>,
}

impl Part {
    fn piece(&mut self, piece: &str, ms: Option<u64>) {
        let pause = self.last_ms.zip(ms).is_some_and(|(last, now)| now.saturating_sub(last) >= PAUSE_MS);
        self.last_ms = ms;
        if pause {
            self.text = self.text();
            self.again.clear();
            self.paused = true;
        }
        if self.paused { self.again.push_str(piece) } else { self.text.push_str(piece) }
    }

    /// A repetition takes the place of what it repeats; when it was cut even earlier, the longer one stays.
    fn text(&self) -> String {
        if self.again.starts_with(&self.text) {
            return self.again.clone();
        }
        if self.text.starts_with(&self.again) {
            return self.text.clone();
        }
        format!("{}{}", self.text, self.again)
    }

    fn take(&mut self) -> String {
        let text = self.text();
        *self = Part::default();
        text
    }
}

/// The milliseconds of the day of "2026-11-22T07:10:41.080Z".
fn millis(stamp: &str) -> Option<u64> {
    let part = |from: usize, to: usize| stamp.get(from..to)?.parse::<u64>().ok();
    Some(((part(11, 13)? * 60 + part(14, 16)?) * 60 + part(17, 19)?) * 1000 + part(20, 23)?)
}

/// The prompt with its images: `@path` makes gemini read the file itself. All but plain characters are escaped.
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

/// What is neither input nor answer is thinking, which counts as output.
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
        let mut part = Part::default();
        for (piece, ms) in pieces {
            part.piece(piece, Some(*ms));
        }
        part.take()
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
