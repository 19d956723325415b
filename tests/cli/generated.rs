//! Committed files that are renderings of the tables: manual pages and completions.

use super::manual::manual;
use std::path::{Path, PathBuf};
use std::process::Command;
use wtt_connect::cli::{generate, parse::CompletionShell};
use wtt_connect::config::keys;

type Render = fn() -> String;

/// What each is a rendering of, and where it lies.
const FILES: &[(Render, &str)] = &[
    (|| manual(1), "man/wtt-connect.1"),
    (|| manual(5), "man/wtt-connect.5"),
    (|| generate(CompletionShell::Bash), "install/completions/wtt-connect.bash"),
    (|| generate(CompletionShell::Zsh), "install/completions/_wtt-connect"),
    (|| generate(CompletionShell::Fish), "install/completions/wtt-connect.fish"),
];

fn root(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[allow(clippy::print_stderr)]
fn present(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

#[test]
fn committed_files_are_what_the_tables_render() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    for (render, file) in FILES {
        let (path, text) = (root(file), render());
        if update {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{file} is not what the tables render; run `UPDATE_EXPECT=1 cargo test committed_files`"
        );
    }
}

#[test]
fn every_key_is_in_the_manual() {
    let page = manual(5);
    for key in keys::all() {
        for name in std::iter::once(&key.name).chain(key.aliases) {
            assert!(page.contains(&format!("\\fB{name}\\fR")), "{name} is not in wtt-connect(5)");
        }
    }
}

#[test]
fn manual_pages_are_clean() {
    if !present("mandoc") {
        return;
    }
    for (_, file) in FILES.iter().filter(|(_, file)| file.starts_with("man/")) {
        let out =
            Command::new("mandoc").args(["-T", "lint", "-W", "style"]).arg(root(file)).output().unwrap();
        // The pages refer to each other; mandoc looks only among the installed ones.
        let complaints: Vec<String> = String::from_utf8_lossy(&out.stdout)
            .lines()
            .filter(|line| !line.contains("referenced manual not found"))
            .map(str::to_owned)
            .collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

#[test]
fn shells_accept_the_completions() {
    for (shell, file) in [
        ("bash", "install/completions/wtt-connect.bash"),
        ("zsh", "install/completions/_wtt-connect"),
        ("fish", "install/completions/wtt-connect.fish"),
    ] {
        if !present(shell) {
            continue;
        }
        let out = Command::new(shell).arg("-n").arg(root(file)).output().unwrap();
        assert!(out.status.success(), "{shell}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn bash_completes_commands_flags_and_profiles() {
    if !present("bash") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let profiles = home.path().join(".config/wtt-connect/profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    for name in ["alice-codex.env", "bob-codex.env", "note.txt"] {
        std::fs::write(profiles.join(name), "").unwrap();
    }
    let complete = |words: &[&str]| {
        let script = format!(
            "source '{}'; COMP_WORDS=(wtt-connect {}); COMP_CWORD={}; _wtt_connect; \
             (( ${{#COMPREPLY[@]}} )) && printf '%s\\n' \"${{COMPREPLY[@]}}\"; true",
            root("install/completions/wtt-connect.bash").display(),
            words.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(" "),
            words.len(),
        );
        let out = Command::new("bash")
            .args(["--norc", "-c", &script])
            .env("HOME", home.path())
            // bash complains of a language that is not installed
            .env("LC_ALL", "C")
            .env_remove("XDG_CONFIG_HOME")
            .output()
            .unwrap();
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["star"]), ["start"]);
    assert_eq!(complete(&["status", "b"]), ["bob-codex"]);
    assert_eq!(complete(&["--v"]), ["--version"]);
    assert_eq!(complete(&["start", "--pro"]), ["--profile"]);
    assert_eq!(complete(&["start", "--profile", ""]), ["alice-codex", "bob-codex"]);
    assert_eq!(complete(&["start", "--profile", "=", "b"]), ["bob-codex"]);
    assert_eq!(complete(&["start", "--profile", "="]), ["alice-codex", "bob-codex"]);
    assert_eq!(complete(&["up", "cl"]), ["claude-code"]);
    assert_eq!(complete(&["down", "a"]), ["alice-codex"]);
    assert_eq!(complete(&["up", "--mode", "su"]), ["suggest"]);
    assert_eq!(complete(&["help", "do"]), ["doctor", "down"]);
    assert_eq!(complete(&["help", "try", ""]), [""; 0]);
    assert!(complete(&["doctor", "--config", "/e"]).contains(&"/etc".to_owned()));
    assert!(complete(&["upload-file", "/etc/pass"]).contains(&"/etc/passwd".to_owned()));
    assert_eq!(complete(&["upload-file", "--ti"]), ["--title"]);
    assert_eq!(complete(&["workdir", "alice-codex", "/et"]), ["/etc"]);
    assert_eq!(complete(&["--generate", "complete-b"]), ["complete-bash"]);
}
