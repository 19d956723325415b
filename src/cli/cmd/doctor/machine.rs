//! What `doctor` looks at on this machine: directories, the lock, the agent CLIs. Nothing is changed.

use super::{Finding, Verdict, finding};
use crate::agent::probe::{self, Probe};
use crate::agent::program;
use crate::agent::spec::{ADAPTERS, AdapterSpec, Login};
use crate::config::{Config, profile};
use crate::store::{self, lock};
use crate::sys::thread;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The directories of the settings.
pub fn directories(config: &Config, findings: &mut Vec<Finding>) {
    for (what, dir) in [("workspace", &config.workdir), ("state", &config.state_dir)] {
        findings.push(directory(what, dir));
    }
    if let Some(dir) = config.store_file.parent()
        && dir != config.state_dir
    {
        findings.push(directory("session file", dir));
    }
    for file in store::set_aside(&config.store_file) {
        let text = format!(
            "an unreadable state file was set aside as {}; remove it when nobody needs it",
            file.display()
        );
        findings.push(finding("Directories", "state", Verdict::Note, text));
    }
    let state = std::fs::metadata(&config.state_dir);
    if state.is_ok_and(|meta| profile::privacy(&meta) == profile::Privacy::Readable) {
        let text = format!("{} can be entered by other users; chmod 700 it", config.state_dir.display());
        findings.push(finding("Directories", "state", Verdict::Note, text));
    }
}

/// Whether a directory can be written, or created where its nearest existing parent is. Nothing is left behind.
fn directory(what: &str, dir: &Path) -> Finding {
    let nearest: PathBuf = dir.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_owned();
    let shown = dir.display();
    let writable = nearest.is_dir() && rustix::fs::access(&nearest, rustix::fs::Access::WRITE_OK).is_ok();
    let (verdict, text) = match (nearest == dir, writable) {
        (true, true) => (Verdict::Good, format!("{shown} can be written")),
        (false, true) => match made_and_removed(&nearest) {
            Ok(()) => (Verdict::Good, format!("{shown} will be created")),
            Err(why) => {
                let why = crate::error::reason(&why);
                (Verdict::Bad, format!("{shown} cannot be created below {}: {why}", nearest.display()))
            }
        },
        (true, false) => {
            (Verdict::Bad, format!("{shown} cannot be written; change its owner or the setting"))
        }
        (false, false) => (Verdict::Bad, format!("{shown} cannot be created below {}", nearest.display())),
    };
    finding("Directories", what, verdict, text)
}

/// Some file systems (`/proc`) say that they can be written, and create nothing: only trying tells.
fn made_and_removed(parent: &Path) -> std::io::Result<()> {
    let dir = parent.join(format!(".wtt-connect-doctor-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    std::fs::remove_dir(&dir)
}

/// Whether a connector runs on this state directory.
pub fn connector(config: &Config) -> Finding {
    let text = match lock::holder(&config.state_dir.join("lock")) {
        Some(pid) => {
            format!("process {pid} is running with this state directory; a second one would exit with 75")
        }
        None => "not running".into(),
    };
    finding("Connector", "state", Verdict::Good, text)
}

/// The agent CLIs: those that are enabled must be there; others are named when they are found.
pub fn agents(config: &Config) -> Vec<Finding> {
    let asked: Vec<_> = ADAPTERS
        .iter()
        .map(|spec| {
            let command = config.commands.get(spec.name).cloned().unwrap_or_default();
            let answer = Arc::new(OnceLock::new());
            let to = answer.clone();
            // Side by side, because each may take some seconds.
            let asked = command.clone();
            let thread = thread::spawn("probe", move || drop(to.set(probe::probe(spec, &asked))));
            (*spec, command, thread, answer)
        })
        .collect();
    let mut found: Vec<Finding> = asked
        .into_iter()
        .filter_map(|(spec, command, thread, answer)| {
            thread.ok()?.join().ok()?;
            agent(
                spec,
                &command,
                answer.get()?,
                spec.name == config.adapter,
                config.adapters.iter().any(|a| a == spec.name),
            )
        })
        .collect();
    crate::list::sort_by_key(&mut found, |f| f.name != config.adapter);
    found
}

/// Judges one CLI. The default one must work; another enabled one is only asked for now and then.
fn agent(
    spec: &AdapterSpec,
    command: &[String],
    probe: &Probe,
    default: bool,
    enabled: bool,
) -> Option<Finding> {
    let failing = if default { Verdict::Bad } else { Verdict::Note };
    let (verdict, text) = match (&probe.path, probe.trouble.is_empty()) {
        (None, _) if !enabled => return None,
        (None, _) => (failing, format!("{}; {}", probe.trouble, program::remedy(spec, command))),
        (Some(path), false) => (failing, format!("{}: {}", path.display(), probe.trouble)),
        (Some(path), true) => {
            let version = probe.version.as_deref().unwrap_or("version not told");
            let what = format!("{version}, {}", path.display());
            match &probe.login {
                Login::LoggedIn(how) if how.is_empty() => (Verdict::Good, format!("{what}, logged in")),
                Login::LoggedIn(how) => (Verdict::Good, format!("{what}, logged in ({how})")),
                Login::LoggedOut => (failing, format!("{what}, not logged in. {}", spec.login)),
                Login::Unknown => (Verdict::Note, format!("{what}; whether it is logged in cannot be told")),
            }
        }
    };
    // What is not in use is neither a problem nor worth a note.
    match (enabled, verdict) {
        (true, _) => Some(finding("Agents", spec.name, verdict, text)),
        (false, Verdict::Good) => {
            let text = format!("{text}; not in WTT_CONNECT_ADAPTERS");
            Some(finding("Agents", spec.name, verdict, text))
        }
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(login: Login, default: bool, enabled: bool) -> Option<Verdict> {
        let probe =
            Probe { path: Some("/x".into()), trouble: String::new(), version: Some("1.2".into()), login };
        agent(ADAPTERS[0], &[], &probe, default, enabled).map(|f| f.verdict)
    }

    #[test]
    fn only_the_default_agent_must_work() {
        let in_ = || Login::LoggedIn("API key".into());
        assert_eq!(judged(in_(), true, true), Some(Verdict::Good));
        assert_eq!(judged(Login::LoggedOut, true, true), Some(Verdict::Bad));
        assert_eq!(judged(Login::LoggedOut, false, true), Some(Verdict::Note));
        assert_eq!(judged(Login::LoggedOut, false, false), None);
        assert_eq!(judged(in_(), false, false), Some(Verdict::Good));
        assert_eq!(judged(Login::Unknown, true, true), Some(Verdict::Note));
        let gone =
            Probe { path: None, trouble: "no `x` on PATH".into(), version: None, login: Login::Unknown };
        let finding = agent(ADAPTERS[0], &[], &gone, true, true).unwrap();
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.text.contains("no `x` on PATH") && finding.text.contains(ADAPTERS[0].install));
        assert_eq!(agent(ADAPTERS[0], &[], &gone, false, false), None);
    }
}
