//! Devin: `devin acp`; its only other output is plain text (known from its public manual and public recordings).

use crate::agent::TurnRequest;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext};
use crate::agent::adapters::acp;
use crate::agent::adapters::acp::dialect::Acp;
use crate::config::Mode;

/// The adapter `devin`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "devin",
    title: "Devin",
    aliases: &[],
    programs: &["devin"],
    install_hint: "install it as https://docs.devin.ai/cli says",
    login_hint: "Run `devin auth login` on this machine, as the user of the connector.",
    session_key: "devinSessionId",
    launcher: None,
    login_query: None,
    modes: acp::MODES,
    flavor: None,
    discontinued: None,
    post_turn_query: None,
    image_data: true,
    invoke,
    dialect: |request| Box::new(Acp::new(request, false)),
};

/// The mode is set for each session; the variable is set so that one of our own environment does not loosen it.
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let mode = match request.mode {
        Mode::FullAuto | Mode::Yolo => "bypass",
        Mode::AutoEdit | Mode::Suggest => "normal",
    };
    let env = vec![("DEVIN_PERMISSION_MODE".to_owned(), mode.into())];
    Invocation { args: vec!["acp".into()], env, ..Invocation::default() }
}
