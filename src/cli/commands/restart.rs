//! `restart`: restarts connectors without interrupting their turns.

use super::NO_PROFILE;
use super::profiles::{self, ConnectorState, Profile};
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::daemon::control::Request;
use crate::error::{EXIT_UNAVAILABLE, Error, Result};
use serde_json::Value;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// With `--now` agents get 12 seconds to end and replies 3 seconds to be acknowledged before the program restarts.
const RESTART_TIMEOUT: Duration = Duration::from_secs(30);
/// A restart takes tens of milliseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Restarts the named profiles. Returns 0, or 69 if one of them does not run.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let profiles = profiles::select(args.operand(0).as_deref())?;
    let mut code = ExitCode::SUCCESS;
    for profile in &profiles {
        let line = match restart(profile, args.now)? {
            Some(line) => line,
            None => {
                code = ExitCode::from(EXIT_UNAVAILABLE);
                format!(
                    "not running; `{}` starts it as a service, `wtt-connect start --profile {}` in the foreground",
                    super::up_command(&profile.name, &profile.config),
                    profile.name
                )
            }
        };
        output::print_and_continue(&format!("{}: {line}\n", profile.name))?;
    }
    if profiles.is_empty() {
        output::write_stdout(&format!("{NO_PROFILE}.\n"))?;
    }
    Ok(code)
}

/// Restarts one connector. Returns what happened, or none if it does not run.
pub fn restart(profile: &Profile, now: bool) -> Result<Option<String>> {
    if let Some(problem) = profile.problems.first() {
        // with these settings the new program would refuse to start
        return Err(Error::Config(format!(
            "{} was not restarted because of its settings: {problem}",
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
            Ok(Some(format!("restarted, wtt-connect {}", wait_for_restart(profile, &answer["instance"])?)))
        }
        turns => Ok(Some(format!(
            "restarts when its running turns have ended (currently {}); `--now` does not wait",
            turns.unwrap_or_default()
        ))),
    }
}

/// Waits until the restarted connector answers, and returns its version.
fn wait_for_restart(profile: &Profile, before: &Value) -> Result<String> {
    let until = Instant::now() + RESTART_TIMEOUT;
    while Instant::now() < until {
        if let Ok(answer) = crate::daemon::control::ask(&profile.config.state_dir, &Request::Status)
            && answer["instance"] != *before
        {
            return Ok(answer["version"].as_str().unwrap_or_default().to_owned());
        }
        crate::sys::thread::sleep(POLL_INTERVAL);
    }
    Err(Error::Failed(format!(
        "{} did not restart within {} s; `wtt-connect logs {}` may show why",
        profile.name,
        RESTART_TIMEOUT.as_secs(),
        profile.name
    )))
}
