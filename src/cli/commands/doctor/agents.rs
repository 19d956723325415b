//! The checks of `doctor` for the agent CLIs and the model switcher. No turn is started, and nothing is changed.

use super::{Finding, Severity, finding};
use crate::agent::adapter;
use crate::agent::adapter::{AdapterSpec, Login};
use crate::agent::adapters::ADAPTERS;
use crate::agent::discovery::locate;
use crate::agent::discovery::login;
use crate::agent::discovery::login::AdapterProbe;
use crate::config::{Config, Mode};
use crate::sys::transient_line::TransientLine;
use crate::sys::{program_path, thread};
use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};

/// CLIs that are started at once. Most are Node programs that take a second or two of CPU time; more at once would only
/// slow each other down.
const PARALLEL_PROBES: usize = 3;

/// How important it is that an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Importance {
    /// It must work.
    Default,
    /// It may be asked for.
    Enabled,
    /// The setting that enables agents is wrong: report what is installed, but not what is missing.
    Unsure,
    /// It is installed, but not enabled.
    Other,
}

/// Checks all agent CLIs. Enabled ones must be installed; others are reported if they are. `are_certain`: whether the
/// settings of the adapters are valid.
pub fn agents(config: &Config, are_certain: bool) -> Vec<Finding> {
    check_all(ADAPTERS.to_vec(), config, are_certain)
}

/// Checks the enabled agent CLIs only, which takes less time.
pub fn enabled(config: &Config) -> Vec<Finding> {
    let mut enabled = ADAPTERS.to_vec();
    enabled.retain(|spec| config.adapters.iter().any(|name| name == spec.name));
    check_all(enabled, config, true)
}

/// Checks these agent CLIs only. They must work, whether they are enabled or not.
pub fn requested(config: &Config, specs: Vec<&'static AdapterSpec>) -> Vec<Finding> {
    probe_all(specs, config, |_| Importance::Default)
}

fn check_all(mut all: Vec<&'static AdapterSpec>, config: &Config, are_certain: bool) -> Vec<Finding> {
    let importance = |spec: &AdapterSpec| match are_certain {
        false => Importance::Unsure,
        true if spec.name == config.adapter => Importance::Default,
        true if config.adapters.iter().any(|name| name == spec.name) => Importance::Enabled,
        true => Importance::Other,
    };
    all.sort_by_cached_key(|spec| importance(spec) as usize);
    let mut found = probe_all(all, config, importance);
    found.extend(switcher(config));
    found
}

fn probe_all(
    all: Vec<&'static AdapterSpec>,
    config: &Config,
    importance: impl Fn(&AdapterSpec) -> Importance,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for some in all.chunks(PARALLEL_PROBES) {
        for (spec, command, probe) in probe_in_parallel(some, config) {
            let result = agent(spec, &command, &probe, importance(spec), config.mode);
            found.extend(result.map(|(severity, text)| finding("Agents", spec.name, severity, text)));
        }
    }
    found
}

