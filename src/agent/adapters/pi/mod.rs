//! The pi coding agent: `pi --mode json`, or `--mode rpc` if it shall take further messages (observed with 0.73.1 and
//! 0.87.1: `tests/fixtures/pi`, `tests/fixtures/pi-rpc`).

pub mod json_mode;
pub mod rpc;

use crate::agent::TurnRequest;
use crate::agent::adapter::{
    AdapterSpec, Invocation, LaunchContext, Login, LoginQuery, flag_value, is_plain_id, variable,
};
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::adapters::pi::json_mode::Pi;
use crate::agent::adapters::pi::rpc::PiRpc;
use crate::agent::dialect::Dialect;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `pi`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "pi",
    title: "Pi",
    aliases: &["pi-coding-agent"],
    programs: &["pi"],
    install_hint: "install it with `npm install -g @earendil-works/pi-coding-agent`",
    login_hint: "Run `pi` on this machine, as the user of the connector, and type `/login`.",
    session_key: "piSessionId",
    login_query: Some(LoginQuery { args: &["--list-models"], parse: login_state }),
    modes: &[
        (Mode::FullAuto, "It has no permissions of its own: nothing is asked and nothing is walled in."),
        (Mode::Yolo, "The same as `full-auto`."),
        (Mode::Suggest, "`--tools read,grep,find,ls`: it has no tools but those for reading files."),
    ],
    invoke,
    dialect,
    ..DEFAULTS
};

/// Whether the two-way form is used.
fn is_rpc(request: &TurnRequest) -> bool {
    request.transport.as_deref() == Some("rpc")
}

fn dialect(request: &TurnRequest) -> Box<dyn Dialect> {
    if is_rpc(request) { Box::new(PiRpc::new(request)) } else { Box::new(Pi::new(request)) }
}

/// Its argument parser takes the word after a flag as its value, whatever it begins with, and does not know `--flag=value`.
/// The prompt goes to stdin: as an argument that begins with `@` it would name a file.
///
/// Pi creates the sessions, and `--session`, which both generations have, resumes them. It refuses an unknown id, whereas
/// `--session-id` would silently start a new session without the standing instructions.
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let rpc = is_rpc(request);
    let mut args: Vec<OsString> = vec!["--mode".into(), if rpc { "rpc" } else { "json" }.into()];
    let mut add = |flag: &str, value: &str| args.extend([flag.into(), value.into()]);
    match request.mode {
        Mode::FullAuto | Mode::Yolo => {}
        // `auto-edit` is refused before the start; if it came here, the stricter mode would be right.
        Mode::AutoEdit | Mode::Suggest => add("--tools", "read,grep,find,ls"),
    }
    if let Some(model) = request.model.as_deref() {
        add("--model", model);
    }
    if let Some(effort) = request.explicit_effort() {
        add("--thinking", if effort == "none" { "off" } else { effort });
    }
    if let Some(session) = request.resumable(is_plain_id) {
        add("--session", session);
    }
    // In the two-way form they go with the prompt.
    if !rpc {
        args.extend(request.images.iter().map(|image| flag_value("@", &image.path)));
    }
    // Otherwise it looks for updates at each turn.
    let env_defaults = vec![variable("PI_OFFLINE", "1"), variable("PI_TELEMETRY", "0")];
    Invocation { args, env_defaults, ..Invocation::default() }
}

/// `pi --list-models` lists the models for which it has a key.
fn login_state(code: Option<i32>, stdout: &str, stderr: &str) -> Login {
    let said = if stdout.trim().is_empty() { stderr } else { stdout };
    match code {
        Some(0) if said.contains("No models available") => Login::LoggedOut,
        Some(0) if said.lines().count() > 1 => Login::LoggedIn(String::new()),
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
        assert_eq!(args(&SPEC, &request()), "--mode json");
        let mut all = request();
        all.mode = Mode::Suggest;
        all.model = Some("fake/fake-model".to_owned());
        all.effort = Some("none".to_owned());
        all.resume = Some("01a2020d-941b-7240-89f4-3a254760f298".to_owned());
        all.images =
            vec![PromptImage { path: "/i/a b.png".into(), media_type: "image/png".to_owned(), data: None }];
        assert_eq!(
            args(&SPEC, &all),
            "--mode json --tools read,grep,find,ls --model fake/fake-model --thinking off \
             --session 01a2020d-941b-7240-89f4-3a254760f298 @/i/a b.png"
        );
        all.transport = Some("rpc".to_owned());
        assert_eq!(
            args(&SPEC, &all),
            "--mode rpc --tools read,grep,find,ls --model fake/fake-model --thinking off \
             --session 01a2020d-941b-7240-89f4-3a254760f298"
        );
        all.resume = Some("--help".to_owned());
        assert!(!args(&SPEC, &all).contains("--session"));
    }
}
