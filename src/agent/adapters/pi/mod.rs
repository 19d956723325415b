//! The pi coding agent: `pi --mode json`, or `--mode rpc` where it is to take further messages (observed with 0.73.1 and 0.87.1; agents B 3).

pub mod json_mode;
pub mod rpc;

use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, Login, LoginQuery};
use crate::agent::adapters::pi::json_mode::Pi;
use crate::agent::adapters::pi::rpc::Rpc;
use crate::agent::dialect::Dialect;
use crate::agent::{TurnRequest, adapter};
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
    launcher: None,
    login_query: Some(LoginQuery { args: &["--list-models"], parse: login_state }),
    modes: &[
        (Mode::FullAuto, "It has no permissions of its own: nothing is asked and nothing is walled in."),
        (Mode::Yolo, "The same as `full-auto`."),
        (Mode::Suggest, "`--tools read,grep,find,ls`: it has no tools but those for reading files."),
    ],
    flavor: None,
    discontinued: None,
    image_data: true,
    post_turn_query: None,
    invoke,
    dialect,
};

/// Whether both sides talk.
fn is_rpc(request: &TurnRequest) -> bool {
    request.transport.as_deref() == Some("rpc")
}

fn dialect(request: &TurnRequest) -> Box<dyn Dialect> {
    if is_rpc(request) { Box::new(Rpc::new(request)) } else { Box::new(Pi::new(request)) }
}

/// Its reader of arguments takes the word behind a flag as it is, whatever it begins with, and knows no `--flag=value`.
/// The prompt goes to stdin: as an argument it would be a file if it begins with `@`.
///
/// Sessions are made by pi itself and resumed by `--session`, which both generations have. It refuses an unknown id,
/// where `--session-id` would silently begin anew without the standing instructions.
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let rpc = is_rpc(request);
    let mut args: Vec<OsString> = vec!["--mode".into(), if rpc { "rpc" } else { "json" }.into()];
    let mut add = |flag: &str, value: &str| args.extend([flag.into(), value.into()]);
    match request.mode {
        Mode::FullAuto | Mode::Yolo => {}
        // `auto-edit` is refused before a start; should it come here, the stricter mode is the right one.
        Mode::AutoEdit | Mode::Suggest => add("--tools", "read,grep,find,ls"),
    }
    if let Some(model) = request.model.as_deref() {
        add("--model", model);
    }
    if let Some(effort) = request.effort.as_deref().filter(|word| !matches!(*word, "" | "default" | "auto")) {
        add("--thinking", if effort == "none" { "off" } else { effort });
    }
    if let Some(session) = request.resume.as_deref().filter(|id| adapter::is_plain_id(id)) {
        add("--session", session);
    }
    // In the two-way form they go with the prompt.
    for image in request.images.iter().filter(|_| !rpc) {
        let mut arg = OsString::from("@");
        arg.push(&image.path);
        args.push(arg);
    }
    // No look for updates at each turn.
    let env_defaults =
        [("PI_OFFLINE", "1"), ("PI_TELEMETRY", "0")].map(|(name, value)| (name.to_owned(), value.into()));
    Invocation { args, env_defaults: env_defaults.into(), ..Invocation::default() }
}

/// `pi --list-models` lists what there are keys for.
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
