//! What the host needs of the configuration, and its time limits. No IO but one variable of the environment, for tests.

use crate::config::ShellSettings;
use crate::json;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// The variable that shortens [`HostTimeouts`] for tests of the real binary: a JSON object of milliseconds by field name.
const TEST_TIMES: &str = "WTT_CONNECT_TEST_HOST_TIMES";

/// What of the configuration is needed here.
pub(super) struct HostSettings {
    pub(super) shell: ShellSettings,
    pub(super) workdir: PathBuf,
    pub(super) base_url: String,
    /// Runtime info without what changes.
    pub(super) about: Value,
    pub(super) times: HostTimeouts,
}

/// How long terminals are kept, and how often the repository is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostTimeouts {
    /// Without a connection.
    pub(super) grace: Duration,
    /// With neither keys nor output.
    pub(super) idle: Duration,
    /// Without keys.
    pub(super) forgotten: Duration,
    /// From one look at the repository to the next.
    pub(super) glance: Duration,
}

impl HostTimeouts {
    pub(super) fn from_env() -> HostTimeouts {
        let text = std::env::var(TEST_TIMES).unwrap_or_default();
        let changes = json::parse::<Value>(text).unwrap_or_default();
        let time = |name: &str, usual: u64| {
            changes[name].as_u64().map_or(Duration::from_secs(usual), Duration::from_millis)
        };
        // a restart of the service or of a router takes a minute; a closed tab does not come back; and who only watches
        // is gone after a night; the connection's own pings wake the machine more often than every minute
        HostTimeouts {
            grace: time("grace", 120),
            idle: time("idle", 30 * 60),
            forgotten: time("forgotten", 12 * 60 * 60),
            glance: time("glance", 60),
        }
    }
}
