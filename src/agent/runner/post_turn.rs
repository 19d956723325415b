//! Queries a CLI for its session id after a turn in which it did not print the id. The adapter specs say which CLIs
//! need that, and how.

use crate::agent::TurnRequest;
use crate::agent::adapter::LaunchContext;
use crate::agent::discovery::locate;
use crate::agent::helper_command;
use crate::agent::helper_command::HelperCommand;
use crate::agent::outcome::{AgentOutcome, TurnReport};
use crate::agent::runner::context::Runner;
use std::ffi::OsString;
use std::time::Duration;

/// The user waits for the answer meanwhile. A CLI reads the id from its own files in well under a second.
const LIMIT: Duration = Duration::from_secs(5);

/// Adds the session to the report of a turn that ended well. If the query fails, the next message starts a fresh session.
pub(crate) fn query_session(
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
    let output = helper_command::run_to_end(HelperCommand {
        program: &program.path,
        args: leading.chain((after.args)(request, host)).collect(),
        env: runner.env,
        input: "",
        workdir: &request.workdir,
        owner: runner.owner,
        limit: LIMIT,
        stop: None,
    });
    report.session = output.ok().and_then(|output| (after.parse_session)(&output.stdout, host));
    if report.session.is_none() {
        log::warn!("{} did not report its session; the next message starts a fresh one", runner.spec.title);
    }
}
