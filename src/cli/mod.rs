//! The command line: reads the words, runs the command, turns the result into an exit code.
//!
//! [`table`] is the one table; [`parse`] reads the words by it and [`render`] prints it. One file per command
//! in [`commands`]. This is the only layer that writes to stdout and stderr, through [`out`].

pub mod commands;
pub mod out;
pub mod parse;
pub mod render;
pub mod service;
pub mod table;

use crate::error::{Error, Result};
use crate::secret;
use parse::{Artefact, Parsed};
use render::{complete, help, man, man5};
use std::process::ExitCode;
use table::{Args, Id};

/// Runs the program.
pub fn main() -> ExitCode {
    // one that was typed in a wrong place shall not be repeated by the sentence about it
    for word in std::env::args_os().skip(1).filter(|word| secret::looks_like_token(word)) {
        crate::sys::log::add_secret(&word.to_string_lossy());
    }
    match parse::parse(std::env::args_os().skip(1)).map_err(Error::Usage).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            if !matches!(error, Error::Silent(_)) {
                out::stderr(&format!("wtt-connect: {error}\n"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(parsed: Parsed) -> Result<ExitCode> {
    match parsed {
        Parsed::Help { command, long } => out::stdout(&help::render(command, long))?,
        Parsed::Version => out::stdout(&man::version())?,
        Parsed::Generate(what) => out::stdout(&generate(what))?,
        Parsed::Run(command, args) => return execute(command.id, *args),
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of a generated file.
pub fn generate(what: Artefact) -> String {
    match what {
        Artefact::Bash => complete::bash(),
        Artefact::Zsh => complete::zsh(),
        Artefact::Fish => complete::fish(),
    }
}

/// The manual page of a section that is rendered from the tables: 1 or 5. The program does not call it, so that a release
/// build leaves its texts out: the pages are files of the repository, which a test keeps true.
pub fn manual(section: u8) -> String {
    if section == 1 { man::render() } else { man5::render() }
}

fn execute(id: Id, args: Args) -> Result<ExitCode> {
    match id {
        Id::Start => commands::start::run(&args)?,
        Id::Doctor => return commands::doctor::run(&args),
        Id::List => commands::list::run(&args)?,
        Id::Status => return commands::status::run(&args),
        Id::Restart => return commands::restart::run(&args),
        Id::Approve => commands::approve::run(&args, true)?,
        Id::Deny => commands::approve::run(&args, false)?,
        Id::Logs => commands::logs::run(&args)?,
        Id::Try => commands::try_command::run(args)?,
        Id::Up => return commands::up::run(&args),
        Id::Down => commands::down::run(&args)?,
        Id::Workdir => commands::workdir::run(&args)?,
        Id::Setup => commands::setup::run(&args)?,
        Id::UploadFile => commands::upload_file::run(&args)?,
        Id::Artifacts => commands::artifacts::run(&args)?,
        Id::SmokeTask => commands::smoke::task(&args)?,
        Id::SmokeChat => commands::smoke::chat(&args)?,
        Id::Help => out::stdout(&help::render(None, true))?,
        Id::DemoAgent => return Ok(commands::demo_agent::run(args)),
    }
    Ok(ExitCode::SUCCESS)
}
