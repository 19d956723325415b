//! The kill loop: the daemon dies by SIGKILL at its N-th storage step of a scripted conversation, for one N after the
//! other; after a restart every question is answered, and none was run twice.
//!
//! The steps are counted by `sys::fault_injection`, over all threads. `WTT_TEST_KILL_POINTS=all` goes on until the conversation
//! completes without a kill; the default takes a handful of points, so that the suite stays short.

use crate::support::daemon::{Connector, Home, Wtt, command, kill_points, until};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// Points of the short run: spread over start-up, acceptance, reply, removal, the fold of the journal and shutdown.
const SHORT: [usize; 10] = [3, 8, 13, 16, 21, 27, 34, 41, 50, 62];
/// Far more than the conversation has.
const MOST: usize = 1_000;

#[test]
fn killed_at_any_storage_step_nothing_is_lost_and_nothing_is_run_twice() {
    let (mut killed, mut twice) = (0, 0);
    for point in kill_points(&SHORT, MOST) {
        let run = conversation(point);
        killed += usize::from(run.was_killed);
        twice += run.answered_twice;
        if !run.was_killed {
            break;
        }
    }
    println!("killed at {killed} points; {twice} answers came twice");
    assert!(killed >= SHORT.len() - 2, "the conversation has fewer storage steps than expected: {killed}");
    assert_eq!(twice, 0, "answers that came twice");
}

struct Run {
    was_killed: bool,
    answered_twice: usize,
}

/// Three questions in two topics, a kill at the `point`-th step, a restart.
fn conversation(point: usize) -> Run {
    let (wtt, home) = (Wtt::start(), Home::new());
    let at = point.to_string();
    let mut command = command(&wtt.service.base_url(), &home, &[("WTT_CONNECT_TEST_KILL_AT", &at)]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let (one, two) = (wtt.p2p(), wtt.p2p());
    let questions = [(&one, "alpha"), (&two, "beta"), (&one, "gamma")];
    let mut gone = false;
    for (n, (topic, word)) in questions.iter().enumerate() {
        wtt.say(topic, &format!("RUN: answer {word}"));
        // the first two meet, the third comes alone: what a slow connector finds all at once it writes down in one step
        until("the answers or the kill", || {
            gone = child.try_wait().unwrap().is_some();
            let came = wtt.posts(&one).len() + wtt.posts(&two).len();
            gone || n == 0 || (came > n && home.outbox().is_empty())
        });
    }
    until("the fold of the journal or the kill", || {
        gone = gone || child.try_wait().unwrap().is_some();
        gone || home.is_folded()
    });
    if !gone {
        // the rest of the points lies in the shutdown
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }
    let was_killed = child.wait().unwrap().signal() == Some(9);
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    until(&format!("three answers after a kill at step {point}"), || {
        wtt.posts(&one).len() >= 2 && !wtt.posts(&two).is_empty()
    });
    until("an empty outbox", || home.outbox().is_empty());
    let runs = home.runs();
    for (_, word) in questions {
        let count = runs.iter().filter(|r| r.contains(word)).count();
        assert!(count <= 1, "step {point}: `{word}` was run {count} times: {runs:?}");
    }
    let answered_twice = wtt.posts(&one).len() + wtt.posts(&two).len() - 3;
    Run { was_killed, answered_twice }
}

/// Where a turn that is put off ends: its message, and the reply that says so, reach the disk.
const PUT_OFF: [usize; 2] = [16, 18];

#[test]
fn what_is_said_to_be_kept_until_a_limit_resets_is_kept_whenever_it_is_killed() {
    for point in kill_points(&PUT_OFF, 20) {
        let (wtt, home) = (Wtt::start(), Home::new());
        let topic = wtt.p2p();
        let soon = wtt_connect::sys::time::now_ms() / 1000 + 2;
        wtt.say(
            &topic,
            &format!("RUN: mkdir \"$HOME/met\" && fail 'Claude AI usage limit reached|{soon}'; answer 'after the reset'"),
        );
        let at = point.to_string();
        let mut command = command(&wtt.service.base_url(), &home, &[("WTT_CONNECT_TEST_KILL_AT", &at)]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        until("the kill or the word", || {
            child.try_wait().unwrap().is_some() || (!wtt.posts(&topic).is_empty() && home.outbox().is_empty())
        });
        let _ = child.kill();
        child.wait().unwrap();
        let _connector = Connector::start(&wtt, &home, &[]);
        let said = |word: &str| {
            wtt.posts(&topic).iter().any(|post| post["content"].as_str().unwrap().contains(word))
        };
        until(&format!("an end after a kill at step {point}"), || {
            said("after the reset") || said("was restarted")
        });
        assert!(!said("usage limit") || said("after the reset"), "step {point}");
    }
}
