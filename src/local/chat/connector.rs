//! The real connector as a child process, with a profile that is written for it.

use super::adapter_choice::{self, Pick};
use super::sandbox_profile::{Stage, private};
use crate::config::keys;
use crate::error::{Error, Result};
use crate::local::service::Service;
use crate::sys::id;
use crate::sys::proc::{self, Running, Sig, UNTIL_EOF};
use crossbeam_channel::{Receiver, bounded};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

/// The connector promises to end within 20 s of SIGTERM.
const END_TIME: Duration = Duration::from_secs(22);
/// Lines of the log that are shown when the connector ends unasked.
const LOG_TAIL: usize = 12;

/// The identity that is used.
pub const AGENT_ID: &str = "agent-try";

/// The running connector.
#[derive(Debug)]
pub struct Connector {
    child: Option<Running>,
    /// Receives once, when the process has ended.
    pub gone: Receiver<()>,
    log: PathBuf,
    /// Never written to; it closes when this process ends.
    _stdin: Option<ChildStdin>,
}

impl Connector {
    /// Starts `wtt-connect start` with a profile for the local service.
    pub fn start(
        stage: &Stage,
        service: &Service,
        pick: &Pick,
        workdir: &Path,
        settings: &[(&str, String)],
        verbose: bool,
    ) -> Result<Connector> {
        let token = format!("wtt-tok-{}", id::hex());
        service.add_agent(AGENT_ID, &token, pick.title());
        let exe = std::env::current_exe()
            .map_err(|e| Error::Failed(format!("cannot find the program's own file: {e}")))?;
        let profile = stage.path("profile.env");
        private(&profile)
            .and_then(|mut file| {
                let mut text = profile_text(stage, service, pick, workdir, &token, &exe);
                for (name, value) in settings {
                    let _ = writeln!(text, "{name}={}", quoted(value));
                }
                file.write_all(text.as_bytes())
            })
            .map_err(|e| stage.failed(&e))?;
        let log = stage.log();
        let to = private(&log).map_err(|e| stage.failed(&e))?;
        let also_to = to.try_clone().map_err(|e| stage.failed(&e))?;
        // The folder as current directory: a `.env` of the user's project must not be read.
        let mut command = proc::command(&exe, stage.folder());
        for name in foreign_settings(pick) {
            command.env_remove(name);
        }
        // It ends with its stdin, so that nothing is left even if we are killed.
        command.env(UNTIL_EOF, "1");
        command.env("WTT_CONNECT_LOG", if verbose { "debug" } else { "info" });
        command.args(["start".as_ref(), "--env-file".as_ref(), profile.as_os_str()]);
        command.stdin(Stdio::piped()).stdout(to).stderr(also_to);
        let mut child = Running::spawn(&mut command)
            .map_err(|e| Error::Failed(format!("cannot start the connector {}: {e}", exe.display())))?;
        let (stdin, _, _) = child.pipes();
        let (ended, gone) = bounded(1);
        child
            .watch(move || {
                let _ = ended.send(());
            })
            .map_err(|e| Error::Failed(format!("cannot watch the connector: {e}")))?;
        Ok(Connector { child: Some(child), gone, log, _stdin: stdin })
    }

    /// Where it logs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What to tell when it did something that it should not: the fact and the end of the log.
    pub fn trouble(&self, what: &str) -> Error {
        let text = fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
        Error::Unavailable(format!(
            "the connector {what}; the end of its log {} is:\n{tail}",
            self.log.display()
        ))
    }

    /// Ends it with SIGTERM and waits; SIGKILL when it does not keep its promise.
    pub fn end(&mut self) {
        let Some(child) = self.child.take() else { return };
        child.signal_group(Sig::Term);
        let _ = self.gone.recv_timeout(END_TIME);
        let _ = child.reap();
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.end();
    }
}

/// The settings of the environment that do not count here, for people.
pub fn passed_over(pick: &Pick) -> String {
    let settings = foreign_settings(pick).into_iter().filter_map(|name| name.into_string().ok());
    let settings = settings
        .filter(|name| keys::find(name).is_some() || name == keys::ENV_FILE || name == keys::CONFIG_FILE);
    let mut names: Vec<String> = settings.collect();
    names.sort();
    names.join(", ")
}

/// Settings of the user's own connector, which must not reach this one; a command for the agent may stay.
fn foreign_settings(pick: &Pick) -> Vec<OsString> {
    let command = (!pick.demo).then(|| adapter_choice::command_variable(pick.spec));
    let names = std::env::vars_os().map(|(name, _)| name);
    names
        .filter(|name| name.to_str().is_some_and(|n| n.starts_with("WTT_") && Some(n) != command.as_deref()))
        .collect()
}

fn profile_text(
    stage: &Stage,
    service: &Service,
    pick: &Pick,
    workdir: &Path,
    token: &str,
    exe: &Path,
) -> String {
    let mut text = String::new();
    let mut set = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={}", quoted(value));
    };
    set("WTT_BASE_URL", &service.base_url());
    set("WTT_AGENT_ID", AGENT_ID);
    set("WTT_TOKEN", token);
    set("WTT_CONNECT_ADAPTER", pick.spec.name);
    set("WTT_CONNECT_ADAPTERS", pick.spec.name);
    set("WTT_CONNECT_WORKDIR", &workdir.to_string_lossy());
    set("WTT_CONNECT_STATE_DIR", &stage.path("state").to_string_lossy());
    set("WTT_CONNECT_INBOX_DIR", &stage.path("inbox").to_string_lossy());
    set("WTT_CONNECT_ARTIFACT_DIR", &stage.path("artifacts").to_string_lossy());
    if pick.demo {
        let (exe, memory) = (exe.to_string_lossy(), stage.path("demo"));
        let command = shell_words::join([&*exe, "demo-agent", "--memory", &memory.to_string_lossy()]);
        set(&adapter_choice::command_variable(pick.spec), &command);
    }
    text
}

/// A value of an env file, in double quotes.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_env_file() {
        for value in ["/a b/c", r#"say "hi""#, r"back\slash", "$HOME", "'/x y/z' demo-agent"] {
            let text = format!("K={}\n", quoted(value));
            let (entries, bad) = crate::config::dotenv::parse(&text);
            assert!(bad.is_empty(), "{text}");
            let read = entries.first().map(|e| e.value.clone());
            assert_eq!(read.as_deref(), Some(value), "{text}");
        }
    }
}
