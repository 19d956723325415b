//! How long tasks wait for what.

use std::time::Duration;

/// The name of the variable that shortens [`TaskTiming`] for tests: a JSON object of milliseconds by field name.
const TEST_TIMING: &str = "WTT_CONNECT_TEST_TASK_TIMING";

/// The pauses of tasks. See TASKS in wtt-connect-protocol(7).
#[derive(Debug)]
pub(super) struct TaskTiming {
    /// A run waits so long for a message that belongs to it.
    pub(super) hold: Duration,
    /// A task that is only to be done is looked at again after this.
    pub(super) recheck: Duration,
    /// After a look that failed.
    pub(super) retry: Duration,
    /// Between two sweeps.
    pub(super) sweep: Duration,
    /// Between two heartbeats of a run.
    pub(super) heartbeat: Duration,
}

impl TaskTiming {
    /// The usual ones, or what `WTT_CONNECT_TEST_TASK_TIMING` changes of them (tests only).
    pub(super) fn from_env() -> TaskTiming {
        let text = std::env::var(TEST_TIMING).unwrap_or_default();
        let changes = crate::json::parse::<serde_json::Value>(text).unwrap_or_default();
        let pause = |name: &str, usual| Duration::from_millis(changes[name].as_u64().unwrap_or(usual));
        TaskTiming {
            hold: pause("hold", 1_500),
            recheck: pause("recheck", 6_000),
            retry: pause("retry", 5_000),
            sweep: pause("sweep", 60_000),
            heartbeat: pause("beat", 60_000),
        }
    }
}
