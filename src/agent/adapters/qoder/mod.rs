//! Qoder: `qodercli -p`, one process per turn (observed with 1.1.52 up to its login: `tests/fixtures/qoder`).

pub mod stream_json;

use crate::agent::TurnRequest;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, Login, LoginQuery, flag_value, is_uuid};
use crate::agent::adapters::acp::dialect;
use crate::agent::adapters::acp::dialect::Acp;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::adapters::qoder::stream_json::Qoder;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `qoder`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "qoder",
    title: "Qoder",
    aliases: &["qodercli"],
    programs: &["qodercli"],
    install_hint: "install it with `npm install -g @qoder-ai/qodercli`",
    login_hint: "Run `qodercli login` on this machine, as the user of the connector.",
    session_key: "qoderSessionId",
    login_query: Some(LoginQuery { args: &["status"], parse: login_state }),
    modes: &[
        (Mode::FullAuto, "`--permission-mode=bypass_permissions`: nothing is asked."),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::AutoEdit,
            "`--acp --permission-mode=accept_edits`: files of the workspace may be written; it asks for everything else.",
        ),
        (Mode::Suggest, "`--acp --permission-mode=default`: it may read, and asks for everything else."),
    ],
    invoke,
    dialect: |request| {
        if dialect::is_chosen(request) {
            Box::new(Acp::new(request, true))
        } else {
            Box::new(Qoder::new(request))
        }
    },
    ..DEFAULTS
};

/// The prompt goes to stdin.
fn invoke(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    if dialect::is_chosen(request) {
        let mode = match request.mode {
            Mode::FullAuto | Mode::Yolo => "bypass_permissions",
            Mode::AutoEdit => "accept_edits",
            Mode::Suggest => "default",
        };
        let mut args: Vec<OsString> = vec!["--acp".into(), format!("--permission-mode={mode}").into()];
        args.extend(request.model_flag());
        return Invocation { args, ..Invocation::default() };
    }
    let mut args: Vec<OsString> =
        vec!["-p".into(), "--output-format=stream-json".into(), "--include-partial-messages".into()];
    args.push(match request.mode {
        Mode::FullAuto | Mode::Yolo => "--permission-mode=bypass_permissions".into(),
        Mode::AutoEdit => "--permission-mode=accept_edits".into(),
        Mode::Suggest => "--permission-mode=dont_ask".into(),
    });
    if request.mode == Mode::Suggest {
        // No MCP servers either: what their tools do is unknown.
        args.extend(["--strict-mcp-config".into(), "--tools=Read,Glob,Grep".into()]);
    }
    args.push(flag_value("--cwd=", &request.workdir));
    args.extend(request.images.iter().map(|image| flag_value("--attachment=", &image.path)));
    args.extend(request.model_flag());
    let effort = request.explicit_effort().filter(|word| *word != "off");
    args.extend(effort.map(|effort| flag_value("--reasoning-effort=", effort)));
    args.push(match request.resumable(is_uuid) {
        Some(session) => flag_value("--resume=", session),
        None => flag_value("--session-id=", host.fresh_id),
    });
    Invocation { args, ..Invocation::default() }
}

/// `qodercli status` prints `Account: Not logged in` and exits with 0.
fn login_state(code: Option<i32>, stdout: &str, _stderr: &str) -> Login {
    match stdout.lines().find_map(|line| line.trim().strip_prefix("Account:")) {
        Some(account) if account.contains("Not logged in") => Login::LoggedOut,
        Some(account) if code == Some(0) && !account.trim().is_empty() => Login::LoggedIn(String::new()),
        _ => Login::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::PromptImage;
    use crate::agent::adapter::sample::{args, request};

    #[test]
    fn command_lines() {
        let base = "-p --output-format=stream-json --include-partial-messages";
        assert_eq!(
            args(&SPEC, &request()),
            format!("{base} --permission-mode=bypass_permissions --cwd=/w --session-id=NEW")
        );
        let mut all = request();
        all.mode = Mode::Suggest;
        assert_eq!(args(&SPEC, &all), "--acp --permission-mode=default");
        all.transport = Some("one-shot".to_owned());
        all.model = Some("--help".to_owned());
        all.effort = Some("high".to_owned());
        all.resume = Some("8e6771af-d7db-476d-8225-82c3162ed7ed".to_owned());
        all.images =
            vec![PromptImage { path: "/i/a b.png".into(), media_type: "image/png".to_owned(), data: None }];
        assert_eq!(
            args(&SPEC, &all),
            format!(
                "{base} --permission-mode=dont_ask --strict-mcp-config --tools=Read,Glob,Grep --cwd=/w \
                 --attachment=/i/a b.png --model=--help --reasoning-effort=high \
                 --resume=8e6771af-d7db-476d-8225-82c3162ed7ed"
            )
        );
    }

    #[test]
    fn the_recorded_login_state() {
        assert_eq!(login_state(Some(0), "Version: 1.1.52\nAccount: Not logged in\n", ""), Login::LoggedOut);
        assert_eq!(login_state(Some(0), "Account: someone\n", ""), Login::LoggedIn(String::new()));
        assert_eq!(login_state(Some(1), "", "crash"), Login::Unknown);
    }
}
