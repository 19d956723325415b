//! Chooses the agent that answers in `try`: the one asked for, else the first CLI that is installed and not logged out,
//! else, in a chat with a person, the demonstration agent.

use crate::agent::adapter::{AdapterSpec, Login};
use crate::agent::adapters;
use crate::agent::adapters::ADAPTERS;
use crate::agent::discovery::{locate, login};
use crate::error::{Error, Result};
use crate::sys::transient_line::TransientLine;
use std::collections::BTreeMap;

/// The value of `--adapter` for the demonstration agent.
const DEMO: &str = "demo";
/// The adapter that drives the demonstration agent, which speaks its protocol.
const DEMO_ADAPTER: &str = "claude-code";
/// Tried first when nothing is asked for.
const PREFERRED: [&str; 2] = ["codex", "claude-code"];

/// The agent that answers.
#[derive(Debug)]
pub struct AdapterChoice {
    /// The adapter that the connector runs.
    pub spec: &'static AdapterSpec,
    /// It drives the demonstration agent.
    pub is_demo: bool,
    /// Why there is no other agent, if nobody asked for the demonstration agent. One or more sentences.
    pub demo_reason: Option<String>,
    /// Why the agent that was asked for may not answer.
    pub warning: Option<String>,
    /// Other installed agents, by adapter name.
    pub others: Vec<&'static str>,
}

impl AdapterChoice {
    /// The agent's name for people.
    pub fn title(&self) -> &'static str {
        if self.is_demo { "demonstration agent" } else { self.spec.title }
    }
}

/// What is known of a CLI before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CliState {
    /// Not on this machine.
    Missing,
    /// Installed, but it does not even print its version.
    Broken,
    /// Installed, but nobody has logged in.
    LoggedOut,
    /// Installed, and perhaps logged in.
    Ready,
}

