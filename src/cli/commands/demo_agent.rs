//! `demo-agent`: runs the demonstration agent, which `try` starts as a child process.

use crate::cli::table::CommandArgs;
use std::process::ExitCode;

/// Runs the agent on the standard streams.
pub fn run(args: CommandArgs) -> ExitCode {
    crate::local::demo_agent::main(args.operands)
}
