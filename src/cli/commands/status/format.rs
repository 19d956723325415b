//! How a status looks to people. Pure.
//!
//! Rows are written straight into the text: a string for each of their parts would double the size of this file's code.

use super::super::list::connection;
use super::{ProfileStatus, StoredState};
use crate::cli::commands::profiles::ConnectorState;
use crate::cli::output::{self, Color};
use crate::daemon::control::ConnectionState;
use crate::session::permissions::prompt;
use crate::sys::time;
use crate::text::count;
use serde_json::Value;
use std::fmt::{self, Write};
use std::time::SystemTime;

/// Takes a label and its text.
type Row<'a> = &'a mut dyn FnMut(&str, fmt::Arguments<'_>);

/// All of them, and what to do next.
pub fn text(status: &[ProfileStatus], colors: bool) -> String {
    if status.is_empty() {
        return "There is no profile yet. `wtt-connect up ADAPTER AGENT_ID TOKEN` makes one.\n".to_owned();
    }
    let mut text = String::new();
    for one in status {
        let (word, color) = connection(&one.state);
        let name = output::paint(&one.profile.name, Color::Bold, colors);
        text.push_str(&format!("{name}: {}\n", output::paint(&word, color, colors)));
        // of a profile that cannot be read nothing else is status
        if !one.profile.config.agent_id.is_empty() {
            rows(one, &mut |label, line| {
                let _ = writeln!(text, "  {label:<9}  {line}");
            });
        }
        let mark = output::paint("problem", Color::Yellow, colors);
        for problem in &one.problems {
            let _ = writeln!(text, "  {mark}    {problem}");
        }
        text.push('\n');
    }
    if status.iter().filter(|one| next(one, &mut text)).count() == 0 {
        let _ = match status {
            [one] if one.unlogged => writeln!(
                text,
                "All is well. It runs by hand: its log is on its stderr, or in a file with `start --log-to-file`."
            ),
            [one] => {
                writeln!(text, "All is well. `wtt-connect logs {}` shows what it does.", one.profile.name)
            }
            _ => writeln!(text, "All is well. `wtt-connect logs PROFILE` shows what it does."),
        };
    }
    text
}

/// What somebody should do about it, the most urgent first; false when there is nothing to do.
fn next(status: &ProfileStatus, text: &mut String) -> bool {
    let name = &status.profile.name;
    let link = if let ConnectorState::Answering(answer) = &status.state {
        Some(ConnectionState::of(answer))
    } else {
        None
    };
    let _ = match (&status.state, link) {
        _ if !status.profile.problems.is_empty() => {
            writeln!(text, "`wtt-connect doctor --profile {name}` shows the settings and what is accepted.")
        }
        (ConnectorState::NotRunning, _) => writeln!(
            text,
            "`{}` starts it as a service, `wtt-connect start --profile {name}` here{}.",
            super::super::up_command(name, &status.profile.config),
            if status.begun {
                format!("; `wtt-connect logs {name}` shows how it ended")
            } else {
                String::new()
            }
        ),
        (ConnectorState::Unresponsive(_), _) => {
            writeln!(text, "`wtt-connect logs {name}` may say why it does not answer.")
        }
        (_, Some(ConnectionState::Refused { .. })) => {
            writeln!(text, "To go on, {}.", status.profile.config.token_remedy())
        }
        (_, Some(ConnectionState::Retrying { .. })) => {
            writeln!(text, "It keeps trying by itself. `wtt-connect doctor --profile {name}` looks closer.")
        }
        (ConnectorState::Answering(answer), _)
            if answer["asks"].as_array().is_some_and(|asks| !asks.is_empty()) =>
        {
            writeln!(
                text,
                "An agent waits for an answer, here or in its topic; `wtt-connect approve` lists what is asked."
            )
        }
        _ if !status.problems.is_empty() => writeln!(
            text,
            "`wtt-connect logs {name}` and `wtt-connect doctor --profile {name}` tell more about the problems."
        ),
        _ => return false,
    };
    true
}

fn rows(status: &ProfileStatus, row: Row<'_>) {
    let config = &status.profile.config;
    let live = if let ConnectorState::Answering(answer) = &status.state { answer } else { &Value::Null };
    match live["display_name"].as_str().filter(|called| *called != config.agent_id) {
        Some(called) => row("agent", format_args!("{} ({called}) at {}", config.agent_id, config.base_url)),
        None => row("agent", format_args!("{} at {}", config.agent_id, config.base_url)),
    }
    for (name, version) in &status.agents {
        match version.as_deref().unwrap_or("is not usable") {
            "" => row("adapter", format_args!("{name}")),
            // `codex codex-cli 0.169.0`: once is enough
            text if text.starts_with(name.as_str()) => row("adapter", format_args!("{text}")),
            text => row("adapter", format_args!("{name} {text}")),
        }
    }
    match live["mode"].as_str().filter(|mode| *mode != config.mode.name()) {
        Some(mode) => row(
            "mode",
            format_args!(
                "{mode}; the profile says {} now, `wtt-connect restart {}` applies it",
                config.mode.name(),
                status.profile.name
            ),
        ),
        None => row("mode", format_args!("{}", config.mode.name())),
    }
    if let Some(model) = &config.model {
        row("model", format_args!("{model}"));
    }
    row("workdir", format_args!("{}", config.workdir.display()));
    if live.is_object() {
        answered(live, row);
    }
    if let Some(files) = &status.files {
        stored(files, row);
    }
}

/// What a running connector says.
fn answered(live: &Value, row: Row<'_>) {
    let ago = |value: &Value| Span(value.as_u64().unwrap_or_default());
    let by = live["service"].as_str().map_or("by hand", |_| "as a service");
    row(
        "process",
        format_args!(
            "{}, wtt-connect {}, {by} since {}",
            live["pid"],
            word(&live["version"]),
            word(&live["started"])
        ),
    );
    match ConnectionState::of(live) {
        ConnectionState::Retrying { problem, .. } | ConnectionState::Refused { problem } => {
            row("offline", format_args!("{problem}"))
        }
        ConnectionState::Connected { .. } => {
            row("connected", format_args!("since {}", word(&live["link"]["since"])))
        }
        ConnectionState::Connecting => {}
    }
    let last = &live["last_message"];
    if last.is_object() {
        row(
            "message",
            format_args!("the last one {} ago in topic {}", ago(&last["seconds"]), word(&last["topic"])),
        );
    } else {
        row("message", format_args!("none yet"));
    }
    let running = live["running"].as_array().map(Vec::as_slice).unwrap_or_default();
    for turn in running {
        let how = if turn["stopping"] == true { "stopping after" } else { "for" };
        row(
            "turn",
            format_args!(
                "{} {how} {} in {}",
                word(&turn["adapter"]),
                ago(&turn["seconds"]),
                word(&turn["session"]).trim_start_matches("wtt:").replacen(':', " ", 1)
            ),
        );
    }
    row("turns", format_args!("{} running, {} waiting", running.len(), live["waiting"]));
    for ask in live["asks"].as_array().into_iter().flatten() {
        let id = word(&ask["id"]);
        row(
            "question",
            format_args!(
                "{id} of {}: {}; `wtt-connect approve {id}` or `deny {id}` answers it, within {}",
                word(&ask["agent"]),
                prompt::escape_markdown(word(&ask["about"])),
                ago(&ask["seconds"])
            ),
        );
    }
    let outbox = &live["outbox"];
    if outbox["replies"] == 0 {
        row("outbox", format_args!("empty"));
    } else {
        row(
            "outbox",
            format_args!(
                "{} on the way, the oldest for {}",
                count(number(&outbox["replies"]), "reply", "replies"),
                ago(&outbox["seconds"])
            ),
        );
    }
    let parked = &live["parked"];
    if parked["next"].is_string() {
        row(
            "kept",
            format_args!(
                "{} put off, the next is run at {}",
                count(number(&parked["messages"]), "message", "messages"),
                word(&parked["next"])
            ),
        );
    }
    if live["restarting"] == true {
        row("restart", format_args!("starts again when the running turns are over"));
    }
}

/// A count of an answer.
fn number(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

/// A text of an answer.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What the files of a stopped one say.
fn stored(files: &StoredState, row: Row<'_>) {
    let used = files.last_used.map(|at| Span(u64::try_from((time::now_ms() - at) / 1000).unwrap_or(0)));
    match used {
        Some(used) => row("sessions", format_args!("{}, the last one used {used} ago", files.sessions)),
        None => row("sessions", format_args!("{}", files.sessions)),
    }
    if files.unfinished > 0 {
        row(
            "cut",
            format_args!(
                "{} cut; told in the topic at the next start",
                count(files.unfinished, "turn", "turns")
            ),
        );
    }
    if files.parked > 0 {
        row("kept", format_args!("{} for later", count(files.parked, "message", "messages")));
    }
    match files.replies_since.and_then(|at| SystemTime::now().duration_since(at).ok()) {
        Some(age) => row(
            "outbox",
            format_args!(
                "{} to deliver at the next start, the oldest for {}",
                count(files.replies, "reply", "replies"),
                Span(age.as_secs())
            ),
        ),
        None => row("outbox", format_args!("empty")),
    }
}

/// A span of time in the two units that matter, from seconds.
#[derive(Debug)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (much, little, unit) = match self.0 {
            seconds @ 0..60 => return write!(f, "{seconds} s"),
            seconds @ 60..3600 => return write!(f, "{} min", seconds / 60),
            seconds @ 3600..86_400 => (seconds / 3600, seconds % 3600 / 60, "h"),
            seconds => (seconds / 86_400, seconds % 86_400 / 3600, "d"),
        };
        write!(f, "{much} {unit} {little} {}", if unit == "h" { "min" } else { "h" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let all = [0, 59, 60, 3599, 3660, 90_000].map(|seconds| Span(seconds).to_string());
        assert_eq!(all, ["0 s", "59 s", "1 min", "59 min", "1 h 1 min", "1 d 1 h"]);
    }
}
