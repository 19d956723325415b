//! Dialects: sans-IO state machines from a CLI's lines to [`AgentEvent`]s and one verdict.
//!
//! What every dialect shares is here as well: bounded collecting of text, short details, titles of tool calls.

use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::{Decision, PermissionRequest};
use crate::agent::{AgentEvent, ToolKind, TurnRequest, Usage, classify};
use crate::json;
use crate::text;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What a dialect wants after a line.
#[derive(Debug, Default)]
pub struct Effects {
    /// Normalised events.
    pub events: Vec<AgentEvent>,
    /// Text for the child's stdin, written as it is.
    pub stdin: Vec<String>,
    /// The same, but not in the clock minute in which the session was last opened: the agent would lose the session.
    pub delayed_stdin: Option<String>,
    /// Questions that wait for [`Dialect::answer`].
    pub permission_requests: Vec<PermissionRequest>,
    /// Ids of questions that the agent itself has withdrawn.
    pub withdrawn_requests: Vec<String>,
    /// The turn has ended with this; the process may linger.
    pub outcome: Option<AgentOutcome>,
    /// Tokens of the turn.
    pub usage: Option<Usage>,
    /// Tokens of the whole thread so far, for CLIs that count so.
    pub usage_total: Option<Usage>,
    /// The line was one of the protocol: the agent lives. Garbage does not set it.
    pub is_sign_of_life: bool,
}

impl Effects {
    /// Withdraws all questions that are still open.
    pub fn withdraw_all(&mut self, open: &mut BTreeMap<String, Value>) {
        for (id, _) in std::mem::take(open) {
            self.withdrawn_requests.push(id);
        }
    }
}

/// How the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Exit code.
    Code(i32),
    /// Signal number.
    Signal(i32),
}

/// A CLI's way of speaking. One value per process, which is one per turn unless `keeps_process`.
pub trait Dialect: Send {
    /// What goes to stdin first; stdin is closed after it unless `keeps_stdin`. May refuse the turn by setting `done`.
    fn start(&mut self, effects: &mut Effects);
    /// One line of stdout.
    fn on_line(&mut self, line: &str, effects: &mut Effects);
    /// A line that was too long to keep: its beginning and its length in bytes.
    fn on_oversized_line(&mut self, head: &str, bytes: u64, effects: &mut Effects) {
        let kind = if head.starts_with('{') { "message" } else { "line" };
        effects.is_sign_of_life = head.starts_with('{');
        effects.events.push(AgentEvent::Note(format!("skipped a {kind} of {bytes} bytes: too long")));
    }
    /// Stdout has ended and the child is gone, or nothing more is waited for; must set `done` if nothing did.
    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut Effects);
    /// Text so far, for cancelled and failed turns.
    fn partial_text(&self) -> String;
    /// Says why nothing came, for time-outs: what the CLI was complaining about when it fell silent.
    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        let _ = stderr_tail;
        None
    }
    /// Whether stdin stays open for answers to the agent's questions.
    fn keeps_stdin(&self) -> bool {
        false
    }
    /// Whether the process serves further turns. It is then kept after a turn that it ended by its own word, and its
    /// stdin stays open. Lines between turns come to `line` as well: of what they lead to, only the answers on stdin
    /// count. What runs when the first [`AgentEvent::Started`] comes is taken for the agent's own (tool servers).
    fn keeps_process(&self) -> bool {
        false
    }
    /// Begins another turn in a kept process, as `start` began the first; what belongs to the last one is forgotten.
    fn next_turn(&mut self, request: &TurnRequest, effects: &mut Effects) {
        let _ = (request, effects);
    }
    /// Asks the agent to stop the turn in its own language, open questions included; its `done` is then the end, and
    /// signals follow if it does not come. False: it cannot be asked.
    fn cancel(&mut self, effects: &mut Effects) -> bool {
        let _ = effects;
        false
    }
    /// The decision on a question of [`Effects::asks`]. Unknown ids and withdrawn questions are passed over.
    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut Effects) {
        let _ = (id, decision, effects);
    }
    /// A further message of the user for the running turn. False: this agent cannot take one now.
    fn steer(&mut self, text: &str, effects: &mut Effects) -> bool {
        let _ = (text, effects);
        false
    }
}

/// How much of what an agent says is remembered for a turn that does not end well. The oldest goes first.
const MAX_SAID: usize = 256 << 10;

