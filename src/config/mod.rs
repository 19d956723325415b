//! The configuration, which is built at start from layers of settings.
//!
//! [`source`] merges the layers, [`keys`] is the table of settings, [`value`] parses values, and `build` makes
//! [`Config`] of them. All problems are reported together, each with setting, place and what is accepted.

pub mod adapter_names;
mod address;
mod build;
pub mod dotenv;
pub mod edit;
pub mod json;
pub mod keys;
pub mod kind;
mod mode;
pub mod model_switch;
pub mod paths;
pub mod permissions;
pub mod profile;
mod resolved;
mod shell;
pub mod source;
mod typed;
pub mod value;
pub mod voice;

pub use keys::chat::Busy;
pub use mode::Mode;
pub use resolved::{Config, Limits};
pub use shell::{ShellMode, ShellSettings};
pub use source::{Selection, Settings};

use crate::error::{Error, Result, reason};
use std::path::Path;

impl Config {
    /// Reads and checks the settings and creates the directories.
    pub fn load(selection: &Selection) -> Result<Config> {
        let mut config = Config::check(selection, &mut Settings::read(selection))?;
        config.prepare()?;
        Ok(config)
    }

    /// Checks settings that were read. Changes nothing on disk. All problems are also added to `settings`.
    pub fn check(selection: &Selection, settings: &mut Settings) -> Result<Config> {
        let config = Config::draft(selection, settings);
        if settings.problems.is_empty() { Ok(config) } else { Err(refusal(settings)) }
    }

    /// The same for callers that need a configuration in spite of problems; what is missing is empty.
    pub fn draft(selection: &Selection, settings: &mut Settings) -> Config {
        build::build(selection, settings)
    }

    /// Creates the directories, and makes a profile private if other users can read it.
    pub fn prepare(&mut self) -> Result<()> {
        let store_dir = self.store_file.parent().unwrap_or(Path::new("/"));
        for (what, dir) in [
            ("WTT_CONNECT_STATE_DIR", self.state_dir.as_path()),
            ("WTT_CONNECT_STORE_FILE", store_dir),
            ("WTT_CONNECT_WORKDIR", self.workdir.as_path()),
        ] {
            paths::create_private_dir(dir).map_err(|e| {
                Error::Config(format!(
                    "cannot create {} ({what}): {}; choose another directory",
                    dir.display(),
                    reason(&e)
                ))
            })?;
        }
        if let Some(name) = &self.profile
            && let Ok(path) = self.selection.places().profile_file(name)
            && let Ok(meta) = std::fs::metadata(&path)
            && profile::privacy(&meta) == profile::Privacy::Readable
            && profile::make_private(&path)
        {
            let note = source::readable(&path);
            self.notes.retain(|n| *n != note);
            self.notes.push(format!("{} could be read by other users; it is private now", path.display()));
        }
        Ok(())
    }
}

/// One error for all problems.
fn refusal(settings: &Settings) -> Error {
    let problems: Vec<&str> = settings.problems.iter().map(|p| p.0.as_str()).collect();
    Error::Config(match problems.as_slice() {
        [] => "the settings are incomplete".into(),
        [one] => (*one).to_owned(),
        many => format!("{} settings are wrong:\n  {}", many.len(), many.join("\n  ")),
    })
}
