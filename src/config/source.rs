//! Layers of settings: which files are read in which order, and the source of each value.
//!
//! Reading never fails as a whole: all problems are collected, so that they can be shown together, and `doctor` can
//! show the valid settings as well.

use super::dotenv::{self, EnvLine};
use super::keys::{self, CONFIG_FILE, ENV_FILE, SettingSpec};
use super::paths::Places;
use super::{json, profile};
use crate::error::reason;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Which settings to load: the flags of the command line, and the environment of the process. Debug leaves the
/// environment out, because it may contain tokens.
#[derive(Clone, Default)]
pub struct Selection {
    /// `--profile`
    pub profile: Option<String>,
    /// `--env-file`
    pub env_file: Option<PathBuf>,
    /// `--config`
    pub config_file: Option<PathBuf>,
    /// Names of the adapters that this build can drive; empty means all names.
    pub adapters: Vec<String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The current directory.
    pub cwd: PathBuf,
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection")
            .field("profile", &self.profile)
            .field("env_file", &self.env_file)
            .field("config_file", &self.config_file)
            .finish_non_exhaustive()
    }
}

impl Selection {
    /// The environment and directory of this process; variables that are not UTF-8 are left out.
    pub fn from_process() -> Self {
        let mut environment = BTreeMap::new();
        environment.extend(
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        );
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        Selection { environment, cwd, ..Selection::default() }
    }

    /// These variables only, for an embedded connector and for tests. No file is read unless a variable names one.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut environment = BTreeMap::new();
        environment.extend(variables.into_iter().map(|(k, v)| (k.into(), v.into())));
        Selection { environment, cwd: PathBuf::from("/"), ..Selection::default() }
    }

    /// The standard directories that belong to it.
    pub fn places(&self) -> Places {
        Places::new(|name| self.environment.get(name).cloned(), self.cwd.clone())
    }
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The environment of the process.
    Environment,
    /// A line of an env file or profile.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A JSON file.
    Json {
        /// The file.
        path: PathBuf,
    },
    /// Not set.
    Default,
}

impl Source {
    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Source::File { path, .. } | Source::Json { path } => Some(path),
            Source::Environment | Source::Default => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Environment => f.write_str("environment"),
            Source::File { path, line } => write!(f, "{}:{line}", path.display()),
            Source::Json { path } => write!(f, "{}", path.display()),
            Source::Default => f.write_str("default"),
        }
    }
}

/// A value and its source. `text` is trimmed; an empty one means the default.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub text: String,
    /// Its source.
    pub source: Source,
}

/// A problem: one sentence with setting and place, and without the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub String);

/// A variable and its value in one layer.
struct SettingLine {
    name: String,
    value: String,
    source: Source,
}

/// All layers, merged.
#[derive(Default)]
pub struct Settings {
    /// Values by key name.
    pub values: BTreeMap<String, Setting>,
    /// Variables of the files that are neither settings nor in the environment. Agents get them.
    pub extra: BTreeMap<String, String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether a file could not be read or parsed completely: it may contain settings that seem to be unset.
    pub incomplete: bool,
    /// Notes about what is unusual but works, one sentence each.
    pub notes: Vec<String>,
    /// `WTT_*` names that this version does not know.
    pub unknown: BTreeSet<String>,
    /// The files that were read, by precedence.
    pub files: Vec<PathBuf>,
}

impl Settings {
    /// Reads all layers in order of precedence (`wtt-connect(5)`). Without a profile: environment, env file, `.env` of
    /// the current directory, JSON file. With a profile: env file, profile, JSON file, files only if the command line
    /// names them. `WTT_*` variables of the environment are then ignored, because they may belong to another agent that
    /// started us.
    pub fn read(selection: &Selection) -> Settings {
        let mut all = Settings::default();
        let places = selection.places();
        let from_environment = |name: &str| {
            let value = selection.environment.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
            if selection.profile.is_some() { None } else { value.map(PathBuf::from) }
        };
        let env_file = selection.env_file.clone().or_else(|| from_environment(ENV_FILE));
        let config_file = selection.config_file.clone().or_else(|| from_environment(CONFIG_FILE));

        all.environment(selection);
        if let Some(file) = env_file {
            all.env_file(&selection.cwd.join(file));
        }
        match &selection.profile {
            Some(name) => all.profile(name, &places),
            None => {
                let default = selection.cwd.join(".env");
                if default.is_dir() {
                    all.notes.push(format!("{} is a directory and is not read", default.display()));
                } else if default.exists() {
                    all.env_file(&default);
                }
            }
        }
        if let Some(file) = config_file {
            all.json_file(&selection.cwd.join(file));
        }
        all.incomplete = !all.problems.is_empty();
        all.extra.retain(|name, _| !selection.environment.contains_key(name));
        all
    }

    /// The settings that a profile with this text would have, to check it before it is written.
    pub fn of_profile(selection: &Selection, path: &Path, text: &str) -> Settings {
        let mut all = Settings::default();
        all.env_text(path, text);
        all.incomplete = !all.problems.is_empty();
        all.extra.retain(|name, _| !selection.environment.contains_key(name));
        all
    }

