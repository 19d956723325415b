//! The profiles of this user: found by name or by agent id, with their settings and the state of their connectors.

use super::running_pid;
use crate::agent::adapters::ADAPTERS;
use crate::config::{Config, Selection, Settings, profile};
use crate::daemon::control::{self, ControlError, Request};
use crate::error::{Error, Result};
use crate::text;
use serde_json::Value;

/// A profile with its settings.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The settings, with defaults in place of wrong values.
    pub config: Config,
    /// What is wrong with the settings, one sentence each.
    pub problems: Vec<String>,
}

/// Whether the connector of a profile runs, as seen from outside.
#[derive(Debug)]
pub enum ConnectorState {
    /// It runs, and this is its answer to the request.
    Answering(Value),
    /// It runs but does not answer, for this reason.
    Unresponsive(String),
    /// It does not run.
    NotRunning,
}

impl ConnectorState {
    /// The answer of a connector that answers.
    pub fn answer(&self) -> Option<&Value> {
        if let ConnectorState::Answering(answer) = self { Some(answer) } else { None }
    }
}

impl Profile {
    /// Reads a profile.
    pub fn read(name: &str) -> Profile {
        let selection = Selection {
            profile: Some(name.to_owned()),
            adapters: ADAPTERS.iter().map(|a| a.name.to_owned()).collect(),
            ..Selection::from_process()
        };
        let mut settings = Settings::read(&selection);
        let config = Config::draft(&selection, &mut settings);
        config.secrets().iter().for_each(|secret| crate::sys::log::add_secret(secret));
        let problems = settings.problems.into_iter().map(|problem| problem.0).collect();
        Profile { name: name.to_owned(), config, problems }
    }

    /// Sends a request to its connector.
    pub fn ask(&self, request: &Request) -> ConnectorState {
        match control::ask(&self.config.state_dir, request) {
            Ok(answer) => ConnectorState::Answering(answer),
            Err(ControlError::Failed(why)) => ConnectorState::Unresponsive(why),
            Err(ControlError::Absent) => match running_pid(&self.config.state_dir) {
                Some(pid) => ConnectorState::Unresponsive(format!(
                    "process {pid} has no control socket, or is just starting or stopping"
                )),
                None => ConnectorState::NotRunning,
            },
        }
    }
}

/// The profiles that an operand selects: all of them without an operand or with `all`.
pub fn select(operand: Option<&str>) -> Result<Vec<Profile>> {
    match operand {
        Some(word) if word != profile::ALL => Ok(vec![find(word)?]),
        _ => Ok(readable_names()?.iter().map(|name| Profile::read(name)).collect()),
    }
}

/// The names of all profiles, sorted.
pub fn names() -> Vec<String> {
    profile::names(Selection::from_process().places().profiles().ok().as_deref())
}

/// The same, with an error if the folder of profiles is not readable.
fn readable_names() -> Result<Vec<String>> {
    if let Ok(folder) = Selection::from_process().places().profiles()
        && let Err(e) = std::fs::read_dir(&folder)
        && e.kind() == std::io::ErrorKind::PermissionDenied
    {
        let why =
            format!("cannot read {}: permission denied; make it readable by this user", folder.display());
        return Err(Error::Config(why));
    }
    Ok(names())
}

/// Finds the profile with this name, or else the only profile of the agent with this id.
pub fn find(word: &str) -> Result<Profile> {
    let word = text::one_line(word);
    let names = readable_names()?;
    if names.contains(&word) {
        return Ok(Profile::read(&word));
    }
    let mut of_agent: Vec<Profile> = names.iter().map(|name| Profile::read(name)).collect();
    let ids: Vec<String> = of_agent.iter().map(|p| p.config.agent_id.clone()).collect();
    of_agent.retain(|p| p.config.agent_id == word);
    if of_agent.len() > 1 {
        let list: Vec<&str> = of_agent.iter().map(|p| p.name.as_str()).collect();
        return Err(Error::Usage(format!(
            "{word} has {} profiles: {}; name one of them",
            list.len(),
            list.join(", ")
        )));
    }
    of_agent.pop().ok_or_else(|| {
        let known = names.iter().chain(&ids).map(String::as_str);
        let mut near = text::similar(&word, known);
        near.dedup();
        let hint = match (near.as_slice(), names.is_empty()) {
            _ if word == profile::ALL => "this command takes the name of one profile".to_owned(),
            (_, true) => "`wtt-connect up` creates one".to_owned(),
            ([], false) => "`wtt-connect list` lists all profiles".to_owned(),
            (near, false) => format!("did you mean {}?", near.join(" or ")),
        };
        Error::Config(format!("there is no profile {}; {hint}", text::truncate(&word, 60)))
    })
}