/// What the agent has said so far.
#[derive(Debug, Default)]
pub struct TextCollector {
    text: String,
}

impl TextCollector {
    /// A whole message.
    pub fn push_message(&mut self, message: &str) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push_str("\n\n");
        }
        self.push_delta(message);
    }

    /// A piece of a message that is still growing.
    pub fn push_delta(&mut self, piece: &str) {
        self.text.push_str(piece);
        if self.text.len() > MAX_SAID {
            let mut cut = self.text.len() - MAX_SAID / 2;
            while !self.text.is_char_boundary(cut) {
                cut += 1;
            }
            self.text.drain(..cut);
        }
    }

    /// All of it, without blank ends.
    pub fn text(&self) -> String {
        self.text.trim().to_owned()
    }
}

/// How many stray lines become notes; a CLI that prints garbage prints a lot of it.
const MAX_STRAY: usize = 5;

/// Lines of stdout that are not of the protocol: warnings of launchers, plain error messages.
#[derive(Debug, Default)]
pub struct StrayOutput {
    last: String,
    count: usize,
}

impl StrayOutput {
    /// Remembers the line, and notes the first few. Cheap, because garbage comes in floods.
    pub fn line(&mut self, line: &str, effects: &mut Effects) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        self.count = self.count.saturating_add(1);
        if self.count <= MAX_STRAY {
            effects.events.push(AgentEvent::Note(format!("unexpected output: {}", failure_detail(line))));
        }
        self.last.clear();
        self.last.extend(line.chars().take(MAX_DETAIL));
    }
}

/// Parses one line of a protocol of JSON objects with a `type`. A generic value, because codex repeats keys and
/// claude puts `type` anywhere.
pub fn parse_typed_object(line: &str) -> Option<Value> {
    let line = line.trim();
    if !line.starts_with('{') {
        return None; // most garbage, cheaply
    }
    let value: Value = json::parse(line).ok()?;
    value.get("type")?.is_string().then_some(value)
}

/// A string member, or nothing.
pub fn string_field<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list, or none.
pub fn array_items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A count, or zero.
pub fn count_field(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Characters of a tool call's title.
const MAX_TITLE: usize = 200;
/// Characters of a failure's detail.
const MAX_DETAIL: usize = 300;

/// A title: one short line.
pub fn one_line_title(s: &str) -> String {
    text::truncate(&text::one_line(s), MAX_TITLE)
}

/// The CLI's own words in one short line. Providers answer with JSON; the message inside is what people can read.
pub fn failure_detail(s: &str) -> String {
    let inner = json::parse::<Value>(s.trim()).ok().and_then(|body| {
        let message =
            body.pointer("/error/message").or_else(|| body.get("message")).or_else(|| body.get("detail"));
        message.and_then(Value::as_str).map(str::to_owned)
    });
    let words = text::one_line(&strip_ansi_colors(inner.as_deref().unwrap_or(s)));
    let words = words.strip_prefix("Error: ").or_else(|| words.strip_prefix("error: ")).unwrap_or(&words);
    text::truncate(words, MAX_DETAIL)
}

/// Shell commands are shown without the shell around them: `/bin/bash -lc 'ls -l'` as `ls -l`.
pub fn command_title(command: &str) -> String {
    one_line_title(&strip_shell_wrapper(command))
}

/// The script of a shell, or the command as it is.
pub fn strip_shell_wrapper(command: &str) -> String {
    match shell_words::split(command) {
        Ok(mut words)
            if words.len() == 3 && words[0].ends_with("sh") && matches!(words[1].as_str(), "-lc" | "-c") =>
        {
            words.swap_remove(2)
        }
        _ => command.to_owned(),
    }
}

/// What a tool call is about: its command, its query, or its name with the argument that says most. The names of the
/// tools are those of all CLIs.
pub fn describe_tool_call(name: &str, input: &Value, workdir: &Path) -> (ToolKind, String) {
    match name {
        "Bash" | "bash" | "Shell" | "run_shell_command" => {
            (ToolKind::Command, one_line_title(string_field(input, "command")))
        }
        "WebSearch" | "websearch" | "google_web_search" => {
            (ToolKind::WebSearch, one_line_title(string_field(input, "query")))
        }
        _ => {
            let about = ABOUT.iter().map(|key| string_field(input, key)).find(|value| !value.is_empty());
            let about = about.unwrap_or_default();
            let about = Path::new(about).strip_prefix(workdir).ok().and_then(Path::to_str).unwrap_or(about);
            (ToolKind::Tool, one_line_title(&format!("{name} {about}")))
        }
    }
}

/// Arguments of tools that say what a call is about, the most telling first.
const ABOUT: &[&str] = &[
    "file_path",
    "filePath",
    "notebook_path",
    "path",
    "dir_path",
    "pattern",
    "url",
    "description",
    "skill",
    "query",
    "prompt",
];

/// The verdict on a turn that has come to its end without an error: its text, or why there is none. `worked`: a tool
/// call succeeded; `denied`: the last call that was refused.
pub fn completed_outcome(answer: &str, worked: bool, denied: &str, partial: String) -> AgentOutcome {
    match (answer.trim(), worked, denied) {
        ("", true, _) => {
            AgentOutcome::Done("(The work is done; the agent said nothing about it.)".to_owned())
        }
        ("", false, "") => failed_outcome(Reason::NoOutput, "", partial),
        ("", false, denied) => failed_outcome(
            Reason::RefusedByPolicy,
            &format!("{denied} is not allowed in this mode."),
            partial,
        ),
        _ => AgentOutcome::Done(answer.to_owned()),
    }
}

/// Text without the colours that some CLIs write even into a pipe.
fn strip_ansi_colors(s: &str) -> String {
    let mut pieces = s.split("\u{1b}[");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(piece.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, text)| text));
    }
    out
}

