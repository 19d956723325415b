//! Cursor's CLI: `cursor-agent`, now `agent` (from documentation and reports of 2026; `tests/fixtures/cursor` shows the
//! shapes).

pub(crate) mod acp_requests;
pub mod stream_json;

use crate::agent::TurnRequest;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, Login, LoginQuery, flag_value, is_uuid};
use crate::agent::adapters::acp::dialect::Acp;
use crate::agent::adapters::cursor::stream_json::Cursor;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `cursor`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "cursor",
    title: "Cursor",
    aliases: &["cursor-agent"],
    programs: &["cursor-agent", "agent"],
    install_hint: "install it with `curl https://cursor.com/install -fsS | bash`",
    login_hint: "Run `cursor-agent login` on this machine, as the user of the connector, or set CURSOR_API_KEY.",
    session_key: "cursorChatId",
    login_query: Some(LoginQuery { args: &["status"], parse: login_state }),
    modes: &[
        (Mode::FullAuto, "`--force`: nothing is asked."),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::Suggest,
            "`--mode=plan`: it may read and answers with a plan. Questions of its own it skips by itself, and the answer says so. Over ACP it asks them in chat, and for permission as its own settings say.",
        ),
    ],
    invoke,
    dialect: |request| {
        if speaks_acp(request) { Box::new(Acp::new(request, true)) } else { Box::new(Cursor::new(request)) }
    },
    ..DEFAULTS
};

/// Only if the settings say so: over ACP it asks as the user's own Cursor settings say, which may be never, so no mode is
/// stricter there. Neither form resumes the sessions of the other.
fn speaks_acp(request: &TurnRequest) -> bool {
    request.transport.as_deref() == Some("acp")
}

/// The prompt follows `--`, so that it cannot be taken for an option. Without `--trust` it refuses every directory that it
/// has not seen, in some releases with exit code 0 (`tests/fixtures/cursor/no-trust.cmd`).
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    if speaks_acp(request) {
        let mut args: Vec<OsString> = vec!["--trust".into()];
        args.extend(request.model_flag());
        args.push("acp".into());
        return Invocation { args, ..Invocation::default() };
    }
    let mut args: Vec<OsString> = [
        "-p",
        "--output-format=stream-json",
        "--stream-partial-output",
        "--trust",
        match request.mode {
            Mode::FullAuto | Mode::Yolo => "--force",
            // `auto-edit` is refused before the start; if it came here, the stricter mode would be right.
            Mode::AutoEdit | Mode::Suggest => "--mode=plan",
        },
    ]
    .map(OsString::from)
    .into();
    args.push(flag_value("--workspace=", &request.workdir));
    args.extend(request.model_flag());
    args.extend(request.resumable(is_uuid).map(|chat| flag_value("--resume=", chat)));
    args.extend(["--".into(), stream_json::prompt(request).into()]);
    Invocation { args, ..Invocation::default() }
}

/// `cursor-agent status` prints a sentence with the user's address, which is not repeated.
fn login_state(_code: Option<i32>, stdout: &str, stderr: &str) -> Login {
    let said = format!("{stdout}{stderr}").to_lowercase();
    if said.contains("not logged in") {
        Login::LoggedOut
    } else if said.contains("logged in") {
        Login::LoggedIn(String::new())
    } else {
        Login::Unknown
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::agent::PromptImage;
    use crate::agent::adapter::sample::{args, request};

    #[test]
    fn command_lines() {
        let base = "-p --output-format=stream-json --stream-partial-output --trust";
        assert_eq!(args(&SPEC, &request()), format!("{base} --force --workspace=/w -- hello"));
        let mut all = request();
        all.prompt = "--help @/etc/passwd \0x".to_owned();
        all.mode = Mode::Suggest;
        all.model = Some("gpt-5.5".to_owned());
        all.resume = Some("8e6771af-d7db-476d-8225-82c3162ed7ed".to_owned());
        all.images =
            vec![PromptImage { path: "/i/a.png".into(), media_type: "image/png".to_owned(), data: None }];
        assert_eq!(
            args(&SPEC, &all),
            format!(
                "{base} --mode=plan --workspace=/w --model=gpt-5.5 --resume=8e6771af-d7db-476d-8225-82c3162ed7ed \
                 -- --help \u{2060}@/etc/passwd x\n\nImages that came with this message; open them as files:\n/i/a.png"
            )
        );
        all.transport = Some("acp".to_owned());
        assert_eq!(args(&SPEC, &all), "--trust --model=gpt-5.5 acp");
        all.transport = None;
        all.resume = Some("--help".to_owned());
        assert!(!args(&SPEC, &all).contains("--resume"));
    }

    #[test]
    fn the_login_state_in_words() {
        assert_eq!(login_state(Some(0), " ✓ Logged in as a@example.com", ""), Login::LoggedIn(String::new()));
        assert_eq!(login_state(Some(0), "Not logged in", ""), Login::LoggedOut);
        assert_eq!(login_state(Some(1), "", ""), Login::Unknown);
    }
}
