//! The commands, one file each.

pub mod approve;
pub mod artifacts;
pub mod demo_agent;
pub mod doctor;
pub mod down;
pub mod fall;
pub mod list;
pub mod logs;
pub mod profiles;
pub mod restart;
pub mod setup;
pub mod smoke;
pub mod start;
pub mod status;
pub mod try_;
pub mod up;
pub mod upload_file;
pub mod workdir;

use super::out;
use super::spec::Args;
use crate::agent::spec::ADAPTERS;
use crate::config::{Config, Selection};
use crate::error::{Error, Result};

/// Which settings a command line asks for, in this process.
pub fn selection(args: &Args) -> Selection {
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
    let (adapter, agent_id) = (&config.adapter, &config.agent_id);
    let usual = crate::config::profile::default_name(agent_id, adapter) == name;
    let own = if usual { String::new() } else { format!(" --profile {name}") };
    format!("wtt-connect up{own} {adapter} {agent_id}")
}

/// Says something in the middle of the work: a reader that has gone is no reason to stop half-way.
pub fn say(text: &str) -> Result<()> {
    match out::stdout(&crate::sys::log::redact(text)) {
        Err(Error::Silent(_)) => Ok(()),
        other => other,
    }
}
