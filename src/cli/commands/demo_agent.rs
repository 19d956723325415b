//! `demo-agent`: hands its arguments to the demonstration agent that `try` runs as a child process.

use crate::cli::table::CommandArgs;
use std::process::ExitCode;

/// Runs it on the standard streams.
pub fn run(args: CommandArgs) -> ExitCode {
    crate::local::demo_agent::main(args.operands)
}
