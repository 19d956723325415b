//! Everything decided at start: one plain struct, built from layers of settings.
//!
//! [`source`] merges the layers, [`keys`] says which keys there are, [`value`] what each accepts; here they become
//! [`Config`]. All problems are reported together, each with key, place and what is accepted.

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
mod shell;
pub mod source;
pub mod value;
pub mod voice;

pub use crate::config::shell::{Shell, ShellMode};
pub use mode::Mode;
use source::Source;
pub use source::{Selection, Settings};

use crate::error::{Error, Result, reason};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is done with a message for an agent that is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Busy {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is added to the running turn, in the way that disturbs the agent least.
    Steer,
    /// The agent is interrupted, and goes on with both.
    Interrupt,
}

/// Time limits of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the first event of the agent.
    pub first_event: Duration,
    /// Without any event.
    pub idle: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // A cold CLI with a slow provider answers within a minute; long builds are silent for many minutes.
        Limits {
            first_event: Duration::from_secs(120),
            idle: Duration::from_secs(900),
            total: Duration::from_secs(7200),
        }
    }
}

/// The configuration of one profile.
#[derive(Debug, Clone)]
pub struct Config {
    /// Profile name, when started by profile.
    pub profile: Option<String>,
    /// `WTT_BASE_URL` without trailing slash.
    pub base_url: String,
    /// `WTT_WS_URL`, when the WebSocket lives elsewhere.
    pub ws_url: Option<String>,
    /// `WTT_AGENT_ID`.
    pub agent_id: String,
    /// `WTT_TOKEN`.
    pub token: Secret,
    /// Where it came from.
    pub token_source: Source,
    /// `WTT_HTTP_TOKEN`, else the token.
    pub http_token: Secret,
    /// `WTT_CONNECT_ADAPTER`.
    pub adapter: String,
    /// `WTT_CONNECT_ADAPTERS`; contains `adapter`.
    pub adapters: Vec<String>,
    /// `WTT_CONNECT_WORKDIR`, absolute; exists after start.
    pub workdir: PathBuf,
    /// `WTT_CONNECT_MODE`.
    pub mode: Mode,
    /// `WTT_CONNECT_ALLOW_YOLO`: a chat command may switch to the mode yolo.
    pub allow_yolo: bool,
    /// `WTT_CONNECT_PERMISSIONS`.
    pub permissions: Vec<permissions::Rule>,
    /// `WTT_CONNECT_APPROVAL_SECONDS`: so long people have to answer; zero asks nobody.
    pub approval: Duration,
    /// `WTT_CONNECT_AGENT_ALIASES`.
    pub aliases: Vec<String>,
    /// `WTT_CONNECT_MODEL`: fallback.
    pub model: Option<String>,
    /// `WTT_CONNECT_EFFORT`: fallback.
    pub effort: Option<String>,
    /// `WTT_CONNECT_STATE_DIR`, absolute.
    pub state_dir: PathBuf,
    /// `WTT_CONNECT_STORE_FILE`, absolute; `<state_dir>/state.json` by default.
    pub store_file: PathBuf,
    /// `WTT_CONNECT_INBOX_DIR`.
    pub inbox_dir: PathBuf,
    /// `WTT_CONNECT_ARTIFACT_DIR`.
    pub artifact_dir: PathBuf,
    /// `WTT_CONNECT_UPLOAD_ARTIFACTS`: the summary of a run goes into its topic as a file.
    pub upload_artifacts: bool,
    /// `WTT_CONNECT_MODEL_SWITCH_*`; `None` when it is off.
    pub switch: Option<model_switch::Switch>,
    /// `WTT_CONNECT_STT_*` and `WTT_CONNECT_TTS_*`.
    pub voice: voice::Voice,
    /// `WTT_CONNECT_MEDIA_HOSTS`.
    pub media_hosts: Vec<String>,
    /// `WTT_CONNECT_MODEL_PROVIDER_MAP`, the most particular pattern first.
    pub provider_map: Vec<model_switch::MapRow>,
    /// `WTT_CONNECT_PUBLISH_PROGRESS`.
    pub publish_progress: bool,
    /// `WTT_CONNECT_<ADAPTER>_COMMAND` by adapter name: program and leading arguments (shell words).
    pub commands: BTreeMap<String, Vec<String>>,
    /// `WTT_CONNECT_<ADAPTER>_TRANSPORT` by adapter name, where it is set.
    pub transports: BTreeMap<String, String>,
    /// `WTT_CONNECT_FIRST_EVENT_SECONDS`, `WTT_CONNECT_IDLE_SECONDS`, `WTT_CONNECT_TURN_SECONDS`.
    pub limits: Limits,
    /// `WTT_CONNECT_BUSY`.
    pub busy: Busy,
    /// `WTT_CONNECT_MERGE_WAITING`: messages of one sender that wait together become one turn.
    pub merge_waiting: bool,
    /// `WTT_CONNECT_CATCH_UP_MINUTES`: older messages found after a reconnect are not answered.
    pub catch_up: Duration,
    /// `WTT_CONNECT_CA_FILE`, `SSL_CERT_FILE` or `NODE_EXTRA_CA_CERTS`.
    pub ca_file: Option<PathBuf>,
    /// `WTT_CONNECT_SESSION_IDLE_SECONDS`: an idle session thread ends after this.
    pub session_idle: Duration,
    /// `WTT_CONNECT_AUTO_REEXEC`: starts a program file that was replaced.
    pub auto_reexec: bool,
    /// `WTT_CONNECT_MAX_AGENTS`: so many run at once.
    pub max_agents: usize,
    /// `WTT_CONNECT_AGENT_IDLE_SECONDS`: an agent process stays so long between turns; zero ends each with its turn.
    pub agent_idle: Duration,
    /// Terminal and shell commands from the web.
    pub shell: Shell,
    /// `WTT_E2E_PASSWORD`
    pub e2e_password: Option<Secret>,
    /// Variables of the env files that are not ours (an API key, a proxy) and that the environment does not have.
    pub extra_env: BTreeMap<String, Secret>,
    /// `WTT_CONNECT_LOG`, `RUST_LOG` or `info`.
    pub log: String,
    /// Oddities found while loading, one sentence each: to be logged as warnings.
    pub notes: Vec<String>,
    /// How it was loaded, to read the token again.
    pub selection: Selection,
}

