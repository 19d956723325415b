//! What `doctor` says of the agent CLIs and of the model switcher. No turn is started, nothing is changed.

use super::{Finding, Verdict, finding};
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

/// CLIs that are asked at once. Each is a second or two of Node at work; more of them only make each other late.
const AT_ONCE: usize = 3;

/// How much an agent matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It must work.
    Default,
    /// It is asked for now and then.
    Enabled,
    /// The setting that says so is broken: whatever is found is worth knowing, and nothing is missed.
    Unsure,
    /// Found, but not enabled.
    Other,
}

/// The agent CLIs: those that are enabled must be there; others are named when they are found. `sure`: the settings
/// of the adapters are beyond doubt.
pub fn agents(config: &Config, sure: bool) -> Vec<Finding> {
    among(ADAPTERS.to_vec(), config, sure)
}

/// The enabled ones alone, for a person who waits.
pub fn enabled(config: &Config) -> Vec<Finding> {
    let mut enabled = ADAPTERS.to_vec();
    enabled.retain(|spec| config.adapters.iter().any(|name| name == spec.name));
    among(enabled, config, true)
}

/// Those that somebody has asked about, and nothing else: they must work, enabled or not.
pub fn alone(config: &Config, specs: Vec<&'static AdapterSpec>) -> Vec<Finding> {
    probed(specs, config, |_| Standing::Default)
}

fn among(mut all: Vec<&'static AdapterSpec>, config: &Config, sure: bool) -> Vec<Finding> {
    let standing = |spec: &AdapterSpec| match sure {
        false => Standing::Unsure,
        true if spec.name == config.adapter => Standing::Default,
        true if config.adapters.iter().any(|name| name == spec.name) => Standing::Enabled,
        true => Standing::Other,
    };
    all.sort_by_key(|spec| standing(spec));
    let mut found = probed(all, config, standing);
    found.extend(switcher(config));
    found
}

fn probed(
    all: Vec<&'static AdapterSpec>,
    config: &Config,
    standing: impl Fn(&AdapterSpec) -> Standing,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for some in all.chunks(AT_ONCE) {
        for (spec, command, probe) in look(some, config) {
            let judged = agent(spec, &command, &probe, standing(spec), config.mode);
            found.extend(judged.map(|(verdict, text)| finding("Agents", spec.name, verdict, text)));
        }
    }
    found
}

/// Asks some CLIs, side by side.
fn look(
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
        let _passing = TransientLine::show(&format!("Asking {}", spec.name));
        if thread.is_ok_and(|thread| thread.join().is_ok())
            && let Some(probe) = answer.get()
        {
            probes.push((spec, command, probe.clone()));
        }
    }
    probes
}

/// Judges one CLI. The default one must work; another enabled one is only asked for now and then.
fn agent(
    spec: &AdapterSpec,
    command: &[String],
    probe: &AdapterProbe,
    standing: Standing,
    mode: Mode,
) -> Option<(Verdict, String)> {
    use Verdict::{Good, Note};
    let failing = if standing == Standing::Default { Verdict::Bad } else { Note };
    let used = matches!(standing, Standing::Default | Standing::Enabled);
    let Some(path) = &probe.path else {
        return used.then(|| (failing, format!("{}; {}", probe.problem, locate::remedy(spec, command))));
    };
    let path = path.display();
    if !probe.problem.is_empty() {
        return (standing != Standing::Other).then(|| (failing, format!("{path}: {}", probe.problem)));
    }
    let version = probe.version.as_deref().unwrap_or("version not told");
    let mut text = version.to_owned();
    if !probe.flavour.is_empty() {
        text.push_str(&format!(", {}", probe.flavour));
    }
    text.push_str(&format!(", {path}"));
    let mut verdict = match &probe.login {
        Login::LoggedIn(how) if how.is_empty() => {
            text.push_str(", logged in");
            Good
        }
        Login::LoggedIn(how) => {
            text.push_str(&format!(", logged in ({how})"));
            Good
        }
        Login::LoggedOut if standing == Standing::Other => {
            text.push_str(", not logged in");
            Note
        }
        Login::LoggedOut => {
            text.push_str(&format!(", not logged in. {}", spec.login_hint));
            failing
        }
        Login::Unknown => {
            text.push_str("; whether it is logged in cannot be told");
            Note
        }
    };
    if let Some(ended) = spec.discontinued {
        text.push_str(&format!(". {ended}"));
    }
    if standing == Standing::Other {
        // What is not in use is no problem; only a missing login is worth a note.
        text.push_str("; not in WTT_CONNECT_ADAPTERS");
        let out = probe.login == Login::LoggedOut;
        return Some((if out { Note } else { Good }, text));
    }
    if spec.discontinued.is_some() {
        verdict = verdict.max(Note);
    }
    if probe.is_bare_launcher {
        text.push_str(&format!(
            ". This is the npm launcher, which can end without {} itself; {}",
            spec.title,
            if command.is_empty() { spec.install_hint } else { "name the native program behind it" }
        ));
        verdict = verdict.max(Note);
    }
    if used && let Some(why) = adapter::mode_refusal(spec, mode) {
        text.push_str(&format!(". Nothing can be run: {why}"));
        verdict = verdict.max(failing);
    }
    Some((verdict, text))
}

