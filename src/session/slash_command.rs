//! Whether a message is a command for the agent's CLI, and what becomes of it. Pure.

use crate::agent::TurnRequest;
use crate::agent::adapter::AdapterSpec;
use crate::agent::slash_commands::{self, SlashSupport};
use crate::session::messages::{Lang, Msg};
use crate::wire::intake::Job;

/// What the agent is given.
#[derive(Debug, PartialEq, Eq)]
pub enum SlashPlan {
    /// A message.
    Message,
    /// A command, in this transport if not in the usual one.
    Command(Option<&'static str>),
    /// Nothing: this is the answer.
    Answer(String),
}

/// Decides; the request is the one of an ordinary message.
pub fn plan(job: &Job, adapter: &AdapterSpec, request: &TurnRequest, lang: Lang) -> SlashPlan {
    let Some(name) = job.instruction.split_whitespace().next().filter(|word| word.starts_with('/')) else {
        return SlashPlan::Message;
    };
    let compacts = name == "/compact";
    let (fits, transport, takes) = match slash_commands::slash_support(adapter, request) {
        SlashSupport::Prompt(transport) => (true, transport, String::new()),
        SlashSupport::NoCompact => (!compacts, None, String::new()),
        SlashSupport::Only(names, transport) => (names.contains(&name), Some(transport), names.join(", ")),
        SlashSupport::None => (false, None, Msg::SlashNone.to(lang, &[])),
    };
    match fits {
        // before the first message there is no conversation to work on
        true if compacts && request.resume.is_none() => {
            SlashPlan::Answer(Msg::CompactNothing.to(lang, &[adapter.title]))
        }
        // a path at the beginning of a message is none
        true if is_name(name) => SlashPlan::Command(transport),
        false if job.forwarded_command && compacts => {
            SlashPlan::Answer(Msg::CompactsItself.to(lang, &[adapter.title]))
        }
        false if job.forwarded_command => {
            SlashPlan::Answer(Msg::SlashUnknown.to(lang, &[adapter.title, name, &takes]))
        }
        _ => SlashPlan::Message,
    }
}

fn is_name(word: &str) -> bool {
    word.len() > 1 && word[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:.".contains(&b))
}
