//! Claude Code: `claude -p --output-format stream-json`, one process per turn, or two-way in the modes that ask and for
//! images (observed with 2.1.330: `tests/fixtures/claude-code`, `tests/fixtures/claude-code-stream`).

mod control_requests;
pub mod stream_json;
pub mod two_way;

use crate::agent::TurnRequest;
use crate::agent::adapter::{
    AdapterSpec, Invocation, LaunchContext, Login, LoginQuery, flag_value, is_uuid, variable,
};
use crate::agent::adapters::claude_code::stream_json::Claude;
use crate::agent::adapters::claude_code::two_way::TwoWay;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::dialect::Dialect;
use crate::config::Mode;
use crate::json;
use serde_json::Value;
use std::ffi::OsString;

/// Its own default of 10 retries takes minutes, also for a rejected login
/// (`tests/fixtures/claude-code/err-401-default-retries.jsonl`); this many take about half a minute.
const MAX_RETRIES: &str = "5";

/// The adapter `claude-code`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "claude-code",
    title: "Claude Code",
    aliases: &["claude", "claudecode", "claude_code"],
    programs: &["claude"],
    install_hint: "install it with `npm install -g @anthropic-ai/claude-code`",
    login_hint: "Run `claude` on this machine, as the user of the connector, and type `/login`.",
    session_key: "claudeSessionId",
    login_query: Some(LoginQuery { args: &["auth", "status"], parse: login_state }),
    modes: &[
        (Mode::FullAuto, "`--dangerously-skip-permissions`: nothing is asked."),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::AutoEdit,
            "`--permission-mode=acceptEdits`: files of the workspace may be written; for more it asks (`stream`), or is refused (`one-shot`).",
        ),
        (
            Mode::Suggest,
            "It may read and asks before everything else (`stream`), or answers with a plan (`one-shot`, `--permission-mode=plan`).",
        ),
    ],
    invoke,
    dialect,
    ..DEFAULTS
};

/// Whether every turn of the session is two-way, so that the process can wait for the next one: in the modes that ask, and
/// if the settings say so.
fn keeps_process(request: &TurnRequest) -> bool {
    request.transport.as_deref().map_or(request.can_ask(), |transport| transport == "stream")
}

/// Whether this turn is two-way: also for images, which cannot be sent otherwise.
fn is_stream(request: &TurnRequest) -> bool {
    keeps_process(request) || (request.transport.is_none() && !request.images.is_empty())
}

fn dialect(request: &TurnRequest) -> Box<dyn Dialect> {
    if is_stream(request) {
        Box::new(TwoWay::new(request, keeps_process(request)))
    } else {
        Box::new(Claude::new(request))
    }
}

fn invoke(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    let mut args: Vec<OsString> =
        ["-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"]
            .map(OsString::from)
            .into();
    let mut env = Vec::new();
    let stream = is_stream(request);
    if stream {
        args.extend(["--input-format", "stream-json", "--replay-user-messages"].map(OsString::from));
        if request.can_ask() {
            args.push("--permission-prompt-tool=stdio".into());
        }
    }
    match request.mode {
        Mode::FullAuto | Mode::Yolo => {
            args.extend([
                "--dangerously-skip-permissions".into(),
                "--permission-mode=bypassPermissions".into(),
            ]);
            if host.is_root {
                // Exactly `1`; without it both flags are refused to root.
                env.push(variable("IS_SANDBOX", "1"));
            }
        }
        Mode::AutoEdit => args.push("--permission-mode=acceptEdits".into()),
        Mode::Suggest if stream => args.push("--permission-mode=default".into()),
        Mode::Suggest => args.push("--permission-mode=plan".into()),
    }
    args.extend(request.model_flag());
    args.extend(effort(request).map(|effort| flag_value("--effort=", effort)));
    args.push(match request.resumable(is_uuid) {
        Some(session) => flag_value("--resume=", session),
        None => flag_value("--session-id=", host.fresh_id),
    });
    let env_defaults = vec![variable("CLAUDE_CODE_MAX_RETRIES", MAX_RETRIES)];
    Invocation { args, env, env_defaults, ..Invocation::default() }
}

