//! Waits for a started connector to connect, through its control socket.

use crate::daemon::control::{self, ConnectionState, ControlError, Request};
use std::path::Path;
use std::time::{Duration, Instant};

/// A person waits for this, and a connection takes only a few round trips.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A failed attempt is followed by a second one within two seconds, which may succeed.
const SECOND_ATTEMPT: Duration = Duration::from_secs(3);
/// Short for a person who waits, and cheap for the machine.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// How the connector started.
#[derive(Debug, PartialEq, Eq)]
pub enum Startup {
    /// Connected and authenticated, this long after the start.
    Connected(Duration),
    /// Running, but not connected for this reason.
    Offline(String),
    /// The service refused the token, with this reason.
    Refused(String),
}

/// Waits until the connector with this state directory is connected, or the reason why not is known. `offline`: an
/// earlier check did not reach the service, so the first failed attempt is enough.
pub fn wait_until_connected(state_dir: &Path, started: Instant, offline: bool) -> Startup {
    let mut last_problem = "it has not answered yet".to_owned();
    let mut retrying: Option<Instant> = None;
    loop {
        match control::ask(state_dir, &Request::Status) {
            Ok(answer) => match ConnectionState::of(&answer) {
                ConnectionState::Connected { .. } => return Startup::Connected(started.elapsed()),
                ConnectionState::Refused { problem } => return Startup::Refused(problem),
                ConnectionState::Retrying { problem, .. } => {
                    last_problem = problem;
                    retrying.get_or_insert_with(Instant::now);
                }
                ConnectionState::Connecting => last_problem = "the first attempt is still in progress".into(),
            },
            Err(ControlError::Absent) => {}
            Err(ControlError::Failed(why)) => last_problem = why,
        }
        let tried = retrying.is_some_and(|since| offline || since.elapsed() > SECOND_ATTEMPT);
        if tried || started.elapsed() > TIMEOUT {
            return Startup::Offline(last_problem);
        }
        crate::sys::thread::sleep(POLL_INTERVAL);
    }
}
