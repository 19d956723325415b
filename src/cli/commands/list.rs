//! `list`: shows all profiles as a table or as JSON.

use super::NO_PROFILE;
use super::profiles::{self, ConnectorState, Profile};
use super::status::connection_summary;
use crate::cli::output::{self, Color};
use crate::cli::table::CommandArgs;
use crate::daemon::control::Request;
use crate::error::Result;
use serde_json::json;

/// Prints the profiles.
pub fn run(args: &CommandArgs) -> Result<()> {
    let profiles = profiles::select(None)?;
    let states: Vec<(Profile, ConnectorState)> = profiles
        .into_iter()
        .map(|profile| {
            let state = profile.ask(&Request::Status);
            (profile, state)
        })
        .collect();
    let text = if args.json { as_json(&states) } else { as_text(&states) };
    output::write_stdout(&text)
}

/// What runs a connector. A contract: `--json` prints these words.
fn service(state: &ConnectorState) -> &str {
    match state {
        ConnectorState::NotRunning => "stopped",
        ConnectorState::Unresponsive(_) => "?",
        ConnectorState::Answering(answer) => answer["service"].as_str().unwrap_or("by hand"),
    }
}

fn as_text(states: &[(Profile, ConnectorState)]) -> String {
    if states.is_empty() {
        return format!("{NO_PROFILE}; `wtt-connect try` needs none.\n");
    }
    let head = ["PROFILE", "AGENT", "ADAPTER", "SERVICE", "CONNECTION", "WORKDIR"].map(str::to_owned);
    let rows = states.iter().map(|(profile, state)| {
        let config = &profile.config;
        let workdir = config.workdir.display().to_string();
        let shown = |text: &str| if text.is_empty() { "?".to_owned() } else { text.to_owned() };
        [
            profile.name.clone(),
            shown(&config.agent_id),
            config.adapter.clone(),
            service(state).to_owned(),
            connection_summary(state).0,
            shown(&workdir),
        ]
    });
    let table = output::align_columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), 0);
    let (head, rows) = table.split_once('\n').unwrap_or_default();
    let head = output::paint(head, Color::Bold, output::use_color());
    format!("{head}\n{rows}`wtt-connect status PROFILE` shows more.\n")
}

fn as_json(states: &[(Profile, ConnectorState)]) -> String {
    let rows: Vec<_> = states
        .iter()
        .map(|(profile, state)| {
            let config = &profile.config;
            let live = state.answer();
            json!({
                "profile": profile.name, "agent_id": config.agent_id, "adapter": config.adapter,
                "adapters": config.adapters, "workdir": config.workdir.display().to_string(),
                "service": service(state), "running": !matches!(state, ConnectorState::NotRunning), "pid": live.map(|live| live["pid"].clone()),
                "link": live.map(|live| live["link"].clone()),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "profiles": rows }))
}
