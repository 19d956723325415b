//! Which agent answers in `try`: the one asked for, else the first CLI that is installed and not logged out, else, in a
//! chat with a person, the demonstration agent.

use crate::agent::adapter::{AdapterSpec, Login};
use crate::agent::adapters;
use crate::agent::adapters::ADAPTERS;
use crate::agent::discovery::{locate, login};
use crate::error::{Error, Result};
use crate::sys::passing::Passing;
use std::collections::BTreeMap;

/// The word that asks for the demonstration agent.
const DEMO: &str = "demo";
/// The demonstration agent speaks as this adapter does.
const DEMO_SPEAKS: &str = "claude-code";
/// Tried first when nothing is asked for.
const PREFERRED: [&str; 2] = ["codex", "claude-code"];

/// The choice.
#[derive(Debug)]
pub struct Pick {
    /// The adapter that is configured.
    pub spec: &'static AdapterSpec,
    /// It drives the demonstration agent.
    pub demo: bool,
    /// Why, when nobody asked for it: there is no other.
    pub why_demo: Option<String>,
    /// What is in the way of an answer of the one that was asked for.
    pub warning: Option<String>,
    /// Other installed agents, by adapter name.
    pub others: Vec<&'static str>,
}

impl Pick {
    /// What people read.
    pub fn title(&self) -> &'static str {
        if self.demo { "demonstration agent" } else { self.spec.title }
    }
}

/// What is known of a CLI before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Not on this machine.
    Missing,
    /// There, but it does not even say its version.
    Broken,
    /// There, but nobody has logged in.
    LoggedOut,
    /// There, and perhaps logged in.
    Ready,
}

