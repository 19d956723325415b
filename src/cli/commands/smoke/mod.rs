//! `smoke-task` and `smoke-chat`: a running connector tested from outside, over the service's API.

mod chat;
mod task;

use super::profiles;
use crate::cli::table::CommandArgs;
use crate::config::{Config, Settings};
use crate::error::{Error, Result};
use crate::text;
use std::time::{Duration, Instant};

pub use chat::run as chat;
pub use task::run as task;

/// A real agent on a busy machine takes a minute; five are a failure.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How much of an answer is shown.
const SHOWN_CHARS: usize = 200;

/// One test in progress.
struct SmokeTest {
    config: Config,
    settings: Settings,
    expected: String,
    began: Instant,
    until: Instant,
}

impl SmokeTest {
    /// With the settings that `start` would have; without any, those of the only profile.
    fn begin(args: &CommandArgs, usual: &str) -> Result<SmokeTest> {
        let mut selection = super::selection(args);
        let mut settings = Settings::read(&selection);
        let unsaid = selection.profile.is_none() && settings.get("WTT_AGENT_ID").is_none();
        if let (true, [only]) = (unsaid, profiles::names().as_slice()) {
            selection.profile = Some(only.clone());
            settings = Settings::read(&selection);
        }
        let config = Config::check(&selection, &mut settings)?;
        config.secrets().iter().for_each(|secret| crate::sys::log::add_secret(secret));
        let began = Instant::now();
        let until = began + args.timeout.map_or(TIMEOUT, Duration::from_secs);
        let expected = args.expected.clone().unwrap_or_else(|| usual.to_owned());
        Ok(SmokeTest { config, settings, expected, began, until })
    }

    /// What the agent is asked.
    fn request(&self) -> String {
        format!("This is a test. Answer with exactly this text and nothing else: {}", self.expected)
    }

    /// One line of what is seen.
    fn say(&self, what: &str) -> Result<()> {
        super::print_and_continue(&format!(
            "{:>6.1} s  {}\n",
            self.began.elapsed().as_secs_f64(),
            text::one_line(what)
        ))
    }

    /// Whether the answer is the one that was asked for.
    fn judge(&self, answer: &str) -> Result<()> {
        let shown = text::truncate(&text::one_line(answer), SHOWN_CHARS);
        self.say(&format!("answer: {shown}"))?;
        if answer.contains(&self.expected) {
            return self.say("passed");
        }
        Err(Error::Failed(format!("the answer does not contain `{}`", self.expected)))
    }

    /// Nothing came.
    fn late(&self, what: &str) -> Error {
        let seconds = (self.until - self.began).as_secs();
        Error::Unavailable(format!(
            "{what} within {seconds} s; `wtt-connect status` tells whether the connector runs and is connected"
        ))
    }
}
