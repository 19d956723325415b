//! Runs a program that the settings name: a model switcher, a transcriber, a synthesizer.

use crate::agent::helper_command::{self, HelperCommand, HelperError};
use crate::agent::runner::Control;
use crate::session::shared::Shared;
use crate::sys::program_path;
use crate::text;
use crossbeam_channel::Receiver;
use std::ffi::OsString;
use std::time::Duration;

/// How much of a program's error output is repeated.
pub(super) const COMPLAINT_CHARS: usize = 200;

/// Runs a program with its arguments to its end and returns its standard output. The error names the program and is
/// for people; [`HelperError::Stopped`] means that the turn was stopped.
pub(super) fn run(
    shared: &Shared,
    words: &[OsString],
    input: &str,
    limit: Duration,
    stop: Option<&Receiver<Control>>,
) -> Result<String, HelperError> {
    let failed = |why: String| Err(HelperError::CannotRun(why));
    let Some((name, args)) = words.split_first() else { return failed("no program is set".to_owned()) };
    let shown = name.to_string_lossy();
    let Some(program) = program_path::find_program(name) else {
        return failed(format!("`{shown}` is not an executable program"));
    };
    let result = helper_command::run_to_end(HelperCommand {
        program: &program,
        args: args.to_vec(),
        env: &shared.config.extra_env,
        input,
        workdir: &shared.config.workdir,
        owner: &shared.owner,
        limit,
        stop,
    });
    match result {
        Err(HelperError::Stopped) => Err(HelperError::Stopped),
        Err(error) => failed(format!("`{shown}` {error}")),
        Ok(output) if output.code == Some(0) => Ok(output.stdout),
        Ok(output) => {
            let complaint = text::truncate(&text::one_line(output.error_line()), COMPLAINT_CHARS);
            failed(format!("`{shown}` ended with {}: {complaint}", output.exit()))
        }
    }
}
