//! What happens before an agent is started: which program it is, whether the mode can be kept, the model switcher.

use crate::support::daemon::until;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wtt_connect::agent::adapter;
use wtt_connect::agent::adapter::{AdapterSpec, Flavor, ProgramAnswers};
use wtt_connect::agent::adapters;
use wtt_connect::agent::adapters::ADAPTERS;
use wtt_connect::agent::discovery::login::probe;
use wtt_connect::agent::discovery::version;
use wtt_connect::agent::helper_command;
use wtt_connect::agent::helper_command::{HelperCommand, HelperError};
use wtt_connect::agent::runner::Control;
use wtt_connect::config::Mode;

fn executable(dir: &Path, name: &str, body: &str) -> PathBuf {
    let file = dir.join(name);
    // replaced, never rewritten: a package manager does so too, and a running script keeps its text
    let new = dir.join(format!("{name}.new"));
    crate::support::program::program(&new, format!("#!/bin/sh\n{body}\n"));
    std::fs::rename(&new, &file).unwrap();
    file
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// A name for two programs, one of them dead.
fn two_in_one() -> &'static AdapterSpec {
    fn tell(about: &ProgramAnswers) -> Result<Flavor, String> {
        if about.version.contains("no longer maintained") {
            return Err("this release is dead; install the new one".to_owned());
        }
        let old = about.help.contains("--print");
        Ok(if old {
            Flavor { name: "old", spec: adapters::find("codex").unwrap() }
        } else {
            Flavor { name: "new", spec: adapters::find("claude").unwrap() }
        })
    }
    Box::leak(Box::new(AdapterSpec { flavor: Some(tell), ..*adapters::find("codex").unwrap() }))
}

#[test]
fn a_program_is_asked_once_which_one_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let asked = dir.path().join("asked");
    let cli = |body: &str| {
        let body = format!("echo \"$*\" >>'{}'\n{body}", asked.display());
        executable(dir.path(), "cli", &body).to_str().unwrap().to_owned()
    };
    let command =
        vec![cli("case $1 in --help) echo 'Options: --print' ;; *) echo 'cli, version 1.9' >&2 ;; esac")];
    let (spec, env) = (two_in_one(), BTreeMap::new());
    let flavor = || version::flavor(spec, &command, &env).map(|f| (f.name, f.spec.name));
    assert_eq!(flavor(), Ok(("old", "codex")));
    assert_eq!(flavor(), Ok(("old", "codex")));
    let mut questions = lines(&asked);
    questions.sort();
    assert_eq!(questions, ["--help", "--version"], "and not again for the second turn");

    // the same path, another release
    cli("echo 2.1.0");
    assert_eq!(flavor(), Ok(("new", "claude-code")));
    let found = probe(spec, &command, &env);
    assert_eq!((found.version.as_deref(), found.flavor), (Some("2.1.0"), "new"));
    cli("echo 'cli is no longer maintained'");
    assert!(flavor().unwrap_err().contains("dead"));
    assert!(probe(spec, &command, &env).problem.contains("dead"));
}

#[test]
fn a_program_without_flavors_is_not_asked() {
    let dir = tempfile::tempdir().unwrap();
    let asked = dir.path().join("asked");
    let cli = executable(dir.path(), "cli", &format!("echo x >>'{}'", asked.display()));
    for spec in ADAPTERS.iter().filter(|spec| spec.flavor.is_none()) {
        let flavor = version::flavor(spec, &[cli.to_str().unwrap().to_owned()], &BTreeMap::new()).unwrap();
        assert_eq!((flavor.name, flavor.spec.name), ("", spec.name));
    }
    for name in ["codex", "claude-code"] {
        assert!(adapters::find(name).unwrap().flavor.is_none(), "a question would delay the first answer");
    }
    assert!(!asked.exists());
    // a missing program is the runner's to report
    assert!(version::flavor(two_in_one(), &["/no/such/cli".to_owned()], &BTreeMap::new()).is_ok());
}

#[test]
fn every_adapter_names_its_modes_and_others_are_refused() {
    for spec in ADAPTERS {
        assert!(
            spec.modes.iter().any(|(mode, _)| *mode == Mode::FullAuto),
            "{}: the default mode",
            spec.name
        );
        for mode in Mode::ALL {
            let rows = spec.modes.iter().filter(|(known, _)| *known == mode).count();
            assert!(rows <= 1, "{} has {} twice", spec.name, mode.name());
            match adapter::mode_refusal(spec, mode) {
                None => assert_eq!(rows, 1),
                Some(why) => {
                    assert_eq!(rows, 0);
                    assert!(why.contains(mode.name()) && why.contains(spec.name), "{why}");
                    assert!(spec.modes.iter().all(|(known, _)| why.contains(known.name())), "{why}");
                }
            }
        }
        for (_, text) in spec.modes {
            assert!(text.len() > 10 && text.ends_with('.') && text.matches('`').count() % 2 == 0, "{text}");
        }
    }
}

fn helper<'a>(
    program: &'a Path,
    env: &'a BTreeMap<String, wtt_connect::secret::Secret>,
    limit: Duration,
) -> HelperCommand<'a> {
    let workdir = program.parent().unwrap();
    HelperCommand {
        program,
        args: Vec::new(),
        env,
        input: "",
        workdir,
        owner: "tests:aside",
        limit,
        stop: None,
    }
}

fn gone(pids: &Path) {
    for pid in lines(pids) {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "still there: {stat}");
    }
}

#[test]
fn a_helper_command_has_a_limit_can_be_stopped_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let deaf = executable(
        dir.path(),
        "deaf",
        "trap '' TERM; sleep 300 & echo $! >>pids; setsid sleep 300 & echo $! >>pids; echo $$ >>pids; while :; do sleep 0.1; done",
    );
    let env = BTreeMap::new();
    let took = crate::support::watch::Watch::start();
    // within it the program starts and writes down what it has started
    let limit = Duration::from_secs(2);
    assert_eq!(helper_command::run_to_end(helper(&deaf, &env, limit)), Err(HelperError::TimedOut(limit)));
    assert!(took.counted() < Duration::from_secs(10));
    assert_eq!(lines(&pids).len(), 3);
    gone(&pids);

    std::fs::remove_file(&pids).unwrap();
    let (stop, control) = crossbeam_channel::bounded(1);
    let runs = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut what = helper(&deaf, &env, Duration::from_secs(60));
            what.stop = Some(&control);
            helper_command::run_to_end(what)
        });
        until("three processes", || lines(&pids).len() == 3);
        stop.send(Control::Cancel).unwrap();
        running.join().unwrap()
    });
    assert_eq!(runs, Err(HelperError::Stopped));
    gone(&pids);

    let polite = executable(dir.path(), "polite", "cat; echo out; echo err >&2; exit 3");
    let said = helper_command::run_to_end(helper(&polite, &env, Duration::from_secs(20))).unwrap();
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(3), "out\n", "err\n"));
    let missing = helper_command::run_to_end(helper(&dir.path().join("none"), &env, limit));
    assert!(matches!(missing, Err(HelperError::CannotRun(_))));
}
