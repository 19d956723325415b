//! How a status looks to people. Pure.

use super::super::list::connection;
use super::{Files, Known};
use crate::cli::cmd::profiles::Life;
use crate::cli::out::{self, Colour};
use crate::daemon::control::Link;
use crate::sys::time;
use serde_json::Value;
use std::time::SystemTime;

/// Stands before each problem.
const PROBLEM: &str = "problem";

/// All of them, and what to do next.
pub fn text(known: &[Known], colours: bool) -> String {
    if known.is_empty() {
        return "There is no profile yet. `wtt-connect up ADAPTER AGENT_ID TOKEN` makes one.\n".to_owned();
    }
    let mut text = String::new();
    for one in known {
        let (word, colour) = connection(&one.life);
        let (name, word) =
            (out::paint(&one.profile.name, Colour::Bold, colours), out::paint(&word, colour, colours));
        text.push_str(&format!("{name}: {word}\n"));
        // painted after the alignment, which counts characters
        for line in out::table(&rows(one), 2).lines() {
            let mark = out::paint(PROBLEM, Colour::Yellow, colours);
            text.push_str(&format!(
                "{}\n",
                line.replacen(&format!("  {PROBLEM} "), &format!("  {mark} "), 1)
            ));
        }
        text.push('\n');
    }
    let next = known.iter().find_map(next).unwrap_or_else(|| {
        let name = if let [one] = known { one.profile.name.as_str() } else { "PROFILE" };
        format!("All is well. `wtt-connect logs {name}` shows what it does.")
    });
    text + &next + "\n"
}

/// What somebody should do about it, the most urgent first.
fn next(known: &Known) -> Option<String> {
    let name = &known.profile.name;
    if !known.profile.problems.is_empty() {
        return Some(format!(
            "`wtt-connect doctor --profile {name}` shows the settings and what is accepted."
        ));
    }
    let answer = match &known.life {
        Life::Absent => {
            return Some(format!(
                "`wtt-connect start --profile {name}` starts it; `wtt-connect logs {name}` shows how it ended."
            ));
        }
        Life::Mute(_) => return Some(format!("`wtt-connect logs {name}` may say why it does not answer.")),
        Life::Answers(answer) => answer,
    };
    match Link::of(answer) {
        Link::Refused { .. } => Some(format!("To go on, {}.", known.profile.config.token_remedy())),
        Link::Retrying { .. } => {
            Some(format!("It keeps trying by itself. `wtt-connect doctor --profile {name}` looks closer."))
        }
        _ if !known.problems.is_empty() => Some(format!(
            "`wtt-connect logs {name}` and `wtt-connect doctor --profile {name}` tell more about the problems."
        )),
        _ => None,
    }
}

fn rows(known: &Known) -> Vec<[String; 2]> {
    let config = &known.profile.config;
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, text: String| rows.push([name.to_owned(), text]);
    let live = if let Life::Answers(answer) = &known.life { Some(answer) } else { None };
    let called = live
        .and_then(|live| live["display_name"].as_str())
        .map_or_else(String::new, |name| format!(" ({name})"));
    row("agent", format!("{}{called} at {}", config.agent_id, config.base_url));
    for (name, version) in &known.agents {
        row(
            "adapter",
            format!("{name} {}", version.as_deref().unwrap_or("is not usable")).trim_end().to_owned(),
        );
    }
    let model = config.model.as_deref().map_or_else(String::new, |model| format!(", model {model}"));
    row("mode", format!("{}{model}", config.mode.name()));
    row("workdir", config.workdir.display().to_string());
    if let Some(live) = live {
        answered(live, &mut row);
    }
    if let Some(files) = &known.files {
        stored(files, &mut row);
    }
    for problem in &known.problems {
        row(PROBLEM, problem.clone());
    }
    rows
}

/// What a running connector says.
fn answered(live: &Value, row: &mut dyn FnMut(&str, String)) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let words = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    row(
        "process",
        format!(
            "{}, wtt-connect {}, since {}",
            live["pid"],
            words(&live["version"]),
            words(&live["started"])
        ),
    );
    let link = &live["link"];
    if let Link::Retrying { problem, .. } | Link::Refused { problem } = Link::of(live) {
        row("offline", problem);
    } else if let Some(since) = link["since"].as_str() {
        row("connected", format!("since {since}"));
    }
    let last = &live["last_message"];
    row(
        "message",
        match last["topic"].as_str() {
            Some(topic) => format!("the last one {} ago in {topic}", span(number(&last["seconds"]))),
            None => "none yet".to_owned(),
        },
    );
    let running = live["running"].as_array().map(Vec::as_slice).unwrap_or_default();
    for turn in running {
        let word = if turn["stopping"] == true { "stopping after" } else { "for" };
        row(
            "turn",
            format!(
                "{} {word} {} in {}",
                words(&turn["adapter"]),
                span(number(&turn["seconds"])),
                words(&turn["session"])
            ),
        );
    }
    let waiting = number(&live["waiting"]);
    row("turns", format!("{} running, {waiting} waiting", running.len()));
    let outbox = &live["outbox"];
    row(
        "outbox",
        match number(&outbox["replies"]) {
            0 => "empty".to_owned(),
            n => format!("{n} reply(ies) on their way, the oldest for {}", span(number(&outbox["seconds"]))),
        },
    );
    let parked = &live["parked"];
    if number(&parked["messages"]) > 0 {
        row(
            "kept",
            format!(
                "{} message(s) until a usage limit resets, next at {}",
                parked["messages"],
                words(&parked["next"])
            ),
        );
    }
    if live["restarting"] == true {
        row("restart", "starts again when the running turns are over".to_owned());
    }
}

/// What the files of a stopped one say.
fn stored(files: &Files, row: &mut dyn FnMut(&str, String)) {
    let used = files.last_used.map(|at| u64::try_from((time::now_ms() - at) / 1000).unwrap_or(0));
    let used = used.map_or_else(String::new, |seconds| format!(", the last one used {} ago", span(seconds)));
    row("sessions", format!("{}{used}", files.sessions));
    if files.unfinished > 0 {
        row("cut", format!("{} turn(s) were cut; their topics are told at the next start", files.unfinished));
    }
    if files.parked > 0 {
        row("kept", format!("{} message(s) until a usage limit resets", files.parked));
    }
    let since = files.replies_since.and_then(|at| SystemTime::now().duration_since(at).ok());
    let since = since.map_or_else(String::new, |age| format!(", the oldest for {}", span(age.as_secs())));
    row(
        "outbox",
        match files.replies {
            0 => "empty".to_owned(),
            n => format!("{n} reply(ies) to deliver at the next start{since}"),
        },
    );
}

/// A span of time in the two units that matter.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let all = [0, 59, 60, 3599, 3660, 90_000].map(span);
        assert_eq!(all, ["0 s", "59 s", "1 min", "59 min", "1 h 1 min", "1 d 1 h"]);
    }
}
