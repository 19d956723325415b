//! The commands: one module each, and what several of them share.

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

use super::table::CommandArgs;
use crate::agent::adapters::ADAPTERS;
use crate::config::{Config, Selection};
use crate::store::lock;
use std::path::Path;

/// Which settings apply to a command line in this process.
pub fn selection(args: &CommandArgs) -> Selection {
    Selection {
        profile: args.profile.clone(),
        env_file: args.env_file.clone(),
        config_file: args.config.clone(),
        adapters: ADAPTERS.iter().map(|a| a.name.to_owned()).collect(),
        ..Selection::from_process()
    }
}

/// The `up` command line for an existing profile, with `--profile` if its name is not the default one.
pub fn up_command(name: &str, config: &Config) -> String {
    up_command_of(Some(name), &config.adapter, &config.agent_id)
}

/// The same from single values. An identity that could not be read becomes a placeholder.
pub fn up_command_of(name: Option<&str>, adapter: &str, agent_id: &str) -> String {
    let default = crate::config::profile::default_name(agent_id, adapter);
    let flag =
        name.filter(|name| *name != default).map_or_else(String::new, |name| format!(" --profile {name}"));
    let agent_id = if agent_id.is_empty() { "AGENT_ID TOKEN" } else { agent_id };
    format!("wtt-connect up{flag} {adapter} {agent_id}")
}

/// What a command says when there is no profile.
pub const NO_PROFILE: &str = "There is no profile yet. `wtt-connect up ADAPTER AGENT_ID TOKEN` creates one";

/// The process that runs a connector with this state directory.
pub fn running_pid(state_dir: &Path) -> Option<u32> {
    lock::holder(&state_dir.join("lock"))
}
