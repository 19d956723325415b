//! Gemini CLI: `gemini --output-format=stream-json`, one process per turn (observed with 0.61.0:
//! `tests/fixtures/gemini`).

pub mod stream_json;

use crate::agent::TurnRequest;
use crate::agent::adapter::{
    AdapterSpec, HomeOverlay, Invocation, LaunchContext, TempDirEntry, flag_value, is_uuid, variable,
};
use crate::agent::adapters::acp::dialect;
use crate::agent::adapters::acp::dialect::Acp;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::adapters::gemini::stream_json::Gemini;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `gemini`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "gemini",
    title: "Gemini CLI",
    aliases: &["google", "gemini-cli"],
    programs: &["gemini"],
    install_hint: "install it with `npm install -g @google/gemini-cli`",
    login_hint: "Run `gemini` on this machine, as the user of the connector, and type `/auth`, or set GEMINI_API_KEY.",
    session_key: "geminiSessionId",
    modes: &[
        (Mode::FullAuto, "`--approval-mode=yolo`: nothing is asked."),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::AutoEdit,
            "`--acp` and its mode `autoEdit`: files of the workspace may be written; it asks for everything else.",
        ),
        (Mode::Suggest, "`--acp` and its mode `default`: it may read, and asks for everything else."),
    ],
    invoke,
    dialect: |request| {
        if dialect::is_chosen(request) {
            Box::new(Acp::new(request, true))
        } else {
            Box::new(Gemini::new(request))
        }
    },
    ..DEFAULTS
};

/// With its session retention, the start after a resume deletes the session
/// (`tests/fixtures/gemini/session-loss-4-resume-again-fails.cmd`). Its default of ten attempts takes more than two
/// minutes without output.
const SETTINGS: &str =
    r#"{"general":{"sessionRetention":{"enabled":false},"enableAutoUpdate":false,"maxAttempts":3}}"#;

/// It reads a settings file named by a variable only if root owns the file and all folders above it. So it gets a home
/// folder.
const PRIVATE: &[TempDirEntry] = &[
    TempDirEntry::Home(HomeOverlay {
        variable: "GEMINI_CLI_HOME",
        settings_folder: ".gemini",
        settings_file: "settings.json",
        overrides: SETTINGS,
        linked_entries: &[".agents", ".env"],
        created_folders: &["tmp", "history"],
    }),
    // After a failed request it writes the whole conversation there, readable by all users.
    TempDirEntry::Folder("TMPDIR"),
];

/// The prompt goes to stdin, or over ACP.
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let speaks_acp = dialect::is_chosen(request);
    let mut args: Vec<OsString> = Vec::new();
    args.push(if speaks_acp { "--acp".into() } else { "--output-format=stream-json".into() });
    args.push(match request.mode {
        // Over ACP the session has a mode as well; the flag applies it from the start.
        Mode::FullAuto | Mode::Yolo => "--approval-mode=yolo".into(),
        Mode::AutoEdit => "--approval-mode=auto_edit".into(),
        Mode::Suggest => "--approval-mode=default".into(),
    });
    args.extend(request.model_flag());
    // The prompt names the images, and gemini reads them only from folders that belong to the workspace.
    let mut last = None;
    for folder in request.images.iter().filter_map(|image| image.path.parent()) {
        if folder.starts_with(&request.workdir) || last.replace(folder) == Some(folder) {
            continue;
        }
        args.push(flag_value("--include-directories=", folder));
    }
    if let Some(session) = request.resumable(is_uuid).filter(|_| !speaks_acp) {
        args.push(flag_value("--resume=", session));
    }
    Invocation {
        args,
        env: vec![
            // Otherwise it exits with code 55, because the folder is not trusted.
            variable("GEMINI_CLI_TRUST_WORKSPACE", "true"),
            // Otherwise it starts itself a second time: 0.5 s and 180 MB more.
            variable("GEMINI_CLI_NO_RELAUNCH", "true"),
            variable("TERM", "xterm-256color"),
        ],
        temp_dir_entries: PRIVATE,
        ..Invocation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::PromptImage;
    use crate::agent::adapter::sample;

    fn args(change: impl FnOnce(&mut TurnRequest)) -> String {
        let mut request = TurnRequest { prompt: "-".to_owned(), ..sample::request() };
        change(&mut request);
        let invocation = invoke(&request, &LaunchContext { fresh_id: "x", is_root: true });
        assert_eq!(invocation.temp_dir_entries.len(), 2);
        invocation.args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn command_lines() {
        let base = "--output-format=stream-json --approval-mode";
        assert_eq!(args(|_| {}), format!("{base}=yolo"));
        assert_eq!(args(|r| r.mode = Mode::AutoEdit), "--acp --approval-mode=auto_edit");
        assert_eq!(args(|r| r.mode = Mode::Suggest), "--acp --approval-mode=default");
        let one_shot = |r: &mut TurnRequest| {
            r.mode = Mode::Suggest;
            r.transport = Some("one-shot".to_owned());
        };
        assert_eq!(args(one_shot), format!("{base}=default"));
        let acp = |r: &mut TurnRequest| {
            r.transport = Some("acp".to_owned());
            r.resume = Some("01a201fc-49a6-73b2-93a6-9a4fe7056111".to_owned());
        };
        assert_eq!(args(acp), "--acp --approval-mode=yolo");
        let image =
            |path: &str| PromptImage { path: path.into(), media_type: "image/png".to_owned(), data: None };
        let all = args(|r| {
            r.model = Some("gemini-2.5-pro".to_owned());
            r.resume = Some("01a201fc-49a6-73b2-93a6-9a4fe7056111".to_owned());
            r.images = vec![image("/inbox/a.png"), image("/inbox/b.png"), image("/w/c.png")];
        });
        assert_eq!(
            all,
            format!(
                "{base}=yolo --model=gemini-2.5-pro --include-directories=/inbox \
                 --resume=01a201fc-49a6-73b2-93a6-9a4fe7056111"
            )
        );
        assert!(!args(|r| r.resume = Some("latest".to_owned())).contains("resume"));
    }

    #[test]
    fn the_settings_are_json() {
        let settings: serde_json::Value = serde_json::from_str(SETTINGS).unwrap();
        assert_eq!(settings["general"]["sessionRetention"]["enabled"], false);
    }
}
