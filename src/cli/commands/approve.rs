//! `approve` and `deny`: answer permission requests from this host, or list the open ones.

use super::profiles::{self, ConnectorState};
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::daemon::control::{PermissionAnswer, Request};
use crate::error::{Error, Result};
use crate::text;
use serde_json::{Value, json};

/// Longest cell of the list.
const CELL_CHARS: usize = 80;

/// Answers the request with the given id, or lists all open requests of the running connectors.
pub fn run(args: &CommandArgs, allow: bool) -> Result<()> {
    let chosen = profiles::select(args.profile.as_deref())?;
    let mut words = args.operands.iter().map(|word| word.to_string_lossy().into_owned());
    let id = words.next().map(|id| id.to_lowercase());
    let said = words.collect::<Vec<_>>().join(" ");
    let answer_with = if allow { Request::Approve } else { Request::Deny };
    let mut open: Vec<Value> = Vec::new();
    let mut running = false;
    for profile in &chosen {
        // list its requests first, because an id belongs to one connector
        let answer = match profile.ask(&answer_with(PermissionAnswer::default())) {
            ConnectorState::NotRunning => continue,
            ConnectorState::Unresponsive(why) => {
                return Err(Error::Failed(format!("{}: {why}", profile.name)));
            }
            ConnectorState::Answering(answer) => answer,
        };
        running = true;
        for mut ask in answer["asks"].as_array().cloned().unwrap_or_default() {
            if id.is_some() && ask["id"].as_str() == id.as_deref() {
                let request = answer_with(PermissionAnswer { id: id.clone(), words: said.clone() });
                return match profile.ask(&request) {
                    ConnectorState::Answering(answer) if args.json => {
                        output::write_stdout(&format!("{answer:#}\n"))
                    }
                    ConnectorState::Answering(answer) => {
                        let text = answer["text"].as_str().unwrap_or_default();
                        output::write_stdout(&format!("{}: {text}\n", profile.name))
                    }
                    ConnectorState::Unresponsive(why) => Err(Error::Failed(why)),
                    ConnectorState::NotRunning => {
                        Err(Error::Failed(format!("{} has just stopped", profile.name)))
                    }
                };
            }
            ask["profile"] = profile.name.as_str().into();
            open.push(ask);
        }
    }
    if !running {
        let none = if args.profile.is_some() {
            "the connector of this profile is not running"
        } else {
            "no connector of a profile is running"
        };
        return Err(Error::Unavailable(format!(
            "{none}; `wtt-connect list` shows the profiles, and `/approve` and `/deny` always work in the topic"
        )));
    }
    if let Some(id) = id {
        return Err(Error::Failed(format!(
            "there is no open request {}; `wtt-connect approve` lists the open ones",
            text::truncate(&text::one_line(&id), 20)
        )));
    }
    if args.json {
        return output::write_stdout(&format!("{}\n", json!({ "asks": open })));
    }
    output::write_stdout(&list(&open))
}

fn list(open: &[Value]) -> String {
    if open.is_empty() {
        return "There are no open permission requests.\n".to_owned();
    }
    let mut out = String::new();
    for ask in open {
        let word =
            |name: &str| text::truncate(&text::one_line(ask[name].as_str().unwrap_or_default()), CELL_CHARS);
        out.push_str(&format!(
            "{}  {} ({}), {} s left: {} {}\n",
            word("id"),
            word("profile"),
            word("agent"),
            ask["seconds"],
            word("tool"),
            word("about")
        ));
    }
    out.push_str(
        "`wtt-connect approve ID [always]` allows a request, `wtt-connect deny ID [REASON]` denies it.\n",
    );
    out
}
