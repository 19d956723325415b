//! OpenAI Codex: `codex exec --json`, or `codex app-server` in the modes that ask (observed with 0.169.0:
//! `tests/fixtures/codex`, `tests/fixtures/codex-app-server`).

pub mod app_server;
pub(crate) mod approvals;
pub(crate) mod effort;
mod errors;
pub mod exec;
pub(crate) mod items;
pub(crate) mod rpc;

use crate::agent::TurnRequest;
use crate::agent::adapter::{
    AdapterSpec, Invocation, LaunchContext, Launcher, Login, LoginQuery, flag_value, is_uuid,
};
use crate::agent::adapters::codex::app_server::AppServer;
use crate::agent::adapters::codex::effort::effort;
use crate::agent::adapters::codex::exec::CodexExec;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::dialect::Dialect;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `codex`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "codex",
    title: "Codex",
    aliases: &["openai"],
    programs: &["codex"],
    install_hint: "install it with `npm install -g @openai/codex`",
    login_hint: "Run `codex login` on this machine, as the user of the connector.",
    session_key: "codexThreadId",
    launcher: Some(Launcher { script: "@openai/codex/bin/codex.js", native_programs: NATIVES }),
    login_query: Some(LoginQuery { args: &["login", "status"], parse: login_state }),
    modes: &[
        (
            Mode::FullAuto,
            "`--dangerously-bypass-approvals-and-sandbox`: nothing is asked and nothing is walled in.",
        ),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::AutoEdit,
            "Codex' own sandbox: it may write and run commands in the workspace; for more it asks (`app-server`), or is refused (`exec`).",
        ),
        (
            Mode::Suggest,
            "Codex' own sandbox: it may read; for everything else it asks (`app-server`), or is refused (`exec`).",
        ),
    ],
    image_data: false,
    invoke,
    dialect,
    ..DEFAULTS
};

/// Newer releases ship the program in an optional dependency, older ones inside the package.
const NATIVES: &[&str] = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    &[
        "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
        "vendor/x86_64-unknown-linux-musl/bin/codex",
        "vendor/x86_64-unknown-linux-musl/codex/codex",
    ]
} else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
    &[
        "@openai/codex-linux-arm64/vendor/aarch64-unknown-linux-musl/bin/codex",
        "vendor/aarch64-unknown-linux-musl/bin/codex",
        "vendor/aarch64-unknown-linux-musl/codex/codex",
    ]
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    &[
        "@openai/codex-darwin-arm64/vendor/aarch64-apple-darwin/bin/codex",
        "vendor/aarch64-apple-darwin/bin/codex",
        "vendor/aarch64-apple-darwin/codex/codex",
    ]
} else if cfg!(all(target_os = "macos", target_arch = "x86_64")) {
    &[
        "@openai/codex-darwin-x64/vendor/x86_64-apple-darwin/bin/codex",
        "vendor/x86_64-apple-darwin/bin/codex",
        "vendor/x86_64-apple-darwin/codex/codex",
    ]
} else {
    &[]
};

/// Whether the app-server is used: in the modes that ask, and if the settings say so.
fn is_server(request: &TurnRequest) -> bool {
    request.transport.as_deref().map_or(request.can_ask(), |transport| transport == "app-server")
}

fn dialect(request: &TurnRequest) -> Box<dyn Dialect> {
    if is_server(request) { Box::new(AppServer::new(request)) } else { Box::new(CodexExec::new(request)) }
}

/// All options stand before the word `resume`, which itself knows few of them
/// (`tests/fixtures/codex/resume-C-after.cmd`). Each value is in one argument with its flag: otherwise `--image` would take the
/// `-` for a second image (`tests/fixtures/codex/image-eats-dash.cmd`).
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    if is_server(request) {
        return Invocation { args: vec!["app-server".into()], ..Invocation::default() };
    }
    let mut args: Vec<OsString> = vec!["exec".into(), "--json".into(), "--skip-git-repo-check".into()];
    match request.mode {
        Mode::FullAuto | Mode::Yolo => args.push("--dangerously-bypass-approvals-and-sandbox".into()),
        Mode::AutoEdit => args.extend(["-s".into(), "workspace-write".into()]),
        Mode::Suggest => args.extend(["-s".into(), "read-only".into()]),
    }
    args.extend(["-C".into(), request.workdir.clone().into_os_string()]);
    args.extend(request.model_flag());
    if let Some(effort) = effort(request) {
        args.extend(["-c".into(), format!("model_reasoning_effort={}", toml_string(effort)).into()]);
    }
    args.extend(request.images.iter().map(|image| flag_value("--image=", &image.path)));
    if let Some(thread) = request.resumable(is_uuid) {
        args.extend(["resume".into(), thread.into()]);
    }
    args.push("-".into());
    Invocation { args, ..Invocation::default() }
}

