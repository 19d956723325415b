//! Formats a status as text. Pure.

use super::gather::{ProfileStatus, StoredState};
use crate::cli::commands::profiles::ConnectorState;
use crate::cli::commands::{NO_PROFILE, up_command};
use crate::cli::output::{self, Color};
use crate::daemon::control::ConnectionState;
use crate::session::permissions::prompt;
use crate::sys::time;
use crate::text::count;
use serde_json::Value;
use std::fmt::{self, Write};
use std::time::SystemTime;

/// Adds a row with a label and a text.
type AddRow<'a> = &'a mut dyn FnMut(&str, fmt::Arguments<'_>);

/// The text about all profiles, with what to do next.
pub fn text(status: &[ProfileStatus], colors: bool) -> String {
    if status.is_empty() {
        return format!("{NO_PROFILE}.\n");
    }
    let mut text = String::new();
    for one in status {
        let (word, color) = connection_summary(&one.state);
        let name = output::paint(&one.profile.name, Color::Bold, colors);
        text.push_str(&format!("{name}: {}\n", output::paint(&word, color, colors)));
        // nothing else is known about a profile that cannot be read
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
    if status.iter().filter(|one| write_advice(one, &mut text)).count() == 0 {
        let _ = match status {
            [one] if one.has_no_log => writeln!(
                text,
                "No problems. It was started by hand and logs to its stderr; `start --log-to-file` logs to a file."
            ),
            [one] => {
                writeln!(text, "No problems. `wtt-connect logs {}` shows its log.", one.profile.name)
            }
            _ => writeln!(text, "No problems. `wtt-connect logs PROFILE` shows a log."),
        };
    }
    text
}

/// Writes the most urgent thing to do. Returns false if there is nothing to do.
fn write_advice(status: &ProfileStatus, text: &mut String) -> bool {
    let name = &status.profile.name;
    let _ = match (&status.state, status.state.answer().map(ConnectionState::of)) {
        _ if !status.profile.problems.is_empty() => {
            writeln!(
                text,
                "`wtt-connect doctor --profile {name}` shows the settings and the accepted values."
            )
        }
        (ConnectorState::NotRunning, _) => writeln!(
            text,
            "`{}` starts it as a service, `wtt-connect start --profile {name}` in the foreground{}.",
            up_command(name, &status.profile.config),
            if status.has_been_started {
                format!("; `wtt-connect logs {name}` may show why it ended")
            } else {
                String::new()
            }
        ),
        (ConnectorState::Unresponsive(_), _) => {
            writeln!(text, "`wtt-connect logs {name}` may show why it does not answer.")
        }
        (_, Some(ConnectionState::Refused { .. })) => {
            writeln!(text, "To continue, {}.", status.profile.config.token_remedy())
        }
        (_, Some(ConnectionState::Retrying { .. })) => {
            writeln!(text, "It keeps trying. `wtt-connect doctor --profile {name}` checks the connection.")
        }
        (ConnectorState::Answering(answer), _)
            if answer["asks"].as_array().is_some_and(|asks| !asks.is_empty()) =>
        {
            writeln!(
                text,
                "An agent is waiting for permission; answer in its topic, or with `wtt-connect approve`, which lists the requests."
            )
        }
        _ if !status.problems.is_empty() => writeln!(
            text,
            "`wtt-connect logs {name}` and `wtt-connect doctor --profile {name}` show more about the problems."
        ),
        _ => return false,
    };
    true
}

fn rows(status: &ProfileStatus, row: AddRow<'_>) {
    let config = &status.profile.config;
    let live = status.state.answer().unwrap_or(&Value::Null);
    match live["display_name"].as_str().filter(|called| *called != config.agent_id) {
        Some(called) => row("agent", format_args!("{} ({called}) at {}", config.agent_id, config.base_url)),
        None => row("agent", format_args!("{} at {}", config.agent_id, config.base_url)),
    }
    for (name, version) in &status.agents {
        match version.as_deref().unwrap_or("cannot answer") {
            "" => row("adapter", format_args!("{name}")),
            // the name is not repeated, as in `codex codex-cli 0.169.0`
            text if text.starts_with(name.as_str()) => row("adapter", format_args!("{text}")),
            text => row("adapter", format_args!("{name} {text}")),
        }
    }
    match live["mode"].as_str().filter(|mode| *mode != config.mode.name()) {
        Some(mode) => row(
            "mode",
            format_args!(
                "{mode}; the profile now says {}, `wtt-connect restart {}` applies it",
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
        live_rows(live, row);
    }
    if let Some(files) = &status.files {
        stored_rows(files, row);
    }
}

/// The rows about a running connector.
fn live_rows(live: &Value, row: AddRow<'_>) {
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
            format_args!("last one {} ago in topic {}", ago(&last["seconds"]), word(&last["topic"])),
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
            "request",
            format_args!(
                "{id} from {}: {}; answer with `wtt-connect approve {id}` or `deny {id}` within {}",
                word(&ask["agent"]),
                prompt::escape_markdown(word(&ask["about"])),
                ago(&ask["seconds"])
            ),
        );
    }
    let outbox = &live["outbox"];
    let oldest = (outbox["replies"] != 0).then(|| ago(&outbox["seconds"]));
    outbox_row(number(&outbox["replies"]), oldest, row);
    let parked = &live["parked"];
    if parked["next"].is_string() {
        row(
            "deferred",
            format_args!(
                "{}, the next one runs at {}",
                count(number(&parked["messages"]), "message", "messages"),
                word(&parked["next"])
            ),
        );
    }
    if live["restarting"] == true {
        row("restart", format_args!("when the running turns have ended"));
    }
}

/// A number in an answer.
fn number(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

/// A text in an answer.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The rows about the stored state of a connector that does not run.
fn stored_rows(files: &StoredState, row: AddRow<'_>) {
    let used = files.last_used.map(|at| Span(u64::try_from((time::now_ms() - at) / 1000).unwrap_or(0)));
    match used {
        Some(used) => row("sessions", format_args!("{}, last used {used} ago", files.sessions)),
        None => row("sessions", format_args!("{}", files.sessions)),
    }
    if files.unfinished > 0 {
        row(
            "turns",
            format_args!(
                "{} interrupted; the next start reports it in the topic",
                count(files.unfinished, "turn", "turns")
            ),
        );
    }
    if files.deferred > 0 {
        row("deferred", format_args!("{}", count(files.deferred, "message", "messages")));
    }
    let age = files.replies_since.and_then(|at| SystemTime::now().duration_since(at).ok());
    outbox_row(files.replies, age.map(|age| Span(age.as_secs())), row);
}

/// The row about undelivered replies. `oldest`: how long the oldest one has waited; none if there are none.
fn outbox_row(replies: usize, oldest: Option<Span>, row: AddRow<'_>) {
    match oldest {
        Some(age) => {
            let replies = count(replies, "reply", "replies");
            row("outbox", format_args!("{replies} not delivered yet, the oldest for {age}"));
        }
        None => row("outbox", format_args!("empty")),
    }
}

/// A time span in seconds, printed in its two largest units.
#[derive(Debug)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (large, small, unit) = match self.0 {
            seconds @ 0..60 => return write!(f, "{seconds} s"),
            seconds @ 60..3600 => return write!(f, "{} min", seconds / 60),
            seconds @ 3600..86_400 => (seconds / 3600, seconds % 3600 / 60, "h"),
            seconds => (seconds / 86_400, seconds % 86_400 / 3600, "d"),
        };
        write!(f, "{large} {unit} {small} {}", if unit == "h" { "min" } else { "h" })
    }
}

/// Whether a connector runs and is connected, in a few words, with the color for it.
pub fn connection_summary(state: &ConnectorState) -> (String, Color) {
    let answer = match state {
        ConnectorState::NotRunning => return ("not running".to_owned(), Color::Red),
        ConnectorState::Unresponsive(_) => return ("does not answer".to_owned(), Color::Red),
        ConnectorState::Answering(answer) => answer,
    };
    match ConnectionState::of(answer) {
        ConnectionState::Connected { seconds } => (format!("connected for {}", Span(seconds)), Color::Green),
        ConnectionState::Connecting => ("connecting".to_owned(), Color::Yellow),
        ConnectionState::Retrying { seconds, .. } => {
            (format!("offline, next attempt in {}", Span(seconds)), Color::Yellow)
        }
        ConnectionState::Refused { .. } => ("token refused".to_owned(), Color::Red),
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
