//! Reads settings as typed values. A value that is not accepted is recorded as a problem and counts as not set.

use super::keys::{self, SettingSpec};
use super::kind::SettingKind;
use super::paths::Places;
use super::source::Settings;
use super::value;
use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// The row of a setting that this version has.
pub(super) fn key(name: &str) -> &'static SettingSpec {
    keys::find(name).expect("names in these files are rows of the table, as a test checks")
}

impl Settings {
    /// The text of a setting that is set, if its kind accepts it.
    pub(super) fn checked(&mut self, name: &str) -> Option<String> {
        let key = key(name);
        let text = self.get(name)?.text.clone();
        key.kind.check(&text).map(|()| text).map_err(|why| self.wrong(key, &why)).ok()
    }

    /// A setting whose text may be refused although its kind accepts it, for example because of a missing file.
    pub(super) fn parsed<T>(&mut self, name: &str, parse: &dyn Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.checked(name)?;
        parse(&text).map_err(|why| self.wrong(key(name), &why)).ok()
    }

    /// A switch; off if it is not set.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.checked(name).is_some_and(|text| value::flag(&text) == Ok(true))
    }

    /// A number; its range is that of its kind.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.checked(name)?.parse().ok()
    }

    /// A count of things.
    pub(super) fn count(&mut self, name: &str, default: usize) -> usize {
        self.number(name).map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// A time in seconds.
    pub(super) fn seconds(&mut self, name: &str, default: Duration) -> Duration {
        self.number(name).map_or(default, Duration::from_secs)
    }

    /// One of the words of its kind.
    pub(super) fn word(&mut self, name: &str) -> Option<&'static str> {
        let SettingKind::Word(words) = key(name).kind else { return None };
        value::word(&self.checked(name)?, words).ok()
    }

    /// Words separated by commas.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        self.checked(name).map(|text| value::list(&text)).unwrap_or_default()
    }

    /// A program and its arguments.
    pub(super) fn command(&mut self, name: &str) -> Option<Vec<String>> {
        value::command(&self.checked(name)?).ok()
    }

    /// The address of a service, without slashes at its end.
    pub(super) fn url(&mut self, name: &str) -> Option<String> {
        let schemes = if key(name).kind == SettingKind::WsUrl { value::WS } else { value::HTTP };
        value::url(&self.checked(name)?, schemes).ok()
    }

    /// A token, a key or a password.
    pub(super) fn secret(&mut self, name: &str) -> Option<Secret> {
        self.checked(name).map(Secret::new)
    }

    /// A path, or else its default. It is empty if there is neither; why there is no default is then recorded once.
    pub(super) fn path(
        &mut self,
        name: &str,
        places: &Places,
        default: Result<PathBuf, &'static str>,
    ) -> PathBuf {
        if self.get(name).is_some() {
            return self.parsed(name, &|text| places.absolute(text)).unwrap_or_default();
        }
        default.unwrap_or_else(|why| {
            if !self.problems.iter().any(|problem| problem.0 == why) {
                self.problem(why.to_owned());
            }
            PathBuf::new()
        })
    }
}
