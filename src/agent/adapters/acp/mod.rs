//! Any agent that speaks the Agent Client Protocol on its standard input and output.

pub mod dialect;
mod failure;
mod further_messages;
mod permission_requests;
pub mod quirks;
mod session_options;
mod setup;
mod steering;
mod tool_calls;
mod updates;
mod usage;

use crate::agent::TurnRequest;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, variable};
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::adapters::opencode;
use crate::config::Mode;

/// The adapter `acp`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "acp",
    title: "ACP agent",
    programs: &["claude-agent-acp", "codex-acp"],
    install_hint: "set WTT_CONNECT_ACP_COMMAND to the command of an ACP agent, such as `qwen` or `my-agent --acp`",
    login_hint: "Log in with the agent's own command on this machine, as the user of the connector.",
    session_key: "acpSessionId",
    invoke,
    ..DEFAULTS
};

/// The user's command is complete. Each variable is for one agent; the others do not know it.
fn invoke(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    let mut env = Vec::new();
    match request.mode {
        // Otherwise claude-agent-acp does not offer its mode without questions to root.
        Mode::FullAuto | Mode::Yolo if host.is_root => env.push(variable("IS_SANDBOX", "1")),
        Mode::FullAuto | Mode::Yolo => {}
        // OpenCode has no session modes for these.
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