    /// The value of a setting, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.values.get(name).filter(|s| !s.text.is_empty())
    }

    /// A variable that is not a setting, from the environment or else from the files.
    pub fn foreign<'a>(&'a self, selection: &'a Selection, name: &str) -> Option<&'a str> {
        selection
            .environment
            .get(name)
            .or_else(|| self.extra.get(name))
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// Adds one layer; values that are set already are kept. Within a layer the name itself comes before its aliases,
    /// and the last of several assignments wins, as in every dotenv program.
    fn layer(&mut self, assignments: &[SettingLine]) {
        for key in keys::all() {
            let named = |name: &&str| assignments.iter().rfind(|one| one.name == **name);
            let found = std::iter::once(&key.name).chain(key.aliases).find_map(named);
            if let (Some(found), false) = (found, self.values.contains_key(key.name)) {
                let setting = Setting { text: found.value.trim().to_owned(), source: found.source.clone() };
                self.values.insert(key.name.to_owned(), setting);
            }
        }
        // backwards, so that the last assignment of a variable wins here, too
        for SettingLine { name, value, source } in assignments.iter().rev() {
            if keys::find(name).is_some() || [ENV_FILE, CONFIG_FILE].contains(&name.as_str()) {
                continue;
            }
            let is_internal = name.starts_with("WTT_CONNECT_TEST_") || name == "WTT_CONNECT_UNTIL_EOF";
            if name.starts_with("WTT_") && !is_internal {
                self.unknown.insert(name.clone());
            } else if matches!(source, Source::File { .. }) {
                self.extra.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }

    /// Adds the environment; with a profile only the log filter.
    fn environment(&mut self, selection: &Selection) {
        let mut assignments = Vec::new();
        for (name, value) in &selection.environment {
            if !name.starts_with("WTT_") || (selection.profile.is_some() && name != keys::LOG) {
                continue;
            }
            assignments.push(SettingLine {
                name: name.clone(),
                value: value.clone(),
                source: Source::Environment,
            });
        }
        self.layer(&assignments);
    }

    fn profile(&mut self, name: &str, places: &Places) {
        if !profile::is_name(name) {
            return self.problem(format!(
                "\"{}\" is not a profile name; accepted: {}",
                printable(name),
                profile::RULE
            ));
        }
        let path = match places.profile_file(name) {
            Ok(path) => path,
            Err(why) => return self.problem(why.to_owned()),
        };
        match std::fs::metadata(&path) {
            Ok(meta) if profile::privacy(&meta) == profile::Privacy::Foreign => {
                return self.problem(format!("{} belongs to another user; it is not read", path.display()));
            }
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let names = profile::names(path.parent());
                let near = crate::text::similar(name, names.iter().map(String::as_str));
                let hint = match (near.as_slice(), names.len()) {
                    ([], 0) => "; `wtt-connect up` creates one".into(),
                    ([], 1) => format!("; there is {}", names.join("")),
                    ([], _) => format!("; there are {}", names.join(", ")),
                    (near, _) => format!("; did you mean {}?", near.join(" or ")),
                };
                let path = path.display();
                return self.problem(format!("profile {name} does not exist: there is no {path}{hint}"));
            }
            Err(_) => {} // reading the file reports the reason
        }
        self.env_file(&path);
    }

    fn env_file(&mut self, path: &Path) {
        let Some(text) = self.text_of(path) else { return };
        if let Ok(meta) = std::fs::metadata(path)
            && profile::privacy(&meta) == profile::Privacy::Readable
            && text.contains("TOKEN")
        {
            self.notes.push(readable(path));
        }
        self.env_text(path, &text);
    }

    fn env_text(&mut self, path: &Path, text: &str) {
        let (entries, bad) = dotenv::parse(text);
        for line in bad {
            self.problem(format!("{}:{}: the line {}", path.display(), line.line, line.why));
        }
        let mut assignments = Vec::new();
        for EnvLine { name, value, line, .. } in entries {
            let source = Source::File { path: path.to_owned(), line };
            assignments.push(SettingLine { name, value, source });
        }
        self.layer(&assignments);
    }

    fn json_file(&mut self, path: &Path) {
        let Some(text) = self.text_of(path) else { return };
        match json::parse(&text) {
            Ok(object) => {
                for why in object.problems {
                    self.problem(format!("{}: {why}", path.display()));
                }
                let mut assignments = Vec::new();
                for (name, value) in object.values {
                    let source = Source::Json { path: path.to_owned() };
                    assignments.push(SettingLine { name, value, source });
                }
                self.layer(&assignments);
                self.unknown.extend(object.unknown);
            }
            Err(why) => self.problem(format!("{}: {why}", path.display())),
        }
    }

    fn text_of(&mut self, path: &Path) -> Option<String> {
        self.files.push(path.to_owned());
        match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(_)) => self.problem(format!("{} is not UTF-8 text; save it as such", path.display())),
            Err(e) => {
                let why = reason(&e);
                let remedy = match e.kind() {
                    ErrorKind::NotFound => "create it, or name another file",
                    ErrorKind::PermissionDenied => "make it readable for this user",
                    _ => "name another file",
                };
                self.problem(format!("cannot read {}: {why}; {remedy}", path.display()));
            }
        }
        None
    }

    pub(super) fn problem(&mut self, sentence: String) {
        self.problems.push(Problem(sentence));
    }

    /// Records a problem with the value of a setting.
    pub(super) fn wrong(&mut self, key: &SettingSpec, why: &str) {
        let place = self.values.get(key.name).map_or(&Source::Default, |s| &s.source);
        let sentence = format!("{} ({place}) {why}; accepted: {}", key.name, key.kind.accepts());
        self.problem(sentence);
    }
}

/// The note about a file with a token that is not private.
pub(super) fn readable(path: &Path) -> String {
    format!("{} can be read by other users; chmod 600 it", path.display())
}

/// A name for a message: short, and without control characters.
fn printable(name: &str) -> String {
    crate::text::truncate(&crate::text::one_line(name), 60)
}