/// A failure in the CLI's own words.
pub fn failed_outcome(reason: Reason, words: &str, partial: String) -> AgentOutcome {
    AgentOutcome::Failed { reason, detail: failure_detail(words), partial }
}

/// The verdict on a child that ended without a final event: from its last complaint, stderr, a stray line, its exit.
pub fn outcome_from_exit(
    exit: Exit,
    complaint: &str,
    stray: &StrayOutput,
    stderr_tail: &str,
    partial: String,
) -> AgentOutcome {
    let clean = exit == Exit::Code(0);
    let found = classify::by_message(complaint)
        .map(|reason| (reason, complaint.to_owned()))
        .or_else(|| classify::by_stderr_tail(stderr_tail))
        .or_else(|| classify::by_message(&stray.last).map(|reason| (reason, stray.last.clone())));
    if let Some((reason, words)) = found.filter(|_| !clean) {
        return failed_outcome(reason, &words, partial);
    }
    let last = stderr_tail.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let words = [complaint, last, &stray.last].into_iter().find(|s| !s.is_empty()).unwrap_or_default();
    let reason = match exit {
        Exit::Code(0) if partial.is_empty() => Reason::NoOutput,
        // A launcher or shell in between reports a signal as 128 + its number.
        Exit::Code(code @ (130 | 137 | 143)) => Reason::Killed(code - 128),
        Exit::Code(code) => Reason::SilentExit(code),
        Exit::Signal(signal) => Reason::Killed(signal),
    };
    failed_outcome(reason, words, partial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_around_a_command_is_not_shown() {
        assert_eq!(command_title("/bin/bash -lc 'echo hi; ls'"), "echo hi; ls");
        assert_eq!(command_title("/bin/bash -lc pwd"), "pwd");
        assert_eq!(command_title("git status --short"), "git status --short");
        assert_eq!(command_title("unbalanced 'quote"), "unbalanced 'quote");
        assert_eq!(command_title("sh -c 'a\nb'"), "a b");
    }

    #[test]
    fn a_detail_is_the_message_inside_json() {
        assert_eq!(
            failure_detail(r#"{"error": {"message": "Invalid request (fake)", "code": null}}"#),
            "Invalid request (fake)"
        );
        assert_eq!(failure_detail("plain\n words"), "plain words");
        assert_eq!(failure_detail("Error: no rollout"), "no rollout");
        assert_eq!(failure_detail(&"x".repeat(1000)).chars().count(), 300);
    }

    #[test]
    fn what_was_said_stays_bounded() {
        let mut said = TextCollector::default();
        said.push_message("first");
        said.push_message("second");
        assert_eq!(said.text(), "first\n\nsecond");
        for _ in 0..300 {
            said.push_delta(&"ä".repeat(1024));
        }
        assert!(said.text().len() <= MAX_SAID);
    }
}