/// Decides. Asking whether a CLI is logged in takes a moment: `presence` is asked only until one is found.
/// `person`: somebody reads along who is told when the demonstration agent steps in; a script would take its words for an answer.
fn decide(
    asked: Option<&str>,
    person: bool,
    adapters: &[&'static AdapterSpec],
    installed: impl Fn(&AdapterSpec) -> bool,
    presence: impl Fn(&'static AdapterSpec) -> Presence,
) -> Result<Pick> {
    let mut found: Vec<&'static AdapterSpec> = adapters.iter().copied().filter(|a| installed(a)).collect();
    found.sort_by_key(|a| PREFERRED.iter().position(|p| *p == a.name).unwrap_or(PREFERRED.len()));
    let others = |but: &str| found.iter().map(|a| a.name).filter(|name| *name != but).collect();
    let demo = |why: Option<String>| {
        let spec = adapters.iter().copied().find(|a| a.name == DEMO_SPEAKS);
        let spec =
            spec.ok_or_else(|| Error::Unavailable("the demonstration agent is not in this build".into()))?;
        Ok(Pick { spec, demo: true, why_demo: why, warning: None, others: Vec::new() })
    };
    let Some(word) = asked else {
        let mut why = String::new();
        let (mut out, mut tried): (Vec<&'static AdapterSpec>, Vec<&str>) = (Vec::new(), Vec::new());
        for spec in found.iter().copied() {
            match presence(spec) {
                Presence::Ready => {
                    // what cannot answer is not offered
                    let mut others: Vec<&'static str> = others(spec.name);
                    others.retain(|name| !tried.contains(name));
                    return Ok(Pick { spec, demo: false, why_demo: None, warning: None, others });
                }
                Presence::LoggedOut => out.push(spec),
                Presence::Broken => why.push_str(&format!(
                    "{} is installed but does not work; `wtt-connect doctor` says more. ",
                    spec.title
                )),
                Presence::Missing => {}
            }
            tried.push(spec.name);
        }
        if let Some(first) = out.first() {
            let titles: Vec<&str> = out.iter().map(|spec| spec.title).collect();
            let are = if out.len() == 1 { "is" } else { "are" };
            let words = format!("{} {are} installed but not logged in. {} ", titles.join(", "), first.login);
            why.insert_str(0, &words);
        }
        if why.is_empty() {
            why.push_str("No agent CLI was found on PATH; install one, Codex or Claude Code for example.");
        }
        let why = why.trim_end();
        if !person {
            return Err(Error::Unavailable(format!(
                "{why} `--adapter {DEMO}` asks for the demonstration agent."
            )));
        }
        return demo(Some(why.to_owned()));
    };
    if word.eq_ignore_ascii_case(DEMO) {
        return demo(None);
    }
    let Some(spec) = adapters::find(word) else {
        let names: Vec<&str> = adapters.iter().map(|a| a.name).collect();
        let near = crate::text::hint(word, names.iter().copied().chain([DEMO]));
        let message =
            format!("there is no adapter `{word}`{near}; use one of {}, or {DEMO}", names.join(", "));
        return Err(Error::Usage(message));
    };
    if !installed(spec) {
        let message = format!("{} was not found; {}, or use `--adapter {DEMO}`", spec.title, spec.install);
        return Err(Error::Unavailable(message));
    }
    // Only those are asked that can tell. A key of another provider counts all the same, so it is run.
    let out = spec.login_query.is_some() && presence(spec) == Presence::LoggedOut;
    let warning = out.then(|| format!("{} says that it is not logged in. {}", spec.title, spec.login));
    Ok(Pick { spec, demo: false, why_demo: None, warning, others: others(spec.name) })
}

/// The user's own command for an adapter, from the environment (`WTT_CONNECT_CODEX_COMMAND`).
pub fn own_command(spec: &AdapterSpec) -> Option<(String, String)> {
    let name = command_variable(spec);
    std::env::var(&name).ok().filter(|v| !v.trim().is_empty()).map(|v| (name, v))
}

/// The name of that variable.
pub fn command_variable(spec: &AdapterSpec) -> String {
    format!("WTT_CONNECT_{}_COMMAND", spec.name.to_ascii_uppercase().replace('-', "_"))
}

/// Looks around on this machine. Without a `person` who reads along the demonstration agent must be asked for.
pub fn pick(asked: Option<&str>, person: bool) -> Result<Pick> {
    let command = |spec: &AdapterSpec| {
        own_command(spec).and_then(|(_, command)| shell_words::split(&command).ok()).unwrap_or_default()
    };
    let installed = |spec: &AdapterSpec| locate::locate(spec, &command(spec)).is_ok();
    decide(asked, person, ADAPTERS, installed, |spec| {
        let _passing = Passing::say(&format!("Looking for agents: {}", spec.name));
        let found = login::probe(spec, &command(spec), &BTreeMap::new());
        match found.login {
            _ if found.path.is_none() => Presence::Missing,
            _ if !found.trouble.is_empty() => Presence::Broken,
            Login::LoggedOut => Presence::LoggedOut,
            Login::LoggedIn(_) | Login::Unknown => Presence::Ready,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(asked: Option<&str>, installed: &[&str], logged_out: &[&str]) -> Pick {
        let presence = |a: &AdapterSpec| {
            if logged_out.contains(&a.name) { Presence::LoggedOut } else { Presence::Ready }
        };
        decide(asked, true, ADAPTERS, |a| installed.contains(&a.name), presence).expect("a choice")
    }

    #[test]
    fn codex_first_then_claude_then_the_demonstration() {
        for (asked, installed, logged_out, name, demo) in [
            (None, &["claude-code", "codex"][..], &[][..], "codex", false),
            (None, &["claude-code"], &[], "claude-code", false),
            (None, &["claude-code", "codex"], &["codex"], "claude-code", false),
            (None, &["codex"], &["codex"], "claude-code", true),
            (None, &[], &[], "claude-code", true),
            (Some("Demo"), &["codex"], &[], "claude-code", true),
            (Some("codex"), &["codex"], &["codex"], "codex", false),
        ] {
            let pick = choose(asked, installed, logged_out);
            assert_eq!((pick.spec.name, pick.demo), (name, demo), "{asked:?} {installed:?} {logged_out:?}");
        }
    }

    #[test]
    fn a_demonstration_that_nobody_asked_for_is_explained() {
        let why = choose(None, &["codex"], &["codex"]).why_demo.expect("a reason");
        assert!(why.contains("Codex") && why.contains("codex login"), "{why}");
        assert!(choose(None, &[], &[]).why_demo.is_some_and(|w| w.contains("No agent CLI")));
        assert!(choose(Some("demo"), &[], &[]).why_demo.is_none());
        let warning = choose(Some("codex"), &["codex"], &["codex"]).warning.expect("a warning");
        assert!(warning.contains("not logged in") && warning.contains("codex login"), "{warning}");
        assert_eq!(choose(Some("codex"), &["codex"], &[]).warning, None);
        assert_eq!(choose(None, &["codex", "claude-code"], &[]).others, ["claude-code"]);
    }

    #[test]
    fn what_cannot_answer_is_named_once_and_not_offered() {
        let all = ["codex", "claude-code", "qoder"];
        let none = choose(None, &all, &all);
        let why = none.why_demo.expect("a reason");
        assert!(
            why.starts_with("Codex, Claude Code, ") && why.matches("not logged in").count() == 1,
            "{why}"
        );
        assert!(why.contains("codex login") && none.others.is_empty(), "{why}");
        assert!(choose(Some("demo"), &all, &all).others.is_empty());
        assert_eq!(choose(None, &all, &["codex"]).others, ["qoder"]);
    }

    #[test]
    fn a_wrong_or_missing_adapter_is_said_in_one_sentence() {
        let refusal =
            |word| decide(Some(word), true, ADAPTERS, |_| false, |_| Presence::Missing).expect_err("refused");
        let (unknown, missing) = (refusal("emacs"), refusal("codex"));
        assert!(
            matches!(&unknown, Error::Usage(m) if m.contains("emacs") && m.contains("codex")),
            "{unknown}"
        );
        assert!(matches!(&missing, Error::Unavailable(m) if m.contains("--adapter demo")), "{missing}");
    }
}
