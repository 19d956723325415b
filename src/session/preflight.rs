//! What must be done before an agent is started: it is one that is here and that we can drive, in this permission mode,
//! and the model switcher has run.

use crate::agent::adapter::{self, AdapterSpec};
use crate::agent::adapters;
use crate::agent::discovery::{locate, version};
use crate::agent::helper_command::HelperError;
use crate::agent::model_switcher::{self, SwitchTarget};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::runner::Control;
use crate::config::model_switch::ModelSwitch;
use crate::config::{Busy, Config, Mode};
use crate::session::routing::Route;
use crate::session::shared::Shared;
use crate::session::switcher_lock::SwitcherGuard;
use crate::session::user_program::{self, COMPLAINT_CHARS};
use crate::text;
use crossbeam_channel::Receiver;
use std::ffi::OsString;

/// How the agent is spoken to: as the settings say; so that it can take further messages, where they shall go into the
/// running turn; otherwise as it chooses.
pub fn transport(config: &Config, adapter: &AdapterSpec) -> Option<String> {
    let steered = match adapter.name {
        "codex" => "app-server",
        "claude-code" => "stream",
        "pi" => "rpc",
        _ => "",
    };
    let steered = Some(steered.to_owned()).filter(|word| config.busy == Busy::Steer && !word.is_empty());
    config.transports.get(adapter.name).cloned().or(steered)
}

/// The spec that drives what is installed, or why the turn is not begun. `instead`: the adapters that are named, if they are
/// here, when this one is missing.
pub fn check_adapter(
    adapter: &'static AdapterSpec,
    command: &[String],
    config: &Config,
    mode: Mode,
    instead: &[String],
) -> Result<&'static AdapterSpec, (Reason, String)> {
    if let Some(why) = adapter::mode_refusal(adapter, mode) {
        return Err((Reason::RefusedByPolicy, why));
    }
    if let Err(why) = locate::locate(adapter, command) {
        return Err((Reason::CliMissing, why + &suggest_other_adapter(adapter, config, instead)));
    }
    let flavor =
        version::flavor(adapter, command, &config.extra_env).map_err(|why| (Reason::CliUnsupported, why))?;
    // A flavor may know fewer modes than its adapter promises.
    match adapter::mode_refusal(flavor.spec, mode) {
        Some(why) => Err((Reason::RefusedByPolicy, why)),
        None => Ok(flavor.spec),
    }
}

/// Who could answer instead: the others of these adapters whose program is here.
fn suggest_other_adapter(missing: &AdapterSpec, config: &Config, instead: &[String]) -> String {
    let here = |name: &&String| {
        let command = config.commands.get(*name).map_or(&[][..], Vec::as_slice);
        **name != missing.name
            && adapters::find(name).is_some_and(|spec| locate::locate(spec, command).is_ok())
    };
    let names: Vec<&str> = instead.iter().filter(here).map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!("; installed here: {}", names.join(", ")) }
}

/// Runs the model switcher, if it is on. What comes back is to be kept until the agent has ended; an outcome ends the turn.
pub(super) fn switch<'s>(
    shared: &'s Shared,
    route: &Route,
    control: &Receiver<Control>,
    waiting: &mut dyn FnMut(),
) -> Result<Option<SwitcherGuard<'s>>, AgentOutcome> {
    let Some(switch) = &shared.config.switch else { return Ok(None) };
    let stopped = || AgentOutcome::Cancelled { partial: String::new() };
    let pass = shared.gate.acquire(control, waiting).ok_or_else(stopped)?;
    let detail = match run(shared, switch, route, control) {
        Ok(()) => return Ok(Some(pass)),
        Err(HelperError::Stopped) => return Err(stopped()),
        Err(trouble) => text::truncate(&text::one_line(&trouble.to_string()), COMPLAINT_CHARS),
    };
    if switch.strict {
        return Err(AgentOutcome::Failed { reason: Reason::SwitcherFailed, detail, partial: String::new() });
    }
    log::warn!(target: "session", "the model switcher failed, the agent runs as it is set up: {detail}");
    Ok(Some(pass))
}

fn run(
    shared: &Shared,
    switch: &ModelSwitch,
    route: &Route,
    control: &Receiver<Control>,
) -> Result<(), HelperError> {
    let choice = SwitchTarget {
        adapter: &route.adapter,
        provider: route.provider.as_deref(),
        model: route.model.as_deref(),
    };
    let words = model_switcher::switch_command(switch, &choice).map_err(HelperError::CannotRun)?;
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        log::debug!(target: "session", "nothing to switch for {}", route.words());
        return Ok(());
    };
    let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    user_program::run(shared, &words, "", switch.timeout, Some(control))?;
    log::debug!(target: "session", "switched for {}", route.words());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Selection, Settings};

    #[test]
    fn a_mode_that_cannot_be_kept_is_refused_before_anything_is_started() {
        let config = Config::draft(&Selection::default(), &mut Settings::default());
        let codex = adapters::find("codex").unwrap();
        let loose: &AdapterSpec =
            Box::leak(Box::new(AdapterSpec { modes: &[(Mode::FullAuto, "All.")], ..*codex }));
        assert_eq!(
            check_adapter(loose, &["sh".to_owned()], &config, Mode::FullAuto, &[]).unwrap().name,
            "codex"
        );
        let (reason, detail) =
            check_adapter(loose, &["/no/such/cli".to_owned()], &config, Mode::Suggest, &[]).unwrap_err();
        assert_eq!(reason, Reason::RefusedByPolicy);
        let sentence = crate::session::failure_text::sentence(
            &reason,
            crate::session::messages::Lang::En,
            loose.title,
            &detail,
        );
        assert!(sentence.contains("mode suggest") && sentence.contains("are full-auto;"), "{sentence}");
    }
}
