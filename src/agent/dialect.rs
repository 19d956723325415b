//! Dialects: state machines without I/O that turn the lines of a CLI into [`AgentEvent`]s and one outcome.
//!
//! The helpers that all dialects share are here as well: text collectors of bounded size, short failure details, titles of
//! tool calls.

use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::{Decision, PermissionRequest};
use crate::agent::{AgentEvent, ToolKind, TurnRequest, Usage, classify};
use crate::json;
use crate::text;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What a dialect wants to be done after an input.
#[derive(Debug, Default)]
pub struct DialectEffects {
    /// Events for the session.
    pub events: Vec<AgentEvent>,
    /// Text for the child's stdin, written unchanged.
    pub stdin: Vec<String>,
    /// Text for stdin that must not be written in the clock minute in which the session was last opened: the agent would
    /// lose the session.
    pub delayed_stdin: Option<String>,
    /// Permission requests that wait for [`Dialect::answer`].
    pub permission_requests: Vec<PermissionRequest>,
    /// Ids of permission requests that the agent has withdrawn.
    pub withdrawn_requests: Vec<String>,
    /// The turn has ended like this. The process may still run.
    pub outcome: Option<AgentOutcome>,
    /// Tokens of the turn.
    pub usage: Option<Usage>,
    /// Tokens of the whole thread so far, for CLIs that count per thread.
    pub usage_total: Option<Usage>,
    /// The line belongs to the protocol, so the agent is alive. Garbage does not set this.
    pub is_sign_of_life: bool,
}

impl DialectEffects {
    /// Queues one message, which is one line, for the agent's stdin.
    pub fn send(&mut self, message: &Value) {
        self.stdin.push(format!("{message}\n"));
    }

    /// Reports the native session id, if it can be an argument of the CLI later.
    pub fn session(&mut self, id: &str, is_valid: fn(&str) -> bool) {
        if is_valid(id) {
            self.events.push(AgentEvent::Session(id.to_owned()));
        }
    }

    /// Reports reasoning, if it is not empty.
    pub fn thought(&mut self, text: &str) {
        if !text.is_empty() {
            self.events.push(AgentEvent::Thought(text.to_owned()));
        }
    }

    /// Reports a remark for the debug log.
    pub fn note(&mut self, text: &str) {
        self.events.push(AgentEvent::Note(text.to_owned()));
    }

    /// Reports that the CLI repeats a request to its provider.
    pub fn retry(&mut self, attempt: u64, max_attempts: u64, why: &str) {
        self.events.push(AgentEvent::Retry(format!("retry {attempt} of {max_attempts}: {why}")));
    }

    /// Reports the beginning of a tool call.
    pub fn tool(&mut self, id: &str, (kind, title): (ToolKind, String)) {
        self.events.push(AgentEvent::Tool { id: id.to_owned(), kind, title });
    }

