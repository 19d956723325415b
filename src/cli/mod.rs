//! The command line: parses the words, runs the command, turns the result into an exit code.
//!
//! [`table`] defines all commands and flags; [`parse`] reads the words by it, and [`render`] makes help and
//! completions of it. [`commands`] has one module per command. This is the only layer that writes to stdout and
//! stderr, through [`output`].

pub mod commands;
pub mod output;
pub mod parse;
pub mod render;
pub mod service;
pub mod table;

use crate::error::{Error, Result};
use crate::secret;
use parse::{CompletionShell, Parsed};
use render::{complete, help};
use std::process::ExitCode;
use table::{CommandArgs, CommandId};

/// Runs the program: parses its arguments, runs the command, and prints the error, if any.
pub fn main() -> ExitCode {
    // An error must not repeat a token that was typed in a wrong place.
    for word in std::env::args_os().skip(1).filter(|word| secret::looks_like_token(word)) {
        crate::sys::log::add_secret(&word.to_string_lossy());
    }
    match parse::parse(std::env::args_os().skip(1)).map_err(Error::Usage).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            if !matches!(error, Error::Silent(_)) {
                output::write_stderr(&format!("wtt-connect: {error}\n"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(parsed: Parsed) -> Result<ExitCode> {
    match parsed {
        Parsed::CommandList => output::write_stdout(&help::command_list())?,
        Parsed::CommandHelp { command, long } => output::write_stdout(&help::command_help(command, long))?,
        Parsed::Version => output::write_stdout(concat!("wtt-connect ", env!("CARGO_PKG_VERSION"), "\n"))?,
        Parsed::Generate(what) => output::write_stdout(&generate(what))?,
        Parsed::Run(command, args) => return execute(command.id, *args),
    }
    Ok(ExitCode::SUCCESS)
}

/// The completion script for a shell.
pub fn generate(what: CompletionShell) -> String {
    match what {
        CompletionShell::Bash => complete::bash(),
        CompletionShell::Zsh => complete::zsh(),
        CompletionShell::Fish => complete::fish(),
    }
}

fn execute(id: CommandId, args: CommandArgs) -> Result<ExitCode> {
    match id {
        CommandId::Start => commands::start::run(&args)?,
        CommandId::Doctor => return commands::doctor::run(&args),
        CommandId::List => commands::list::run(&args)?,
        CommandId::Status => return commands::status::run(&args),
        CommandId::Restart => return commands::restart::run(&args),
        CommandId::Approve => commands::approve::run(&args, true)?,
        CommandId::Deny => commands::approve::run(&args, false)?,
        CommandId::Logs => commands::logs::run(&args)?,
        CommandId::Try => commands::try_command::run(args)?,
        CommandId::Up => return commands::up::run(&args),
        CommandId::Down => commands::down::run(&args)?,
        CommandId::Workdir => commands::workdir::run(&args)?,
        CommandId::Setup => commands::setup::run(&args)?,
        CommandId::UploadFile => commands::upload_file::run(&args)?,
        CommandId::Artifacts => commands::artifacts::run(&args)?,
        CommandId::SmokeTask => commands::smoke::task(&args)?,
        CommandId::SmokeChat => commands::smoke::chat(&args)?,
        CommandId::Help => output::write_stdout(&help::command_list())?,
        CommandId::DemoAgent => return Ok(commands::demo_agent::run(args)),
    }
    Ok(ExitCode::SUCCESS)
}
