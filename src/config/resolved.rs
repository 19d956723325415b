//! The configuration of one profile as plain data, and what is derived from it.

use super::keys::chat::Busy;
use super::mode::Mode;
use super::shell::ShellSettings;
use super::source::{Selection, Settings, Source};
use super::{model_switch, permissions, value, voice};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Time limits of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the first event of the agent.
    pub first_event: Duration,
    /// Without any event.
    pub idle: Duration,
    /// Total.
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
    /// The name of the profile, if there is one.
    pub profile: Option<String>,
    /// `WTT_BASE_URL` without trailing slash.
    pub base_url: String,
    /// `WTT_WS_URL`, if the WebSocket has an address of its own.
    pub ws_url: Option<String>,
    /// `WTT_AGENT_ID`.
    pub agent_id: String,
    /// `WTT_TOKEN`.
    pub token: Secret,
    /// The source of the token.
    pub token_source: Source,
    /// `WTT_HTTP_TOKEN`, or else the token.
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
    pub permissions: Vec<permissions::PermissionRule>,
    /// `WTT_CONNECT_APPROVAL_SECONDS`: the time for an answer; with zero nobody is asked.
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
    /// `WTT_CONNECT_MODEL_SWITCH_*`; none if it is off.
    pub switch: Option<model_switch::ModelSwitch>,
    /// `WTT_CONNECT_STT_*` and `WTT_CONNECT_TTS_*`.
    pub speech: voice::SpeechSettings,
    /// `WTT_CONNECT_MEDIA_HOSTS`.
    pub media_hosts: Vec<String>,
    /// `WTT_CONNECT_MODEL_PROVIDER_MAP`, the most specific pattern first.
    pub provider_map: Vec<model_switch::MapRow>,
    /// `WTT_CONNECT_PUBLISH_PROGRESS`.
    pub publish_progress: bool,
    /// `WTT_CONNECT_<ADAPTER>_COMMAND` by adapter name: program and leading arguments (shell words).
    pub commands: BTreeMap<String, Vec<String>>,
    /// `WTT_CONNECT_<ADAPTER>_TRANSPORT` by adapter name, if it is set.
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
    /// `WTT_CONNECT_MAX_AGENTS`: most agent processes at once.
    pub max_agents: usize,
    /// `WTT_CONNECT_AGENT_IDLE_SECONDS`: how long an agent process is kept between turns; with zero each
    /// ends with its turn.
    pub agent_idle: Duration,
    /// Terminals and shell commands from the web page.
    pub shell: ShellSettings,
    /// `WTT_E2E_PASSWORD`
    pub e2e_password: Option<Secret>,
    /// Variables of the env files that are not settings (an API key, a proxy) and not in the environment.
    pub extra_env: BTreeMap<String, Secret>,
    /// `WTT_CONNECT_LOG`, `RUST_LOG` or `info`.
    pub log: String,
    /// Notes about the settings, one sentence each, which are logged as warnings.
    pub notes: Vec<String>,
    /// How it was loaded, to read the token again.
    pub selection: Selection,
}

impl Config {
    /// The token that the files have now, so that a new one in the profile is used without a restart.
    pub fn token_now(&self) -> Secret {
        self.now(&["WTT_TOKEN"]).unwrap_or_else(|| self.token.clone())
    }

    /// The same for the HTTP token.
    pub fn http_token_now(&self) -> Secret {
        let token = self.now(&["WTT_HTTP_TOKEN", "WTT_TOKEN"]).unwrap_or_else(|| self.http_token.clone());
        crate::sys::log::add_secret(token.expose());
        token
    }

    /// The first of these tokens that the settings have now.
    fn now(&self, names: &[&str]) -> Option<Secret> {
        let settings = Settings::read(&self.selection);
        let found =
            names.iter().find_map(|name| settings.get(name).filter(|s| value::token(&s.text).is_ok()));
        found.map(|s| Secret::new(s.text.clone()))
    }

    /// A variable that is not a setting (a proxy), from the environment or else from the env files.
    pub fn variable(&self, name: &str) -> Option<String> {
        let inherited = self.selection.environment.get(name).cloned();
        inherited.or_else(|| self.extra_env.get(name).map(|value| value.expose().to_owned()))
    }

    /// What to do if the service refuses the token: where to put a new one.
    pub fn token_remedy(&self) -> String {
        match &self.token_source {
            Source::File { path, .. } | Source::Json { path } => {
                format!("put a new token into {}; it is read again before each attempt", path.display())
            }
            Source::Environment | Source::Default => "set WTT_TOKEN to a new one and start again".into(),
        }
    }

    /// All values that must not be shown.
    pub fn secrets(&self) -> Vec<String> {
        let keys = self.speech.secrets().into_iter().filter(|key| !key.is_empty());
        let e2e = self.e2e_password.iter();
        let ours = [&self.token, &self.http_token].into_iter().chain(e2e).map(|s| s.expose().to_owned());
        ours.chain(keys).collect()
    }
}
