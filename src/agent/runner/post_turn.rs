//! What is asked of a CLI after a turn: its session id, if it has not told it. Which CLIs, and how, is in their specs.

use crate::agent::Request;
use crate::agent::adapter::Host;
use crate::agent::discovery::locate;
use crate::agent::helper_command;
use crate::agent::helper_command::Aside;
use crate::agent::outcome::{Outcome, Report};
use crate::agent::runner::Runner;
use std::ffi::OsString;
use std::time::Duration;

/// The user waits for the answer meanwhile; a CLI reads this from its own files in well under a second.
const LIMIT: Duration = Duration::from_secs(5);

/// Adds the session to the report of a turn that ended well. If it cannot be had, the next message starts a fresh one.
pub(crate) fn complete(runner: &Runner<'_>, request: &Request, host: &Host<'_>, report: &mut Report) {
    let (Some(after), None, Outcome::Done(_)) = (runner.spec.after, &report.session, &report.outcome) else {
        return;
    };
    let Ok(program) = locate::locate(runner.spec, runner.command) else { return };
    let leading = program.leading.iter().map(OsString::from);
    let said = helper_command::run(Aside {
        program: &program.path,
        args: leading.chain((after.args)(request, host)).collect(),
        env: runner.env,
        input: "",
        workdir: &request.workdir,
        owner: runner.owner,
        limit: LIMIT,
        stop: None,
    });
    report.session = said.ok().and_then(|said| (after.read)(&said.stdout, host));
    if report.session.is_none() {
        log::warn!("{} did not tell its session; the next message starts a fresh one", runner.spec.title);
    }
}
