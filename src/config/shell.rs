//! The settings of terminals and of shell commands from the web. Their rows are in `keys/shell.rs`.

use super::source::Settings;
use std::time::Duration;

/// What one-shot shell commands may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShellMode {
    /// Everything.
    #[default]
    Unsafe,
    /// Only commands of a fixed list.
    Readonly,
    /// Nothing.
    Off,
}

/// What the web may do on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShellSettings {
    /// `WTT_CONNECT_ENABLE_SHELL`
    pub enabled: bool,
    /// `WTT_CONNECT_SHELL_MODE`
    pub mode: ShellMode,
    /// `WTT_CONNECT_SHELL_TIMEOUT_SECONDS`
    pub timeout: Duration,
    /// `WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS`
    pub max_chars: usize,
}

/// The web page itself waits this long for a command.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Many screenfuls; the web page shows the last 1,200 characters of a failure.
const MAX_CHARS: usize = 20_000;

pub(super) fn build(settings: &mut Settings) -> ShellSettings {
    ShellSettings {
        enabled: settings.flag("WTT_CONNECT_ENABLE_SHELL"),
        mode: match settings.word("WTT_CONNECT_SHELL_MODE") {
            Some("readonly") => ShellMode::Readonly,
            Some("off") => ShellMode::Off,
            _ => ShellMode::Unsafe,
        },
        timeout: settings.seconds("WTT_CONNECT_SHELL_TIMEOUT_SECONDS", TIMEOUT),
        max_chars: settings.count("WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS", MAX_CHARS),
    }
}