    /// Withdraws all permission requests that are still open.
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

/// The protocol of a CLI. There is one value for each process, and so one for each turn unless `keeps_process`.
pub trait Dialect: Send {
    /// Begins the first turn: what goes to stdin first. Stdin is closed after it unless `keeps_stdin`. May refuse the turn
    /// by setting `outcome`.
    fn start(&mut self, effects: &mut DialectEffects);
    /// Handles one line of stdout.
    fn on_line(&mut self, line: &str, effects: &mut DialectEffects);
    /// Handles a line that was too long to keep: its beginning, and its length in bytes.
    fn on_oversized_line(&mut self, head: &str, bytes: u64, effects: &mut DialectEffects) {
        let kind = if head.starts_with('{') { "message" } else { "line" };
        effects.is_sign_of_life = head.starts_with('{');
        effects.events.push(AgentEvent::Note(format!("skipped a {kind} of {bytes} bytes: too long")));
    }
    /// Handles the end: stdout is closed and the child has exited, or no more output is awaited. Must set `outcome` unless
    /// it was set before.
    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects);
    /// The text of the agent so far, for cancelled and failed turns.
    fn partial_text(&self) -> String;
    /// Why nothing came, for timeouts: the last complaint of the CLI before it fell silent.
    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        let _ = stderr_tail;
        None
    }
    /// Whether stdin stays open, for answers to the agent's requests.
    fn keeps_stdin(&self) -> bool {
        self.keeps_process()
    }
    /// Whether the process can serve further turns. It is then kept after a turn whose outcome it has reported, and its
    /// stdin stays open. Lines between turns go to `on_line` as well; only their effects on stdin are applied. Processes
    /// that run when the first [`AgentEvent::Started`] comes count as the agent's own (tool servers).
    fn keeps_process(&self) -> bool {
        false
    }
    /// Begins another turn in a kept process, as `start` begins the first one. Everything about the last turn is forgotten.
    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        let _ = (request, effects);
    }
    /// Asks the agent in its own protocol to stop the turn, including its open requests. The agent confirms by an
    /// `outcome`; signals follow if none comes. Returns false if the agent cannot be asked.
    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        let _ = effects;
        false
    }
    /// Passes on the decision on one of [`DialectEffects::permission_requests`]. Unknown and withdrawn ids are ignored.
    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let _ = (id, decision, effects);
    }
    /// Passes on a further message of the user during the turn. Returns false if the agent cannot take one now.
    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        let _ = (text, effects);
        false
    }
}

/// Bytes of an agent's text that are kept for a turn that does not end well. The oldest text is dropped first.
const MAX_COLLECTED: usize = 256 << 10;

/// Collects the text of an agent, up to a limit.
#[derive(Debug, Default)]
pub struct TextCollector {
    text: String,
}

impl TextCollector {
    /// Appends a whole message, as a paragraph of its own.
    pub fn push_message(&mut self, message: &str) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push_str("\n\n");
        }
        self.push_delta(message);
    }

    /// Appends a piece of a message that is still growing.
    pub fn push_delta(&mut self, piece: &str) {
        self.text.push_str(piece);
        if self.text.len() > MAX_COLLECTED {
            let mut cut = self.text.len() - MAX_COLLECTED / 2;
            while !self.text.is_char_boundary(cut) {
                cut += 1;
            }
            self.text.drain(..cut);
        }
    }

    /// The text so far, trimmed.
    pub fn text(&self) -> String {
        self.text.trim().to_owned()
    }
}

/// How many stray lines are reported as notes: a CLI that prints garbage prints a lot of it.
const MAX_STRAY_NOTES: usize = 5;

/// Lines of stdout that do not belong to the protocol: warnings of launchers, plain error messages.
#[derive(Debug, Default)]
pub struct StrayOutput {
    last: String,
    count: usize,
}

impl StrayOutput {
    /// Remembers the line, and reports the first few as notes. Cheap, because garbage comes in floods.
    pub fn line(&mut self, line: &str, effects: &mut DialectEffects) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        self.count = self.count.saturating_add(1);
        if self.count <= MAX_STRAY_NOTES {
            effects.events.push(AgentEvent::Note(format!("unexpected output: {}", failure_detail(line))));
        }
        self.last.clear();
        self.last.extend(line.chars().take(MAX_DETAIL));
    }
}

/// Parses one line of a protocol that consists of JSON objects with a `type`. Returns a generic value, because codex
/// repeats keys and claude puts `type` anywhere.
pub fn parse_typed_object(line: &str) -> Option<Value> {
    let line = line.trim();
    if !line.starts_with('{') {
        return None; // most garbage, cheaply
    }
    let value: Value = json::parse(line).ok()?;
    value.get("type")?.is_string().then_some(value)
}