impl Config {
    /// Reads, checks and prepares: afterwards the directories exist.
    pub fn load(selection: &Selection) -> Result<Config> {
        let mut config = Config::check(selection, &mut Settings::read(selection))?;
        config.prepare()?;
        Ok(config)
    }

    /// Checks settings that were read. Touches nothing but the certificate file, whose absence is a problem.
    /// Every problem is also added to `settings`.
    pub fn check(selection: &Selection, settings: &mut Settings) -> Result<Config> {
        let config = Config::draft(selection, settings);
        if settings.problems.is_empty() { Ok(config) } else { Err(refusal(settings)) }
    }

    /// The same for `doctor`, which looks at what is there although something is missing: that is empty.
    pub fn draft(selection: &Selection, settings: &mut Settings) -> Config {
        build::build(selection, settings)
    }

    /// Creates the directories, and makes a profile private that others can read.
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

    /// The token as the files say now, so that a new one in the profile is used without a restart.
    pub fn token_now(&self) -> Secret {
        self.now(&["WTT_TOKEN"]).unwrap_or_else(|| self.token.clone())
    }

    /// The same for HTTP.
    pub fn http_token_now(&self) -> Secret {
        let token = self.now(&["WTT_HTTP_TOKEN", "WTT_TOKEN"]).unwrap_or_else(|| self.http_token.clone());
        crate::sys::log::add_secret(token.expose());
        token
    }

    /// The first of these tokens that is there now.
    fn now(&self, names: &[&str]) -> Option<Secret> {
        let settings = Settings::read(&self.selection);
        let found =
            names.iter().find_map(|name| settings.get(name).filter(|s| value::token(&s.text).is_ok()));
        found.map(|s| Secret::new(s.text.clone()))
    }

    /// A variable that is not one of our settings (a proxy): of the environment, else of the env files.
    pub fn variable(&self, name: &str) -> Option<String> {
        let inherited = self.selection.environment.get(name).cloned();
        inherited.or_else(|| self.extra_env.get(name).map(|value| value.expose().to_owned()))
    }

    /// What to do when the service refuses the token: where the next one is to go.
    pub fn token_remedy(&self) -> String {
        match &self.token_source {
            Source::File { path, .. } | Source::Json { path } => {
                format!("put a new token into {}; it is read again before each attempt", path.display())
            }
            Source::Environment | Source::Default => "set WTT_TOKEN to a new one and start again".into(),
        }
    }

    /// Everything that must not be shown.
    pub fn secrets(&self) -> Vec<String> {
        let keys = self.voice.secrets().into_iter().filter(|key| !key.is_empty());
        let e2e = self.e2e_password.iter();
        let ours = [&self.token, &self.http_token].into_iter().chain(e2e).map(|s| s.expose().to_owned());
        ours.chain(keys).collect()
    }
}

/// The error for all problems at once.
fn refusal(settings: &Settings) -> Error {
    let problems: Vec<&str> = settings.problems.iter().map(|p| p.0.as_str()).collect();
    Error::Config(match problems.as_slice() {
        [] => "the settings are incomplete".into(),
        [one] => (*one).to_owned(),
        many => format!("{} settings are wrong:\n  {}", many.len(), many.join("\n  ")),
    })
}
