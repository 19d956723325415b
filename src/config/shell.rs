//! The settings of terminal and shell, as one small struct. Which keys there are is said in `keys/host.rs`.

use crate::config::source::take_parsed;
use crate::config::{Settings, keys, value};
use std::time::Duration;

/// What one-shot shell commands may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShellMode {
    /// Everything.
    #[default]
    Unsafe,
    /// What is on a list.
    Readonly,
    /// Nothing.
    Off,
}

/// What the web may do on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shell {
    /// `WTT_CONNECT_ENABLE_SHELL`
    pub enabled: bool,
    /// `WTT_CONNECT_SHELL_MODE`
    pub mode: ShellMode,
    /// `WTT_CONNECT_SHELL_TIMEOUT_SECONDS`
    pub timeout: Duration,
    /// `WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS`
    pub max_chars: usize,
}

/// What the web itself waits for a command.
const TIMEOUT: Duration = Duration::from_secs(120);
/// A screenful many times over; the web shows the last 1,200 characters of a failure.
const MAX_CHARS: usize = 20_000;

pub(super) fn shell(s: &mut Settings) -> Shell {
    let mode = take_parsed(s, "WTT_CONNECT_SHELL_MODE", |text| value::word(text, keys::SHELL_MODES));
    Shell {
        enabled: take_parsed(s, "WTT_CONNECT_ENABLE_SHELL", value::flag).unwrap_or(false),
        mode: match mode {
            Some("readonly") => ShellMode::Readonly,
            Some("off") => ShellMode::Off,
            _ => ShellMode::Unsafe,
        },
        timeout: take_parsed(s, "WTT_CONNECT_SHELL_TIMEOUT_SECONDS", value::seconds).unwrap_or(TIMEOUT),
        max_chars: take_parsed(s, "WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS", value::count).unwrap_or(MAX_CHARS),
    }
}