/// The model switcher, when it is on: whether its program is there.
fn switcher(config: &Config) -> Option<Finding> {
    let switch = config.switch.as_ref()?;
    let name = switch.words.first()?;
    let (verdict, text) = match program_path::find_program(OsStr::new(name)) {
        Some(path) => (Verdict::Good, format!("{}", path.display())),
        None if switch.strict => (
            Verdict::Bad,
            format!(
                "`{name}` is not an executable program, so nothing that names a model can be run; correct the WTT_CONNECT_MODEL_SWITCH settings"
            ),
        ),
        None => {
            (Verdict::Note, format!("`{name}` is not an executable program; agents run as they are set up"))
        }
    };
    Some(finding("Agents", "model switcher", verdict, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(login: Login) -> AdapterProbe {
        let (path, version) = (Some("/x".into()), Some("1.2".into()));
        AdapterProbe { path, problem: String::new(), version, flavour: "", login, is_bare_launcher: false }
    }

    fn judged(login: Login, standing: Standing) -> Option<Verdict> {
        agent(ADAPTERS[0], &[], &probe(login), standing, Mode::FullAuto).map(|judged| judged.0)
    }

    #[test]
    fn only_the_default_agent_must_work() {
        use Standing::{Default, Enabled, Other, Unsure};
        let in_ = || Login::LoggedIn("API key".into());
        assert_eq!(judged(in_(), Default), Some(Verdict::Good));
        assert_eq!(judged(Login::LoggedOut, Default), Some(Verdict::Bad));
        assert_eq!(judged(Login::LoggedOut, Enabled), Some(Verdict::Note));
        assert_eq!(judged(Login::LoggedOut, Unsure), Some(Verdict::Note));
        assert_eq!(judged(Login::LoggedOut, Other), Some(Verdict::Note));
        assert_eq!(judged(Login::Unknown, Other), Some(Verdict::Good));
        assert_eq!(judged(Login::Unknown, Default), Some(Verdict::Note));
        let gone = AdapterProbe { path: None, problem: "no `x` on PATH".into(), ..probe(Login::Unknown) };
        let judged = |standing| agent(ADAPTERS[0], &[], &gone, standing, Mode::FullAuto);
        let (verdict, text) = judged(Default).unwrap();
        assert_eq!(verdict, Verdict::Bad);
        assert!(text.contains("no `x` on PATH") && text.contains(ADAPTERS[0].install_hint));
        assert_eq!((judged(Unsure), judged(Other)), (None, None), "nobody asked for it");
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
            AdapterProbe { is_bare_launcher: true, flavour: "old", ..probe(Login::LoggedIn(String::new())) };
        let (verdict, text) = agent(spec, &[], &probe, Standing::Default, Mode::FullAuto).unwrap();
        assert_eq!(verdict, Verdict::Note);
        for part in ["1.2, old, /x, logged in", "has ended", "npm launcher", spec.install_hint] {
            assert!(text.contains(part), "{text}");
        }
        let (_, text) = agent(spec, &[], &probe, Standing::Other, Mode::FullAuto).unwrap();
        assert!(text.contains("has ended"), "also where it is not enabled: {text}");
        let (verdict, text) = agent(spec, &[], &probe, Standing::Default, Mode::Suggest).unwrap();
        assert_eq!(verdict, Verdict::Bad);
        assert!(text.contains("cannot keep to the mode suggest"), "{text}");
    }
}
