//! `restart`: lets connectors start again without cutting their turns.

use super::profiles::{self, ConnectorState, Profile};
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::daemon::control::Request;
use crate::error::{Error, Result};
use serde_json::Value;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Agents that are cut get 12 seconds to end, replies three to be acknowledged; then the program starts.
const PATIENCE: Duration = Duration::from_secs(30);
/// A restart takes some tens of milliseconds.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Restarts those that are named. 0, or 69 when one does not run.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let profiles = profiles::select(args.operands.first().map(AsRef::as_ref))?;
    let mut code = ExitCode::SUCCESS;
    for profile in &profiles {
        let line = match restart(profile, args.now)? {
            Some(line) => line,
            None => {
                code = ExitCode::from(Error::Unavailable(String::new()).exit_code());
                format!(
                    "does not run; `{}` starts it as a service, `wtt-connect start --profile {}` here",
                    super::up_command(&profile.name, &profile.config),
                    profile.name
                )
            }
        };
        match output::write_stdout(&format!("{}: {line}\n", profile.name)) {
            // whether somebody reads it or not, all are restarted
            Ok(()) | Err(Error::Silent(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if profiles.is_empty() {
        output::write_stdout(
            "There is no profile yet. `wtt-connect up ADAPTER AGENT_ID TOKEN` makes one.\n",
        )?;
    }
    Ok(code)
}

/// What came of it; none when it does not run.
pub fn restart(profile: &Profile, now: bool) -> Result<Option<String>> {
    if let Some(problem) = profile.problems.first() {
        // the program that follows would refuse to start
        return Err(Error::Config(format!(
            "{} goes on as it is, because of its settings: {problem}",
            profile.name
        )));
    }
    let answer = match profile.ask(&Request::Restart { now }) {
        ConnectorState::NotRunning => return Ok(None),
        ConnectorState::Unresponsive(why) => return Err(Error::Failed(format!("{}: {why}", profile.name))),
        ConnectorState::Answering(answer) => answer,
    };
    match answer["turns"].as_u64() {
        Some(0) => {
            Ok(Some(format!("restarted, wtt-connect {}", version_of_next(profile, &answer["instance"])?)))
        }
        turns => Ok(Some(format!(
            "starts again when its running turns are over ({} now); `--now` cuts them",
            turns.unwrap_or_default()
        ))),
    }
}

/// Waits for the one that follows.
fn version_of_next(profile: &Profile, before: &Value) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Ok(answer) = crate::daemon::control::ask(&profile.config.state_dir, &Request::Status)
            && answer["instance"] != *before
        {
            return Ok(answer["version"].as_str().unwrap_or_default().to_owned());
        }
        crate::sys::thread::sleep(LOOK_AGAIN);
    }
    Err(Error::Failed(format!(
        "{} has not come back within {} s; `wtt-connect logs {}` may say why",
        profile.name,
        PATIENCE.as_secs(),
        profile.name
    )))
}