/// A string member, or an empty string.
pub fn string_field<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of an array, or none.
pub fn array_items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A number member, or zero.
pub fn count_field(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// The tokens of a CLI that counts cached tokens as input, by its keys for input, cached input and output.
pub fn usage_with_cache(counts: &Value, [input, cached, output]: [&str; 3]) -> Usage {
    Usage {
        input: count_field(counts, input),
        cached: count_field(counts, cached),
        output: count_field(counts, output),
    }
}

/// The tokens of a CLI that does not count cached tokens as input, by its keys for input, cache reads, cache writes and
/// output.
pub fn usage_without_cache(counts: &Value, [input, read, written, output]: [&str; 4]) -> Usage {
    let mut usage = usage_with_cache(counts, [input, read, output]);
    usage.input = usage.input.saturating_add(usage.cached).saturating_add(count_field(counts, written));
    usage
}

/// The text of a message that consists of blocks.
pub fn text_of_blocks(content: &Value) -> String {
    let texts = array_items(content).iter().filter(|block| string_field(block, "type") == "text");
    texts.map(|block| string_field(block, "text")).collect()
}

/// Characters of a tool call's title: one line on a phone.
const MAX_TITLE: usize = 200;
/// Characters of a failure's detail: what a person reads of an error message.
const MAX_DETAIL: usize = 300;

/// Shortens text to one short line.
pub fn one_line_title(s: &str) -> String {
    text::truncate(&text::one_line(s), MAX_TITLE)
}

/// Shortens the CLI's own message to one line. If it is the JSON answer of a provider, only the message inside is kept.
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

/// The title of a shell command, without the shell around it: `ls -l` for `/bin/bash -lc 'ls -l'`.
pub fn command_title(command: &str) -> String {
    one_line_title(&strip_shell_wrapper(command))
}

/// The script that a shell is called with, or the command unchanged.
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

/// The kind and the title of a tool call: its command, its query, or its name with the most telling argument. The names
/// are those of the tools of all CLIs.
pub fn describe_tool_call(name: &str, input: &Value, workdir: &Path) -> (ToolKind, String) {
    match name {
        "Bash" | "bash" | "Shell" | "run_shell_command" => {
            (ToolKind::Command, one_line_title(string_field(input, "command")))
        }
        "WebSearch" | "websearch" | "google_web_search" => {
            (ToolKind::WebSearch, one_line_title(string_field(input, "query")))
        }
        _ => {
            let about =
                MAIN_ARGUMENTS.iter().map(|key| string_field(input, key)).find(|value| !value.is_empty());
            let about = about.unwrap_or_default();
            let about = Path::new(about).strip_prefix(workdir).ok().and_then(Path::to_str).unwrap_or(about);
            (ToolKind::Tool, one_line_title(&format!("{name} {about}")))
        }
    }
}

/// Arguments of tools that say what a call is about, the most telling first.
const MAIN_ARGUMENTS: &[&str] = &[
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

/// The outcome of a turn that has ended without an error: its text, or why there is none. `worked`: whether a tool call
/// succeeded; `denied`: the last tool call that was refused, or an empty string.
pub fn completed_outcome(answer: &str, worked: bool, denied: &str, partial: String) -> AgentOutcome {
    match (answer.trim(), worked, denied) {
        ("", true, _) => {
            AgentOutcome::Done("(The agent finished the work without saying anything.)".to_owned())
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

/// Removes the color sequences that some CLIs write even into a pipe.
fn strip_ansi_colors(s: &str) -> String {
    let mut pieces = s.split("\u{1b}[");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(piece.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, text)| text));
    }
    out
}

/// A failure, with the CLI's own message as its detail.
pub fn failed_outcome(reason: Reason, words: &str, partial: String) -> AgentOutcome {
    AgentOutcome::Failed { reason, detail: failure_detail(words), partial }
}

/// The outcome of a child that exited without reporting one. It is read from the last complaint, stderr, a stray line and
/// the exit code, in this order.
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
        assert!(said.text().len() <= MAX_COLLECTED);
    }
}
