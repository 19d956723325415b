//! Waiting for the result of a helper thread, unless the turn is stopped first.

use crate::agent::runner::Control;
use crossbeam_channel::{Receiver, RecvTimeoutError, select};
use std::time::Duration;

/// The turn was stopped meanwhile.
pub(crate) struct StoppedWhileWaiting;

/// What comes first: something from a thread, or a stop of the turn.
pub(crate) fn receive_or_stop<T>(
    told: &Receiver<T>,
    control: &Receiver<Control>,
    limit: Duration,
) -> Result<Result<T, RecvTimeoutError>, StoppedWhileWaiting> {
    select! {
        recv(told) -> what => Ok(what.map_err(|_| RecvTimeoutError::Disconnected)),
        // a hub that is gone stops everything as well
        recv(control) -> _ => Err(StoppedWhileWaiting),
        default(limit) => Ok(Err(RecvTimeoutError::Timeout)),
    }
}
