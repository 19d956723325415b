//! Any agent that speaks the Agent Client Protocol on its standard input and output.

pub mod dialect;
mod failure;
mod further_messages;
mod json_rpc;
mod permission_requests;
pub mod quirks;
mod session_options;
mod setup;
mod steering;
mod tool_calls;
mod updates;
mod usage;

use crate::agent::TurnRequest;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext};
use crate::agent::adapters::acp::dialect::Acp;
use crate::agent::adapters::opencode;
use crate::config::Mode;

/// The adapter `acp`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "acp",
    title: "ACP agent",
    aliases: &[],
    programs: &["claude-agent-acp", "codex-acp"],
    install_hint: "set WTT_CONNECT_ACP_COMMAND to the command of an ACP agent, such as `qwen` or `my-agent --acp`",
    login_hint: "Log in with the agent's own command on this machine, as the user of the connector.",
    session_key: "acpSessionId",
    launcher: None,
    login_query: None,
    modes: MODES,
    flavor: None,
    discontinued: None,
    post_turn_query: None,
    image_data: true,
    invoke,
    dialect: |request| Box::new(Acp::new(request, false)),
};

/// What the modes mean for every agent that is driven this way.
pub const MODES: &[(Mode, &str)] = &[
    (
        Mode::FullAuto,
        "The agent's own mode without questions; where it has none, each question is answered with yes.",
    ),
    (Mode::Yolo, "The same as `full-auto`."),
    (
        Mode::AutoEdit,
        "The agent's own mode that edits without questions; what needs more is refused. Agents without such a mode are not run.",
    ),
    (
        Mode::Suggest,
        "The agent's own mode that asks or only reads; what is asked is refused. Agents without such a mode are not run.",
    ),
];

/// The command says it all. What certain agents need besides is unknown to the others.
fn invoke(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    let mut env = Vec::new();
    match request.mode {
        // Claude offers root its mode without questions only so.
        Mode::FullAuto | Mode::Yolo if host.is_root => env.push(("IS_SANDBOX".to_owned(), "1".into())),
        Mode::FullAuto | Mode::Yolo => {}
        // OpenCode has no modes for it.
        Mode::AutoEdit | Mode::Suggest => env.push(opencode::asking(request.mode)),
    }
    Invocation { env, ..Invocation::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::adapter::sample;

    #[test]
    fn nothing_is_added_to_the_command() {
        let mut request = TurnRequest {
            prompt: "-".to_owned(),
            model: Some("m".to_owned()),
            resume: Some("s".to_owned()),
            ..sample::request()
        };
        let invocation = invoke(&request, &LaunchContext { fresh_id: "NEW", is_root: true });
        assert!(invocation.args.is_empty());
        assert_eq!(invocation.env, [("IS_SANDBOX".to_owned(), "1".into())]);
        request.mode = Mode::Suggest;
        assert_eq!(
            invoke(&request, &LaunchContext { fresh_id: "NEW", is_root: true }).env[0].0,
            "OPENCODE_PERMISSION"
        );
    }
}
