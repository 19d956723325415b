//! The commands, one file each.

pub mod approve;
pub mod artifacts;
pub mod demo_agent;
pub mod doctor;
pub mod down;
pub mod list;
pub mod logs;
pub mod panic_restart;
pub mod profiles;
pub mod restart;
pub mod setup;
pub mod smoke;
pub mod start;
pub mod status;
pub mod try_command;
pub mod up;
pub mod upload_file;
pub mod workdir;

use super::output;
use super::table::CommandArgs;
use crate::agent::adapters::ADAPTERS;
use crate::config::{Config, Selection};
use crate::error::{Error, Result};

/// Which settings a command line asks for, in this process.
pub fn selection(args: &CommandArgs) -> Selection {
    Selection {
        profile: args.profile.clone(),
        env_file: args.env_file.clone(),
        config_file: args.config.clone(),
        adapters: ADAPTERS.iter().map(|a| a.name.to_owned()).collect(),
        ..Selection::from_process()
    }
}

/// How `up` is typed for a profile that exists: with its name where that is not the usual one.
pub fn up_command(name: &str, config: &Config) -> String {
    up_command_of(Some(name), &config.adapter, &config.agent_id)
}

/// The same without its settings. An identity that could not be read has to be typed.
pub fn up_command_of(name: Option<&str>, adapter: &str, agent_id: &str) -> String {
    let usual = crate::config::profile::default_name(agent_id, adapter);
    let own =
        name.filter(|name| *name != usual).map_or_else(String::new, |name| format!(" --profile {name}"));
    let agent_id = if agent_id.is_empty() { "AGENT_ID TOKEN" } else { agent_id };
    format!("wtt-connect up{own} {adapter} {agent_id}")
}

/// Says something in the middle of the work: a reader that has gone is no reason to stop half-way.
pub fn print_and_continue(text: &str) -> Result<()> {
    match output::write_stdout(&crate::sys::log::redact(text)) {
        Err(Error::Silent(_)) => Ok(()),
        other => other,
    }
}