/// Chooses by what the two functions say. `cli_state` takes a moment, so it is called only until a CLI is found that is
/// ready. Without `has_person` the demonstration agent must be asked for: a script would take its texts for an answer,
/// while a person is told.
fn choose(
    asked: Option<&str>,
    has_person: bool,
    adapters: &[&'static AdapterSpec],
    is_installed: impl Fn(&AdapterSpec) -> bool,
    cli_state: impl Fn(&'static AdapterSpec) -> CliState,
) -> Result<AdapterChoice> {
    let mut found: Vec<&'static AdapterSpec> = adapters.iter().copied().filter(|a| is_installed(a)).collect();
    found.sort_by_cached_key(|a| PREFERRED.iter().position(|p| *p == a.name).unwrap_or(PREFERRED.len()));
    let others = |but: &str| found.iter().map(|a| a.name).filter(|name| *name != but).collect();
    let demo = |reason: Option<String>| {
        let spec = adapters.iter().copied().find(|a| a.name == DEMO_ADAPTER);
        let spec =
            spec.ok_or_else(|| Error::Unavailable("the demonstration agent is not in this build".into()))?;
        Ok(AdapterChoice { spec, is_demo: true, demo_reason: reason, warning: None, others: Vec::new() })
    };
    let Some(word) = asked else {
        let mut reason = String::new();
        let (mut logged_out, mut tried): (Vec<&'static AdapterSpec>, Vec<&str>) = (Vec::new(), Vec::new());
        for spec in found.iter().copied() {
            match cli_state(spec) {
                CliState::Ready => {
                    // what cannot answer is not offered
                    let mut others: Vec<&'static str> = others(spec.name);
                    others.retain(|name| !tried.contains(name));
                    return Ok(AdapterChoice {
                        spec,
                        is_demo: false,
                        demo_reason: None,
                        warning: None,
                        others,
                    });
                }
                CliState::LoggedOut => logged_out.push(spec),
                CliState::Broken => reason.push_str(&format!(
                    "{} is installed but does not work; `wtt-connect doctor` says more. ",
                    spec.title
                )),
                CliState::Missing => {}
            }
            tried.push(spec.name);
        }
        if let Some(first) = logged_out.first() {
            let titles: Vec<&str> = logged_out.iter().map(|spec| spec.title).collect();
            let are = if logged_out.len() == 1 { "is" } else { "are" };
            let sentence =
                format!("{} {are} installed but not logged in. {} ", titles.join(", "), first.login_hint);
            reason.insert_str(0, &sentence);
        }
        if reason.is_empty() {
            reason.push_str("No agent CLI was found on PATH; install one, Codex or Claude Code for example.");
        }
        let reason = reason.trim_end();
        if !has_person {
            return Err(Error::Unavailable(format!(
                "{reason} `--adapter {DEMO}` asks for the demonstration agent."
            )));
        }
        return demo(Some(reason.to_owned()));
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
    if !is_installed(spec) {
        let message =
            format!("{} was not found; {}, or use `--adapter {DEMO}`", spec.title, spec.install_hint);
        return Err(Error::Unavailable(message));
    }
    // Only some CLIs can tell. A key of another provider may do instead, so the agent is run all the same.
    let is_logged_out = spec.login_query.is_some() && cli_state(spec) == CliState::LoggedOut;
    let warning =
        is_logged_out.then(|| format!("{} says that it is not logged in. {}", spec.title, spec.login_hint));
    Ok(AdapterChoice { spec, is_demo: false, demo_reason: None, warning, others: others(spec.name) })
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

/// Chooses by what is installed on this machine. Without `has_person` the demonstration agent must be asked for.
pub fn choose_adapter(asked: Option<&str>, has_person: bool) -> Result<AdapterChoice> {
    let command = |spec: &AdapterSpec| {
        own_command(spec).and_then(|(_, command)| shell_words::split(&command).ok()).unwrap_or_default()
    };
    let is_installed = |spec: &AdapterSpec| locate::locate(spec, &command(spec)).is_ok();
    choose(asked, has_person, ADAPTERS, is_installed, |spec| {
        let _passing = TransientLine::show(&format!("Looking for agents: {}", spec.name));
        let found = login::probe(spec, &command(spec), &BTreeMap::new());
        match found.login {
            _ if found.path.is_none() => CliState::Missing,
            _ if !found.problem.is_empty() => CliState::Broken,
            Login::LoggedOut => CliState::LoggedOut,
            Login::LoggedIn(_) | Login::Unknown => CliState::Ready,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(asked: Option<&str>, installed: &[&str], logged_out: &[&str]) -> AdapterChoice {
        let state = |a: &AdapterSpec| {
            if logged_out.contains(&a.name) { CliState::LoggedOut } else { CliState::Ready }
        };
        choose(asked, true, ADAPTERS, |a| installed.contains(&a.name), state).expect("a choice")
    }

    #[test]
    fn codex_first_then_claude_then_the_demonstration() {
        for (asked, installed, logged_out, name, is_demo) in [
            (None, &["claude-code", "codex"][..], &[][..], "codex", false),
            (None, &["claude-code"], &[], "claude-code", false),
            (None, &["claude-code", "codex"], &["codex"], "claude-code", false),
            (None, &["codex"], &["codex"], "claude-code", true),
            (None, &[], &[], "claude-code", true),
            (Some("Demo"), &["codex"], &[], "claude-code", true),
            (Some("codex"), &["codex"], &["codex"], "codex", false),
        ] {
            let choice = choice(asked, installed, logged_out);
            assert_eq!(
                (choice.spec.name, choice.is_demo),
                (name, is_demo),
                "{asked:?} {installed:?} {logged_out:?}"
            );
        }
    }

    #[test]
    fn a_demonstration_that_nobody_asked_for_is_explained() {
        let reason = choice(None, &["codex"], &["codex"]).demo_reason.expect("a reason");
        assert!(reason.contains("Codex") && reason.contains("codex login"), "{reason}");
        assert!(choice(None, &[], &[]).demo_reason.is_some_and(|w| w.contains("No agent CLI")));
        assert!(choice(Some("demo"), &[], &[]).demo_reason.is_none());
        let warning = choice(Some("codex"), &["codex"], &["codex"]).warning.expect("a warning");
        assert!(warning.contains("not logged in") && warning.contains("codex login"), "{warning}");
        assert_eq!(choice(Some("codex"), &["codex"], &[]).warning, None);
        assert_eq!(choice(None, &["codex", "claude-code"], &[]).others, ["claude-code"]);
    }

    #[test]
    fn what_cannot_answer_is_named_once_and_not_offered() {
        let all = ["codex", "claude-code", "qoder"];
        let none = choice(None, &all, &all);
        let reason = none.demo_reason.expect("a reason");
        assert!(
            reason.starts_with("Codex, Claude Code, ") && reason.matches("not logged in").count() == 1,
            "{reason}"
        );
        assert!(reason.contains("codex login") && none.others.is_empty(), "{reason}");
        assert!(choice(Some("demo"), &all, &all).others.is_empty());
        assert_eq!(choice(None, &all, &["codex"]).others, ["qoder"]);
    }

    #[test]
    fn a_wrong_or_missing_adapter_is_said_in_one_sentence() {
        let refusal =
            |word| choose(Some(word), true, ADAPTERS, |_| false, |_| CliState::Missing).expect_err("refused");
        let (unknown, missing) = (refusal("emacs"), refusal("codex"));
        assert!(
            matches!(&unknown, Error::Usage(m) if m.contains("emacs") && m.contains("codex")),
            "{unknown}"
        );
        assert!(matches!(&missing, Error::Unavailable(m) if m.contains("--adapter demo")), "{missing}");
    }
}
