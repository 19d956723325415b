//! Watching a connector come up, over its control socket.

use crate::daemon::control::{self, AskError, ConnectionState, Request};
use std::path::Path;
use std::time::{Duration, Instant};

/// A person waits; a connection takes a few round trips.
const PATIENCE: Duration = Duration::from_secs(15);
/// A failed attempt is followed by another within two seconds: that one may tell more.
const SECOND_TRY: Duration = Duration::from_secs(3);
/// Short for a person who waits, long for a machine.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// How it came up.
#[derive(Debug, PartialEq, Eq)]
pub enum Startup {
    /// Connected and authenticated, so long after the start.
    Connected(Duration),
    /// It runs, and this is why it is not connected.
    Offline(String),
    /// The service refuses the token.
    Refused(String),
}

/// Waits until the connector of a state directory is connected, or can say why not; `offline` when a first look has
/// found no way to the service.
pub fn wait_until_connected(state_dir: &Path, started: Instant, offline: bool) -> Startup {
    let mut said = "it has not said anything yet".to_owned();
    let mut retrying: Option<Instant> = None;
    loop {
        match control::ask(state_dir, &Request::Status) {
            Ok(answer) => match ConnectionState::of(&answer) {
                ConnectionState::Connected { .. } => return Startup::Connected(started.elapsed()),
                ConnectionState::Refused { problem } => return Startup::Refused(problem),
                ConnectionState::Retrying { problem, .. } => {
                    said = problem;
                    retrying.get_or_insert_with(Instant::now);
                }
                ConnectionState::Connecting => said = "the first attempt is still under way".into(),
            },
            Err(AskError::Absent) => {}
            Err(AskError::Failed(why)) => said = why,
        }
        let tried = retrying.is_some_and(|since| offline || since.elapsed() > SECOND_TRY);
        if tried || started.elapsed() > PATIENCE {
            return Startup::Offline(said);
        }
        crate::sys::thread::sleep(LOOK_AGAIN);
    }
}
