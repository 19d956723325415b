//! Gathers what `status` shows about a profile: the answer of its connector, its files and its agents.

use super::versions;
use crate::cli::commands::profiles::{ConnectorState, Profile};
use crate::daemon::control::{ConnectionState, Request};
use crate::store::outbox::Outbox;
use crate::store::{self, Store};
use crate::sys::log_file;
use crate::text::count;
use serde_json::Value;
use std::time::SystemTime;

/// What is known about one profile.
#[derive(Debug)]
pub struct ProfileStatus {
    pub(super) profile: Profile,
    pub(super) state: ConnectorState,
    /// The enabled adapters with their versions, or why one cannot answer.
    pub(super) agents: Vec<(String, std::result::Result<String, String>)>,
    /// The stored state, if the connector does not run.
    pub(super) files: Option<StoredState>,
    /// Whether it has ever been started.
    pub(super) has_been_started: bool,
    /// Whether it was started by hand and logs to an unknown stderr.
    pub(super) has_no_log: bool,
    /// What needs to be fixed or known, one sentence each.
    pub(super) problems: Vec<String>,
}

/// The stored state of a connector that does not run.
#[derive(Debug, Default)]
pub(super) struct StoredState {
    pub(super) sessions: usize,
    /// Milliseconds since the epoch.
    pub(super) last_used: Option<i64>,
    pub(super) unfinished: usize,
    pub(super) deferred: usize,
    pub(super) replies: usize,
    pub(super) replies_since: Option<SystemTime>,
}

impl ProfileStatus {
    /// Whether messages are not answered until something is fixed.
    pub(super) fn needs_attention(&self) -> bool {
        let refused = |answer| matches!(ConnectionState::of(answer), ConnectionState::Refused { .. });
        let default = self.agents.iter().find(|(name, _)| *name == self.profile.config.adapter);
        self.state.answer().is_some_and(refused)
            || matches!(self.state, ConnectorState::Unresponsive(_))
            || !self.profile.problems.is_empty()
            || default.is_some_and(|(_, version)| version.is_err())
    }
}

/// Gathers everything about one profile.
pub fn gather(profile: Profile) -> ProfileStatus {
    let config = &profile.config;
    let state = profile.ask(&Request::Status);
    let agents = versions::of(config, state.answer());
    let mut problems = profile.problems.clone();
    match &state {
        ConnectorState::Answering(answer) => {
            problems.extend(
                answer["problems"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|p| p.as_str().map(str::to_owned)),
            );
            problems.extend(outdated(answer, &profile.name));
        }
        ConnectorState::Unresponsive(why) => problems.push(why.clone()),
        ConnectorState::NotRunning => {}
    }
    for (name, version) in &agents {
        if let (Err(why), false) = (version, config.agent_id.is_empty()) {
            problems.push(format!("{name} cannot answer: {why}"));
        }
    }
    for file in store::set_aside(&config.store_file) {
        let file = file.display().to_string();
        if !problems.iter().any(|problem| problem.contains(&file)) {
            problems.push(format!(
                "an unreadable state file was set aside as {file}; delete it if it is not needed"
            ));
        }
    }
    let (replies, replies_since, refused) = Outbox::summary(&config.state_dir.join("outbox"));
    if refused > 0 {
        let folder = config.state_dir.join("outbox/failed");
        problems.push(format!(
            "{} could not be delivered, see {}; delete the files there if they are not needed",
            count(refused, "reply", "replies"),
            folder.display()
        ));
    }
    let files = matches!(state, ConnectorState::NotRunning).then(|| {
        let Some(state) = Store::peek(&config.store_file) else {
            problems.push(format!(
                "{} cannot be read; the next start sets it aside",
                config.store_file.display()
            ));
            return StoredState { replies, replies_since, ..StoredState::default() };
        };
        StoredState {
            sessions: state.sessions.len(),
            last_used: state.sessions.values().map(|row| row.used_at).max(),
            unfinished: state.open.len(),
            deferred: state.deferred.len(),
            replies,
            replies_since,
        }
    });
    let has_been_started = config.state_dir.join("lock").exists();
    let by_hand = state.answer().is_some_and(|answer| answer["service"].is_null());
    let has_no_log = by_hand && !config.state_dir.join(log_file::FILE_NAME).exists();
    ProfileStatus { profile, state, agents, files, has_been_started, has_no_log, problems }
}

/// A sentence if the program file differs from the running program.
fn outdated(answer: &Value, profile: &str) -> Option<String> {
    let (running, mine) = (answer["version"].as_str()?, env!("CARGO_PKG_VERSION"));
    let next = match (answer["replaced"].as_bool()?, running == mine) {
        (false, true) => return None,
        (true, true) => "the new program file".to_owned(),
        (true, false) => format!("wtt-connect {mine}"),
        (false, false) => {
            return Some(format!(
                "wtt-connect {running} is running, but this is {mine}; an update is incomplete, or there are two installations"
            ));
        }
    };
    Some(format!("the program was updated; `wtt-connect restart {profile}` starts {next}"))
}
