//! What is asked of a CLI after a turn: its session id, if it has not told it. Which CLIs, and how, is in their specs.

use crate::agent::TurnRequest;
use crate::agent::adapter::LaunchContext;
use crate::agent::discovery::locate;
use crate::agent::helper_command;
use crate::agent::helper_command::HelperCommand;
use crate::agent::outcome::{AgentOutcome, TurnReport};
use crate::agent::runner::Runner;
use std::ffi::OsString;
use std::time::Duration;

/// The user waits for the answer meanwhile; a CLI reads this from its own files in well under a second.
const LIMIT: Duration = Duration::from_secs(5);

/// Adds the session to the report of a turn that ended well. If it cannot be had, the next message starts a fresh one.
pub(crate) fn complete(
    runner: &Runner<'_>,
    request: &TurnRequest,
    host: &LaunchContext<'_>,
    report: &mut TurnReport,
) {
    let (Some(after), None, AgentOutcome::Done(_)) =
        (runner.spec.post_turn_query, &report.session, &report.outcome)
    else {
        return;
    };
    let Ok(program) = locate::locate(runner.spec, runner.command) else { return };
    let leading = program.leading.iter().map(OsString::from);
    let said = helper_command::run_to_end(HelperCommand {
        program: &program.path,
        args: leading.chain((after.args)(request, host)).collect(),
        env: runner.env,
        input: "",
        workdir: &request.workdir,
        owner: runner.owner,
        limit: LIMIT,
        stop: None,
    });
    report.session = said.ok().and_then(|said| (after.parse_session)(&said.stdout, host));
    if report.session.is_none() {
        log::warn!("{} did not tell its session; the next message starts a fresh one", runner.spec.title);
    }
}