/// `claude auth status` prints JSON and exits with 0 or 1 (`tests/fixtures/claude-code/auth-status-none.jsonl`).
fn login_state(_code: Option<i32>, stdout: &str, _stderr: &str) -> Login {
    let Ok(status) = json::parse::<Value>(stdout) else { return Login::Unknown };
    match status["loggedIn"].as_bool() {
        Some(true) => Login::LoggedIn(status["authMethod"].as_str().unwrap_or_default().replace('_', " ")),
        Some(false) => Login::LoggedOut,
        None => Login::Unknown,
    }
}

/// The word that claude accepts for the effort; it has none below `low`.
fn effort(request: &TurnRequest) -> Option<&str> {
    match request.explicit_effort()? {
        "off" | "none" => None,
        "minimal" => Some("low"),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::PromptImage;
    use crate::agent::adapter::sample;

    fn invocation(root: bool, change: impl FnOnce(&mut TurnRequest)) -> (String, Invocation) {
        let mut request = TurnRequest { prompt: "-".to_owned(), ..sample::request() };
        change(&mut request);
        let invocation = invoke(&request, &LaunchContext { fresh_id: "NEW", is_root: root });
        (invocation.args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" "), invocation)
    }

    #[test]
    fn command_lines() {
        let base = "-p --output-format stream-json --verbose --include-partial-messages";
        let full = format!("{base} --dangerously-skip-permissions --permission-mode=bypassPermissions");
        let one_shot = Some("one-shot".to_owned());
        let (args, parts) = invocation(false, |_| {});
        assert_eq!(args, format!("{full} --session-id=NEW"));
        assert!(parts.env.is_empty());
        let (args, parts) = invocation(true, |r| r.mode = Mode::Yolo);
        assert_eq!(args, format!("{full} --session-id=NEW"));
        assert_eq!(parts.env, [("IS_SANDBOX".to_owned(), "1".into())]);
        let (args, parts) = invocation(true, |r| {
            r.mode = Mode::AutoEdit;
            r.transport = one_shot.clone();
            r.model = Some("sonnet".to_owned());
            r.effort = Some("high".to_owned());
            r.resume = Some("8e6771af-d7db-476d-8225-82c3162ed7ed".to_owned());
        });
        assert_eq!(
            args,
            format!(
                "{base} --permission-mode=acceptEdits --model=sonnet --effort=high \
                 --resume=8e6771af-d7db-476d-8225-82c3162ed7ed"
            )
        );
        assert!(parts.env.is_empty(), "root needs nothing when nothing is bypassed");
        assert_eq!(
            invocation(false, |r| (r.mode, r.transport) = (Mode::Suggest, one_shot)).0,
            format!("{base} --permission-mode=plan --session-id=NEW")
        );
    }

    #[test]
    fn two_way() {
        let base = "-p --output-format stream-json --verbose --include-partial-messages \
                    --input-format stream-json --replay-user-messages";
        let mode = |mode| invocation(true, move |r| r.mode = mode).0;
        let asks = format!("{base} --permission-prompt-tool=stdio");
        assert_eq!(mode(Mode::Suggest), format!("{asks} --permission-mode=default --session-id=NEW"));
        assert_eq!(mode(Mode::AutoEdit), format!("{asks} --permission-mode=acceptEdits --session-id=NEW"));
        let full = format!(
            "{base} --dangerously-skip-permissions --permission-mode=bypassPermissions --session-id=NEW"
        );
        assert_eq!(invocation(true, |r| r.transport = Some("stream".to_owned())).0, full);
        let image = PromptImage { path: "/i.png".into(), media_type: "image/png".to_owned(), data: None };
        assert_eq!(invocation(true, |r| r.images = vec![image]).0, full);
    }

    #[test]
    fn odd_values() {
        assert!(!invocation(false, |r| r.effort = Some("off".to_owned())).0.contains("--effort"));
        assert!(invocation(false, |r| r.effort = Some("minimal".to_owned())).0.contains("--effort=low"));
        assert!(invocation(false, |r| r.resume = Some("--help".to_owned())).0.ends_with("--session-id=NEW"));
        assert_eq!(invocation(false, |_| {}).1.env_defaults[0].0, "CLAUDE_CODE_MAX_RETRIES");
    }
}
