//! The LaunchAgent: its file, and the calls of launchctl, by a script that stands in for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use wtt_connect::cli::service::{ManagerKind, ServiceAction, ServiceManager, unit};
use wtt_connect::config::paths::Places;

struct Mac {
    dir: tempfile::TempDir,
    places: Places,
}

impl Mac {
    fn new() -> Mac {
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let stub = std::fs::read(root.join("tests/stubs/launchctl")).unwrap();
        crate::support::program::program(&dir.path().join("launchctl"), stub);
        let home = dir.path().to_str().unwrap().to_owned();
        let places = Places::new(|name| (name == "HOME").then(|| home.clone()), "/".into());
        Mac { dir, places }
    }
    fn manager(&self) -> Result<ServiceManager, String> {
        ServiceManager::with(ManagerKind::Launchd, self.dir.path().join("launchctl"), &self.places)
    }
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file("calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.file("calls"));
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn an_agent_is_loaded_anew_when_its_file_or_its_settings_change() {
    let mac = Mac::new();
    let manager = mac.manager().unwrap();
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(mac.calls(), [format!("print gui/{user}")]);
    let text = manager.text("a-codex", Path::new("/opt/wtt-connect"), &mac.places).unwrap();
    assert_eq!((manager.install("a-codex", &text), manager.install("a-codex", &text)), (Ok(true), Ok(false)));
    let file = mac.file("Library/LaunchAgents/com.wtt.connect.a-codex.plist");
    assert_eq!((super::mode(&file), std::fs::read_to_string(&file).unwrap()), (0o600, text));

    let target = format!("gui/{user}/com.wtt.connect.a-codex");
    std::fs::write(mac.file("loaded"), "").unwrap();
    manager.act("a-codex", ServiceAction::Up { reload: true, restart: true }).unwrap();
    assert_eq!(
        mac.calls(),
        [
            format!("bootout {target}"),
            format!("print {target}"),
            format!("enable {target}"),
            format!("bootstrap gui/{user} {}", file.display())
        ]
    );
    manager.act("a-codex", ServiceAction::Up { reload: false, restart: false }).unwrap();
    assert_eq!(mac.calls(), [format!("enable {target}"), format!("kickstart {target}")]);
    manager.act("a-codex", ServiceAction::Down).unwrap();
    assert_eq!(mac.calls(), [format!("bootout {target}"), format!("print {target}")]);
}

#[test]
fn errors_of_launchctl_are_shown() {
    let mac = Mac::new();
    let manager = mac.manager().unwrap();
    std::fs::write(mac.file("fail-bootout"), "Boot-out failed: 3: No such process").unwrap();
    let up = ServiceAction::Up { reload: true, restart: false };
    assert_eq!(manager.act("p", up), Ok(()), "there may be nothing to unload");
    std::fs::write(mac.file("fail-bootstrap"), "Bootstrap failed: 5: Input/output error\n").unwrap();
    let why = manager.act("p", up).unwrap_err();
    assert!(
        why.starts_with("`launchctl bootstrap gui/")
            && why.ends_with("Bootstrap failed: 5: Input/output error"),
        "{why}"
    );
    std::fs::write(mac.file("fail-print"), "Could not find domain").unwrap();
    let why = mac.manager().unwrap_err();
    assert_eq!(why, "launchctl has no session for this user: Could not find domain");
}

#[test]
fn the_property_list_is_well_formed() {
    let exe = Path::new("/Users/a & b/<bin>/wtt-connect");
    let text = unit::launchd("com.wtt.connect.p", exe, "p", &[("XDG_STATE_HOME", "/s".into())]).unwrap();
    assert!(unit::launchd("l", Path::new("/a\nb"), "p", &[]).is_err());
    let program = "import plistlib,sys,json; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
    let python = Command::new("python3")
        .args(["-c", program])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("skipped: there is no python3 to read the property list with");
        return;
    };
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let plist: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a property list");
    let expected = serde_json::json!({
        "Label": "com.wtt.connect.p",
        "ProgramArguments": [exe.to_str().unwrap(), "start", "--profile", "p", "--log-to-file"],
        "EnvironmentVariables": { "XDG_STATE_HOME": "/s" },
        "RunAtLoad": true, "KeepAlive": { "SuccessfulExit": false }, "ThrottleInterval": 5, "ExitTimeOut": 30,
        "ProcessType": "Background", "StandardOutPath": "/dev/null", "StandardErrorPath": "/dev/null",
    });
    assert_eq!(plist, expected);
}
