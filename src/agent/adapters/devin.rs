//! Devin: `devin acp`, as its public manual describes it; its only other output is plain text.

use crate::agent::TurnRequest;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, variable};
use crate::agent::adapters::defaults::DEFAULTS;

/// The adapter `devin`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "devin",
    title: "Devin",
    programs: &["devin"],
    install_hint: "install it as https://docs.devin.ai/cli says",
    login_hint: "Run `devin auth login` on this machine, as the user of the connector.",
    session_key: "devinSessionId",
    invoke,
    ..DEFAULTS
};

/// The dialect sets the mode of each session; the variable prevents that one of the connector's own environment loosens it.
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let mode = if request.can_ask() { "normal" } else { "bypass" };
    let env = vec![variable("DEVIN_PERMISSION_MODE", mode)];
    Invocation { args: vec!["acp".into()], env, ..Invocation::default() }
}
