//! Words of the command line: what each mistake answers, exit codes, closed pipes, help.

use super::Machine;
use std::io::Read;
use std::process::Stdio;

#[test]
fn each_mistake_gets_one_sentence_and_code_2() {
    let machine = Machine::new();
    for (words, sentence) in [
        (&[][..], "a command is missing"),
        (&["strat"], "unknown command strat; did you mean start?"),
        (&["docter"], "did you mean doctor?"),
        (&["smoke-task", "--expected", " "], "is empty or more than one line; give one line of text"),
        (&["smoke-chat", "--timeout", "0"], "accepted: 1 to 86400"),
        (&["--prifile"], "unknown flag --prifile"),
        (&["--profile", "x"], "--profile must follow its command, as in `wtt-connect up --profile`"),
        (&["start", "--profil", "x"], "start has no flag --profil; did you mean --profile?"),
        (&["start", "-x"], "start has no flag -x"),
        (&["start", "--frob"], "start has no flag --frob; `wtt-connect help start` lists what is accepted"),
        (&["help", "--frob"], "help has no flag --frob; `wtt-connect help help` lists"),
        (&["start", "--json"], "start has no flag --json"),
        (&["start", "--profile"], "--profile needs a value"),
        (&["start", "--profile", "--config"], "--profile needs a value"),
        (&["start", "--profile="], "--profile needs a value"),
        (&["start", "--profile", "a", "-p", "b"], "--profile is given twice"),
        (&["start", "--profile", "../x"], "is not a profile name"),
        (&["start", "--profile=-x"], "is not a profile name"),
        (&["start", "--profile", "all"], "and not `all`"),
        (&["try", "--adapter", "codx", "x"], "no adapter `codx` (did you mean codex?)"),
        (&["doctor", "gemni"], "no adapter `gemni` (did you mean gemini?)"),
        (&["up", "clade", "a", "t"], "\"clade\" is not an adapter (did you mean claude"),
        (&["up", "codex", "a", "t", "--mode", "full"], "\"full\" is not a mode (did you mean full-auto?)"),
        (&["start", "--profile", "a b"], "is not a profile name"),
        (&["start", "alice"], "for a profile write --profile alice"),
        (&["doctor", "--json=1"], "--json takes no value"),
        (&["doctor", "a", "b"], "unexpected argument \"b\"; `wtt-connect help doctor` shows the usage"),
        (&["help", "strat"], "unknown command strat; did you mean start?"),
        (&["help", "start", "x"], "unexpected argument \"x\""),
        (
            &["--generate", "complete-csh"],
            "--generate: there is no \"complete-csh\"; accepted: complete-bash",
        ),
        (&["--generate"], "--generate needs a value"),
        (&["try", "--mode", "foo", "x"], "wtt-connect: --mode: \"foo\" is not a mode; accepted"),
        (&["setup", "--base-url", "http://u@h"], "--base-url: \"http://u@h\" has a user name"),
        (&["setup", "--adapter", "foo"], "\"foo\" is not an adapter; accepted: codex, "),
        (&["workdir", "alice", ""], "DIR is empty; workdir needs a value there"),
        (&["status", ""], "PROFILE is empty"),
        (&["try", "--adapter", "demo", "--workdir", "/no/such", "x"], "cannot use the working directory"),
        (&["up", "codex", "wtt-tok-CANARY", "agent-1"], "the token is in the wrong place; the order is"),
        (&["start", "wtt-tok-CANARY"], "start takes no operand"),
    ] {
        machine.run(words).code(2).one_line().says(sentence).hides("CANARY");
    }
    let long = "x".repeat(300);
    machine.run(&["start", "--profile", &long]).code(2).one_line().says("is not a profile name");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let machine = Machine::new();
    let bad = OsStr::from_bytes(b"\xff\xfe");
    for words in [&[bad][..], &[OsStr::new("start"), OsStr::new("--profile"), bad]] {
        let out = machine.command(&[]).args(words).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn help_and_version_need_no_settings() {
    let machine = Machine::new();
    machine.run(&["--version"]).code(0).says(&format!("wtt-connect {}\n", env!("CARGO_PKG_VERSION")));
    let list = machine.run(&["--help"]).code(0).says("doctor").says("wtt-connect help COMMAND");
    for words in [&["-h"], &["help"]] {
        assert_eq!(machine.run(words).code(0).stdout, list.stdout);
    }
    let short = machine.run(&["start", "-h"]).code(0).says("--profile PROFILE");
    let long = machine.run(&["start", "--help"]).code(0).says("Connects to the service");
    assert!(short.stdout.len() < long.stdout.len());
    let about = machine.run(&["start", "--nonsense-before", "x"]).code(2);
    assert!(about.stdout.is_empty());
    assert_eq!(machine.run(&["help", "start"]).stdout, machine.run(&["start", "--help"]).stdout);
    machine.run(&["help"]).hides("demo-agent").hides("`");
    machine.run(&["help", "try"]).says("without asking").says("that works: codex,");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let machine = Machine::new();
    // `doctor` finds that nothing is set, whether somebody reads that or not.
    for (words, code) in
        [(&["--help"][..], 0), (&["--generate", "complete-zsh"], 0), (&["doctor", "--offline"], 1)]
    {
        let mut child = machine.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{words:?}: {stderr}");
        assert_eq!(stderr, "", "{words:?}");
    }
}

#[test]
fn a_full_disk_is_said() {
    let machine = Machine::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let out = machine.command(&["--help"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("cannot write to stdout"));
}
