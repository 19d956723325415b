//! `smoke-task` and `smoke-chat`: test a running connector through the API of the service.

mod chat;
mod task;

use super::profiles;
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::config::{Config, Settings};
use crate::error::{Error, Result};
use crate::text;
use std::time::{Duration, Instant};

pub use chat::run as chat;
pub use task::run as task;

/// A real agent on a busy machine takes a minute; after five minutes something is wrong.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Longest part of an answer that is shown.
const SHOWN_CHARS: usize = 200;

/// A test in progress.
struct SmokeTest {
    config: Config,
    settings: Settings,
    expected: String,
    began: Instant,
    until: Instant,
}

impl SmokeTest {
    /// Begins a test with the settings that `start` would use, or else with those of the only profile.
    fn begin(args: &CommandArgs, default: &str) -> Result<SmokeTest> {
        let mut selection = super::selection(args);
        let mut settings = Settings::read(&selection);
        let is_unset = selection.profile.is_none() && settings.get("WTT_AGENT_ID").is_none();
        if let (true, [only]) = (is_unset, profiles::names().as_slice()) {
            selection.profile = Some(only.clone());
            settings = Settings::read(&selection);
        }
        let config = Config::check(&selection, &mut settings)?;
        config.secrets().iter().for_each(|secret| crate::sys::log::add_secret(secret));
        let began = Instant::now();
        let until = began + args.timeout.map_or(TIMEOUT, Duration::from_secs);
        let expected = args.expected.clone().unwrap_or_else(|| default.to_owned());
        Ok(SmokeTest { config, settings, expected, began, until })
    }

    /// The prompt for the agent.
    fn request(&self) -> String {
        format!("This is a test. Answer with exactly this text and nothing else: {}", self.expected)
    }

    /// Prints a line about a step.
    fn step(&self, what: &str) -> Result<()> {
        output::print_and_continue(&format!(
            "{:>6.1} s  {}\n",
            self.began.elapsed().as_secs_f64(),
            text::one_line(what)
        ))
    }

    /// Checks that the answer contains the expected text.
    fn check(&self, answer: &str) -> Result<()> {
        let shown = text::truncate(&text::one_line(answer), SHOWN_CHARS);
        self.step(&format!("answer: {shown}"))?;
        if answer.contains(&self.expected) {
            return self.step("passed");
        }
        Err(Error::Failed(format!("the answer does not contain `{}`", self.expected)))
    }

    /// The error for a test that timed out.
    fn timed_out(&self, what: &str) -> Error {
        let seconds = (self.until - self.began).as_secs();
        Error::Unavailable(format!(
            "{what} within {seconds} s; `wtt-connect status` shows whether the connector runs and is connected"
        ))
    }
}