/// `codex login status` exits with 0 or 1 and says the rest on stderr: "API key configured - sk-…"
/// (`tests/fixtures/codex/login-status-key.cmd`). The key itself, although masked, is not repeated. A `CODEX_API_KEY`
/// in the environment needs no login.
fn login_state(code: Option<i32>, _stdout: &str, stderr: &str) -> Login {
    match code {
        Some(0) if stderr.contains("API key") => Login::LoggedIn("API key".to_owned()),
        Some(0) if stderr.contains("ChatGPT") => Login::LoggedIn("ChatGPT".to_owned()),
        Some(0) => Login::LoggedIn(String::new()),
        Some(1) if stderr.contains("Not logged in") => Login::LoggedOut,
        _ => Login::Unknown,
    }
}

/// A TOML basic string, so that a value cannot become another key.
fn toml_string(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::agent::PromptImage;
    use crate::agent::adapter::sample;

    fn args(change: impl FnOnce(&mut TurnRequest)) -> String {
        let mut request = TurnRequest { prompt: "-".to_owned(), ..sample::request() };
        change(&mut request);
        let invocation = invoke(&request, &LaunchContext { fresh_id: "x", is_root: true });
        assert!(invocation.env.is_empty());
        invocation.args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn command_lines() {
        let full = "--dangerously-bypass-approvals-and-sandbox";
        assert_eq!(args(|_| {}), format!("exec --json --skip-git-repo-check {full} -C /w -"));
        assert_eq!(args(|r| r.mode = Mode::Yolo), args(|_| {}));
        let exec = |mode| args(move |r| (r.mode, r.transport) = (mode, Some("exec".to_owned())));
        assert_eq!(exec(Mode::AutoEdit), "exec --json --skip-git-repo-check -s workspace-write -C /w -");
        assert_eq!(exec(Mode::Suggest), "exec --json --skip-git-repo-check -s read-only -C /w -");
        for mode in [Mode::AutoEdit, Mode::Suggest] {
            assert_eq!(args(move |r| r.mode = mode), "app-server");
        }
        assert_eq!(args(|r| r.transport = Some("app-server".to_owned())), "app-server");
        let all = args(|r| {
            r.model = Some("gpt-5.5".to_owned());
            r.effort = Some("high".to_owned());
            r.images = vec![PromptImage {
                path: "/i/a b.png".into(),
                media_type: "image/png".to_owned(),
                data: None,
            }];
            r.resume = Some("01a201fc-49a6-73b2-93a6-9a4fe7056111".to_owned());
        });
        assert_eq!(
            all,
            format!(
                "exec --json --skip-git-repo-check {full} -C /w --model=gpt-5.5 -c model_reasoning_effort=\"high\" \
                 --image=/i/a b.png resume 01a201fc-49a6-73b2-93a6-9a4fe7056111 -"
            )
        );
    }

    #[test]
    fn values_cannot_become_options() {
        assert!(args(|r| r.model = Some("--help".to_owned())).contains(" --model=--help "));
        let effort = args(|r| r.effort = Some("high\" x=\"\n".to_owned()));
        assert!(effort.contains(r#"model_reasoning_effort="high\" x=\"" -"#), "{effort}");
        assert!(args(|r| r.effort = Some("off".to_owned())).contains(r#"="none""#));
        assert!(!args(|r| r.effort = Some("default".to_owned())).contains("effort"));
        assert!(!args(|r| r.resume = Some("--last".to_owned())).contains("resume"));
    }
}
