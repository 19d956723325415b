//! The command line: reads the words, runs the command, turns the result into an exit code.
//!
//! [`spec`] is the one table; [`parse`], [`help`], [`man`], [`man5`] and [`complete`] render it. One file per command
//! in [`cmd`]. This is the only layer that writes to stdout and stderr, through [`out`].

pub mod cmd;
pub mod complete;
pub mod help;
pub mod man;
pub mod man5;
pub mod out;
pub mod parse;
pub mod roff;
pub mod service;
pub mod spec;

use crate::error::{Error, Result};
use crate::secret;
use parse::{Artefact, Parsed};
use spec::{Args, Id};
use std::process::ExitCode;

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
        Id::Start => cmd::start::run(&args)?,
        Id::Doctor => return cmd::doctor::run(&args),
        Id::List => cmd::list::run(&args)?,
        Id::Status => return cmd::status::run(&args),
        Id::Restart => return cmd::restart::run(&args),
        Id::Approve => cmd::approve::run(&args, true)?,
        Id::Deny => cmd::approve::run(&args, false)?,
        Id::Logs => cmd::logs::run(&args)?,
        Id::Try => cmd::try_command::run(args)?,
        Id::Up => return cmd::up::run(&args),
        Id::Down => cmd::down::run(&args)?,
        Id::Workdir => cmd::workdir::run(&args)?,
        Id::Setup => cmd::setup::run(&args)?,
        Id::UploadFile => cmd::upload_file::run(&args)?,
        Id::Artifacts => cmd::artifacts::run(&args)?,
        Id::SmokeTask => cmd::smoke::task(&args)?,
        Id::SmokeChat => cmd::smoke::chat(&args)?,
        Id::Help => out::stdout(&help::render(None, true))?,
        Id::DemoAgent => return Ok(cmd::demo_agent::run(args)),
    }
    Ok(ExitCode::SUCCESS)
}
