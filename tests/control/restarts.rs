//! Starting again in the same process: after the running turns, at once, after an update, and not when it shall end.

use super::{start, status};
use crate::support::daemon::{AGENT, Connector, Home, TOKEN, Wtt, binary, until};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};
use wtt_connect::daemon::control::{Request, ask};
use wtt_connect::local::service::ServiceEvent;

fn restart(home: &Home, now: bool) -> Value {
    ask(&home.state_dir(), &Request::Restart { now }).unwrap()
}

/// Waits for the one that follows; its status.
fn next(home: &Home, before: &Value) -> Value {
    let mut after = Value::Null;
    until("the connector that follows", || match ask(&home.state_dir(), &Request::Status) {
        Ok(answer) if answer["instance"] != before["instance"] => {
            after = answer;
            true
        }
        _ => false,
    });
    after
}

#[test]
fn an_idle_one_is_back_at_once_in_the_same_process() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let connector = start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    until("an idle connector", || {
        let now = status(&home);
        now["running"].as_array().unwrap().is_empty() && now["outbox"]["replies"] == 0
    });
    wtt.forget();
    let before = restart(&home, false);
    assert_eq!(before["turns"], 0);
    let after = next(&home, &before);
    assert_eq!(after["pid"], connector.pid());
    wtt.connected();
    wtt.say(&topic, "RUN: answer two");
    wtt.answer(&topic, "two");
    assert!(home.runs()[1].contains("|1|"), "the session is resumed: {:?}", home.runs());
    assert!(connector.stop().success());
}

#[test]
fn running_turns_are_not_cut_and_messages_meanwhile_are_answered_after_it() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (topic, other) = (wtt.p2p(), wtt.p2p());
    let connector = start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: touch $HOME/begun; await go; answer whole");
    home.wait_for("begun");
    let before = restart(&home, false);
    assert_eq!(before["turns"], 1);
    wtt.say(&other, "RUN: answer later");
    wtt.status(&other, "starts again when");
    let now = status(&home);
    assert_eq!((&now["restarting"], &now["parked"]["messages"]), (&true.into(), &1.into()));
    assert_eq!(now["instance"], before["instance"]);
    wtt.forget();
    home.touch("go");
    wtt.answer(&topic, "whole");
    wtt.answer(&other, "later");
    next(&home, &before);
    assert_eq!((wtt.posts(&topic).len(), wtt.posts(&other).len()), (1, 1));
    assert_eq!(home.runs().len(), 2, "each was run once");
    assert!(connector.log().contains("starting again"));
    assert!(connector.stop().success());
}

#[test]
fn now_cuts_them_and_says_so() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let connector = start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: touch $HOME/begun; await never; answer no");
    home.wait_for("begun");
    let before = restart(&home, true);
    next(&home, &before);
    let posts = wtt.answer(&topic, "");
    assert_eq!(posts["metadata"]["outcome"], "interrupted");
    assert!(connector.stop().success());
    assert_eq!(home.runs().len(), 1);
}

#[test]
fn a_signal_ends_it_for_good_while_it_waits_to_restart() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let connector = start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: touch $HOME/begun; await never; answer no");
    home.wait_for("begun");
    restart(&home, false);
    assert!(connector.stop().success());
}

/// Ends the process that a test started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Puts a copy of the program there as an installer does: complete, under a new inode. Older than a moment.
fn install(path: &Path) {
    let new = path.with_extension("new");
    crate::support::program::copy(&binary(), &new);
    // not for writing: it could not be started meanwhile
    let file = std::fs::File::open(&new).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    drop(file);
    std::fs::rename(&new, path).unwrap();
}

fn run_copy(program: &Path, wtt: &Wtt, home: &Home, auto: &str) -> Running {
    let mut command = Command::new(program);
    command.arg("start").env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path());
    command.env("WTT_BASE_URL", wtt.service.base_url()).env("WTT_AGENT_ID", AGENT).env("WTT_TOKEN", TOKEN);
    command.env("WTT_CONNECT_STATE_DIR", home.state_dir()).env("WTT_CONNECT_AUTO_REEXEC", auto);
    command.env("WTT_CONNECT_ENABLE_SHELL", "1").env("SHELL", "/bin/sh");
    command.current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    until("the control socket", || ask(&home.state_dir(), &Request::Status).is_ok());
    running
}

#[test]
fn an_updated_binary_is_noticed_and_used_by_a_restart() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let program = home.path().join("wtt-connect");
    install(&program);
    let running = run_copy(&program, &wtt, &home, "0");
    let before = status(&home);
    assert_eq!(before["replaced"], false);
    install(&program);
    assert_eq!(status(&home)["replaced"], true);
    assert_eq!(status(&home)["instance"], before["instance"], "it goes on as it is");
    let after = next(&home, &restart(&home, false));
    assert_eq!((&after["replaced"], &after["pid"]), (&false.into(), &running.0.id().into()));
}

#[test]
fn with_auto_reexec_an_update_is_started_when_idle() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let program = home.path().join("wtt-connect");
    install(&program);
    let running = run_copy(&program, &wtt, &home, "1");
    let before = status(&home);
    install(&program);
    // asking makes it look, and it looks by itself once a minute
    let after = next(&home, &before);
    assert_eq!(after["pid"], running.0.id());
    wtt.wait("a second connection", {
        let mut count = 0;
        move |seen| {
            count += usize::from(seen.event == ServiceEvent::Auth(true));
            (count == 2).then_some(())
        }
    });
}

#[test]
fn an_update_waits_for_open_terminals() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let program = home.path().join("wtt-connect");
    install(&program);
    let _running = run_copy(&program, &wtt, &home, "1");
    let before = status(&home);
    wtt.connected();
    let mut browser = crate::support::browser::Browser::open(&wtt.service);
    let mut tab = browser.terminal(80, 24);
    browser.keys(&tab, "echo op''en\r");
    browser.see(&mut tab, "open");
    install(&program);
    for _ in 0..5 {
        let now = status(&home);
        let now = (&now["replaced"], &now["restarting"], &now["instance"]);
        assert_eq!(now, (&true.into(), &false.into(), &before["instance"]), "it waits, and takes messages");
    }
    browser.keys(&tab, "exit\r");
    browser.exit(&mut tab);
    next(&home, &before);
}

#[test]
fn a_program_that_is_gone_is_a_clear_end() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let program = home.path().join("wtt-connect");
    install(&program);
    let mut running = run_copy(&program, &wtt, &home, "0");
    std::fs::remove_file(&program).unwrap();
    assert_eq!(status(&home)["replaced"], false);
    restart(&home, false);
    assert_eq!(running.0.wait().unwrap().code(), Some(75), "the service manager tries again");
}

#[test]
fn a_restart_of_one_that_ends_is_refused() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let mut connector: Connector = start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: trap '' TERM INT; touch $HOME/begun; await go; answer no");
    home.wait_for("begun");
    connector.signal(rustix::process::Signal::TERM);
    until("a refusal", || match ask(&home.state_dir(), &Request::Restart { now: true }) {
        Err(wtt_connect::daemon::control::ControlError::Failed(why)) => why.contains("is ending already"),
        _ => false,
    });
    // or the agent, which hears no signals, would wait for ever
    home.touch("go");
    connector.wait();
}