/// Probes some CLIs in parallel.
fn probe_in_parallel(
    some: &[&'static AdapterSpec],
    config: &Config,
) -> Vec<(&'static AdapterSpec, Vec<String>, AdapterProbe)> {
    let mut asked = Vec::new();
    for spec in some.iter().copied() {
        let command = config.commands.get(spec.name).cloned().unwrap_or_default();
        let answer = Arc::new(OnceLock::new());
        let (to, with, env) = (answer.clone(), command.clone(), config.extra_env.clone());
        let thread = thread::spawn("probe", move || drop(to.set(login::probe(spec, &with, &env))));
        asked.push((spec, command, thread, answer));
    }
    let mut probes = Vec::new();
    for (spec, command, thread, answer) in asked {
        let _passing = TransientLine::show(&format!("Checking {}", spec.name));
        if thread.is_ok_and(|thread| thread.join().is_ok())
            && let Some(probe) = answer.get()
        {
            probes.push((spec, command, probe.clone()));
        }
    }
    probes
}

/// Rates the probe of one CLI. Only the default one must work.
fn agent(
    spec: &AdapterSpec,
    command: &[String],
    probe: &AdapterProbe,
    importance: Importance,
    mode: Mode,
) -> Option<(Severity, String)> {
    use Severity::{Note, Ok as Good};
    let failing = if importance == Importance::Default { Severity::Problem } else { Note };
    let used = matches!(importance, Importance::Default | Importance::Enabled);
    let Some(path) = &probe.path else {
        return used.then(|| (failing, format!("{}; {}", probe.problem, locate::remedy(spec, command))));
    };
    let path = path.display();
    if !probe.problem.is_empty() {
        return (importance != Importance::Other).then(|| (failing, format!("{path}: {}", probe.problem)));
    }
    let version = probe.version.as_deref().unwrap_or("unknown version");
    let mut text = version.to_owned();
    if !probe.flavor.is_empty() {
        text.push_str(&format!(", {}", probe.flavor));
    }
    text.push_str(&format!(", {path}"));
    let mut severity = match &probe.login {
        Login::LoggedIn(how) if how.is_empty() => {
            text.push_str(", logged in");
            Good
        }
        Login::LoggedIn(how) => {
            text.push_str(&format!(", logged in ({how})"));
            Good
        }
        Login::LoggedOut if importance == Importance::Other => {
            text.push_str(", not logged in");
            Note
        }
        Login::LoggedOut => {
            text.push_str(&format!(", not logged in. {}", spec.login_hint));
            failing
        }
        Login::Unknown => {
            text.push_str("; the login state is unknown");
            Note
        }
    };
    if let Some(ended) = spec.discontinued {
        text.push_str(&format!(". {ended}"));
    }
    if importance == Importance::Other {
        // an unused agent is not a problem; only a missing login is worth a note
        text.push_str("; not in WTT_CONNECT_ADAPTERS");
        let logged_out = probe.login == Login::LoggedOut;
        return Some((if logged_out { Note } else { Good }, text));
    }
    if spec.discontinued.is_some() {
        severity = severity.max(Note);
    }
    if probe.is_bare_launcher {
        text.push_str(&format!(
            ". This is the npm launcher, which may be killed without {} itself; {}",
            spec.title,
            if command.is_empty() { spec.install_hint } else { "configure the native program instead" }
        ));
        severity = severity.max(Note);
    }
    if used && let Some(why) = adapter::mode_refusal(spec, mode) {
        text.push_str(&format!(". It cannot run: {why}"));
        severity = severity.max(failing);
    }
    Some((severity, text))
}

/// Checks the program of the model switcher, if one is configured.
fn switcher(config: &Config) -> Option<Finding> {
    let switch = config.switch.as_ref()?;
    let name = switch.words.first()?;
    let (severity, text) = match program_path::find_program(OsStr::new(name)) {
        Some(path) => (Severity::Ok, format!("{}", path.display())),
        None if switch.strict => (
            Severity::Problem,
            format!(
                "`{name}` is not an executable program, so messages that name a model cannot run; correct the WTT_CONNECT_MODEL_SWITCH settings"
            ),
        ),
        None => {
            (Severity::Note, format!("`{name}` is not an executable program; agents run without switching"))
        }
    };
    Some(finding("Agents", "model switcher", severity, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(login: Login) -> AdapterProbe {
        let (path, version) = (Some("/x".into()), Some("1.2".into()));
        AdapterProbe { path, problem: String::new(), version, flavor: "", login, is_bare_launcher: false }
    }

    fn judged(login: Login, importance: Importance) -> Option<Severity> {
        agent(ADAPTERS[0], &[], &probe(login), importance, Mode::FullAuto).map(|judged| judged.0)
    }

    #[test]
    fn only_the_default_agent_must_work() {
        use Importance::{Default, Enabled, Other, Unsure};
        let in_ = || Login::LoggedIn("API key".into());
        assert_eq!(judged(in_(), Default), Some(Severity::Ok));
        assert_eq!(judged(Login::LoggedOut, Default), Some(Severity::Problem));
        assert_eq!(judged(Login::LoggedOut, Enabled), Some(Severity::Note));
        assert_eq!(judged(Login::LoggedOut, Unsure), Some(Severity::Note));
        assert_eq!(judged(Login::LoggedOut, Other), Some(Severity::Note));
        assert_eq!(judged(Login::Unknown, Other), Some(Severity::Ok));
        assert_eq!(judged(Login::Unknown, Default), Some(Severity::Note));
        let gone = AdapterProbe { path: None, problem: "no `x` on PATH".into(), ..probe(Login::Unknown) };
        let judged = |importance| agent(ADAPTERS[0], &[], &gone, importance, Mode::FullAuto);
        let (severity, text) = judged(Default).unwrap();
        assert_eq!(severity, Severity::Problem);
        assert!(text.contains("no `x` on PATH") && text.contains(ADAPTERS[0].install_hint));
        assert_eq!((judged(Unsure), judged(Other)), (None, None), "neither was requested");
        let broken = AdapterProbe { problem: "`--version` failed".into(), ..probe(Login::Unknown) };
        assert!(agent(ADAPTERS[0], &[], &broken, Other, Mode::FullAuto).is_none());
        assert!(agent(ADAPTERS[0], &[], &broken, Unsure, Mode::FullAuto).is_some());
    }

    #[test]
    fn what_is_odd_about_an_agent_is_said() {
        let spec: &AdapterSpec = Box::leak(Box::new(AdapterSpec {
            discontinued: Some("The product has ended."),
            modes: &[(Mode::FullAuto, "All.")],
            ..*ADAPTERS[0]
        }));
        let probe =
            AdapterProbe { is_bare_launcher: true, flavor: "old", ..probe(Login::LoggedIn(String::new())) };
        let (severity, text) = agent(spec, &[], &probe, Importance::Default, Mode::FullAuto).unwrap();
        assert_eq!(severity, Severity::Note);
        for part in ["1.2, old, /x, logged in", "has ended", "npm launcher", spec.install_hint] {
            assert!(text.contains(part), "{text}");
        }
        let (_, text) = agent(spec, &[], &probe, Importance::Other, Mode::FullAuto).unwrap();
        assert!(text.contains("has ended"), "also where it is not enabled: {text}");
        let (severity, text) = agent(spec, &[], &probe, Importance::Default, Mode::Suggest).unwrap();
        assert_eq!(severity, Severity::Problem);
        assert!(text.contains("does not support the mode suggest"), "{text}");
    }
}
