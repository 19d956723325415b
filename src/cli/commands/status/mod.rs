//! `status`: shows the state of connectors, from their answers or from their files. `gather.rs` gathers the data, and
//! `format.rs` turns it into text. Only the cached versions of the agents are changed on disk, and no secret is shown.

mod format;
mod gather;
mod versions;

use super::profiles::{self, ConnectorState};
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::error::{EXIT_UNAVAILABLE, Result};
use crate::sys::time;
use serde_json::{Value, json};
use std::process::ExitCode;

pub use format::{Span, connection_summary};
pub use gather::{ProfileStatus, gather};

/// Shows the selected profiles.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let profiles = profiles::select(args.operand(0).as_deref())?;
    let status: Vec<ProfileStatus> = profiles.into_iter().map(gather).collect();
    let text = if args.json {
        let rows: Vec<Value> = status.iter().map(as_json).collect();
        format!("{:#}\n", json!({ "profiles": rows }))
    } else {
        format::text(&status, output::use_color())
    };
    output::print_and_continue(&text)?;
    Ok(code(&status))
}

/// 69 if a connector does not run, 1 if one needs attention, else 0.
fn code(status: &[ProfileStatus]) -> ExitCode {
    if status.iter().any(|k| matches!(k.state, ConnectorState::NotRunning)) {
        return ExitCode::from(EXIT_UNAVAILABLE);
    }
    if status.iter().any(ProfileStatus::needs_attention) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The status as JSON. A contract: the field names are documented in wtt-connect(1).
fn as_json(status: &ProfileStatus) -> Value {
    let config = &status.profile.config;
    let live = status.state.answer();
    let agents: Vec<Value> = status
        .agents
        .iter()
        .map(|(name, version)| json!({ "adapter": name, "version": version.as_ref().ok().filter(|text| !text.is_empty()), "problem": version.as_ref().err() }))
        .collect();
    let files = status.files.as_ref().map(|f| {
        json!({
            "sessions": f.sessions, "last_used": f.last_used.map(time::rfc3339), "unfinished": f.unfinished,
            "parked": f.deferred, "replies": f.replies,
        })
    });
    json!({
        "profile": status.profile.name, "agent_id": config.agent_id, "base_url": config.base_url,
        "adapter": config.adapter, "agents": agents, "workdir": config.workdir.display().to_string(),
        "state_dir": config.state_dir.display().to_string(), "running": !matches!(status.state, ConnectorState::NotRunning),
        "ok": !status.needs_attention() && !matches!(status.state, ConnectorState::NotRunning),
        "live": live, "files": files, "problems": status.problems,
    })
}
