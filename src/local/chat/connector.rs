//! The real connector as a child process, with a profile written for it.

use super::adapter_choice::{self, AdapterChoice};
use super::sandbox_profile::{SandboxProfile, create_private_file};
use crate::config::keys;
use crate::error::{Error, Result};
use crate::local::service::Service;
use crate::sys::child_process::{self, ChildGroup, ChildSignal, END_WITH_STDIN_VARIABLE};
use crate::sys::id;
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
/// Lines of the log that are shown when the connector ends by itself.
const LOG_TAIL: usize = 12;

/// The agent id under which the connector connects.
pub const AGENT_ID: &str = "agent-try";

/// The running connector.
#[derive(Debug)]
pub struct Connector {
    child: Option<ChildGroup>,
    /// Receives once, when the process has ended.
    pub gone: Receiver<()>,
    log: PathBuf,
    /// Never written to; it closes when this process ends.
    _stdin: Option<ChildStdin>,
}

impl Connector {
    /// Starts `wtt-connect start` with a profile for the local service.
    pub fn start(
        sandbox: &SandboxProfile,
        service: &Service,
        choice: &AdapterChoice,
        workdir: &Path,
        settings: &[(&str, String)],
        verbose: bool,
    ) -> Result<Connector> {
        let token = format!("wtt-tok-{}", id::hex());
        service.add_agent(AGENT_ID, &token, choice.title());
        let exe = std::env::current_exe()
            .map_err(|e| Error::Failed(format!("cannot find the program's own file: {e}")))?;
        let profile = sandbox.path("profile.env");
        create_private_file(&profile)
            .and_then(|mut file| {
                let mut text = profile_text(sandbox, service, choice, workdir, &token, &exe);
                for (name, value) in settings {
                    let _ = writeln!(text, "{name}={}", quoted(value));
                }
                file.write_all(text.as_bytes())
            })
            .map_err(|e| sandbox.write_error(&e))?;
        let log = sandbox.log();
        let stdout = create_private_file(&log).map_err(|e| sandbox.write_error(&e))?;
        let stderr = stdout.try_clone().map_err(|e| sandbox.write_error(&e))?;
        // The sandbox is its current directory: a `.env` of the user's project must not be read.
        let mut command = child_process::command(&exe, sandbox.folder());
        for name in foreign_settings(choice) {
            command.env_remove(name);
        }
        // It ends with its stdin, so that nothing is left running even if this process is killed.
        command.env(END_WITH_STDIN_VARIABLE, "1");
        command.env("WTT_CONNECT_LOG", if verbose { "debug" } else { "info" });
        command.args(["start".as_ref(), "--env-file".as_ref(), profile.as_os_str()]);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
        let mut child = ChildGroup::spawn(&mut command)
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

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The error, for people, when the connector fails: what happened, and the end of its log.
    pub fn failure(&self, what: &str) -> Error {
        let text = fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
        Error::Unavailable(format!(
            "the connector {what}; the end of its log {} is:\n{tail}",
            self.log.display()
        ))
    }

    /// Ends it with SIGTERM, waits at most [`END_TIME`], and then kills it.
    pub fn end(&mut self) {
        let Some(child) = self.child.take() else { return };
        child.signal_group(ChildSignal::Term);
        let _ = self.gone.recv_timeout(END_TIME);
        let _ = child.reap();
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.end();
    }
}

/// The settings of the environment that do not apply to this connector, for people.
pub fn ignored_settings(choice: &AdapterChoice) -> String {
    let settings = foreign_settings(choice).into_iter().filter_map(|name| name.into_string().ok());
    let settings = settings
        .filter(|name| keys::find(name).is_some() || name == keys::ENV_FILE || name == keys::CONFIG_FILE);
    let mut names: Vec<String> = settings.collect();
    names.sort();
    names.join(", ")
}

/// Settings of the user's own connector, which must not reach this one; the command of the agent that answers may.
fn foreign_settings(choice: &AdapterChoice) -> Vec<OsString> {
    let command = (!choice.is_demo).then(|| adapter_choice::command_variable(choice.spec));
    let names = std::env::vars_os().map(|(name, _)| name);
    names
        .filter(|name| name.to_str().is_some_and(|n| n.starts_with("WTT_") && Some(n) != command.as_deref()))
        .collect()
}

fn profile_text(
    sandbox: &SandboxProfile,
    service: &Service,
    choice: &AdapterChoice,
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
    set("WTT_CONNECT_ADAPTER", choice.spec.name);
    set("WTT_CONNECT_ADAPTERS", choice.spec.name);
    set("WTT_CONNECT_WORKDIR", &workdir.to_string_lossy());
    set("WTT_CONNECT_STATE_DIR", &sandbox.path("state").to_string_lossy());
    set("WTT_CONNECT_INBOX_DIR", &sandbox.path("inbox").to_string_lossy());
    set("WTT_CONNECT_ARTIFACT_DIR", &sandbox.path("artifacts").to_string_lossy());
    if choice.is_demo {
        let (exe, transcripts) = (exe.to_string_lossy(), sandbox.path("demo"));
        let command = shell_words::join([&*exe, "demo-agent", "--memory", &transcripts.to_string_lossy()]);
        set(&adapter_choice::command_variable(choice.spec), &command);
    }
    text
}

/// A value in double quotes, for an env file.
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
