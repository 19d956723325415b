//! Killed at any storage step of a task's run: it ends for the people who look at the board, and is not run twice.

use super::running::{FAST, create, id, topic};
use crate::support::daemon::{Connector, Home, Wtt, command, kill_points, until};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// Points of the short run: acceptance, the reply, what is noted of its patch, the end. `WTT_TEST_KILL_POINTS=all` takes
/// each one.
const SHORT: [usize; 6] = [6, 12, 16, 19, 22, 25];

#[test]
fn a_task_ends_after_a_kill_at_any_storage_step() {
    let (mut killed, mut reviewed) = (0, 0);
    for point in kill_points(&SHORT, 30) {
        let (wtt, home) = (Wtt::start(), Home::new());
        let task = create(&wtt, "RUN: answer done", "doing");
        let at = point.to_string();
        let mut first = command(&wtt.service.base_url(), &home, &[FAST, ("WTT_CONNECT_TEST_KILL_AT", &at)]);
        let mut child = first.stderr(Stdio::null()).spawn().unwrap();
        let status = || wtt.service.task(id(&task)).unwrap()["status"].as_str().unwrap().to_owned();
        let mut gone = false;
        until("the result or the kill", || {
            gone = child.try_wait().unwrap().is_some();
            gone || (status() == "review" && home.outbox().is_empty())
        });
        if gone {
            killed += usize::from(child.wait().unwrap().signal() == Some(9));
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        wtt.forget();
        let _connector = Connector::start(&wtt, &home, &[FAST]);
        until(&format!("an end after a kill at step {point}"), || {
            ["review", "blocked"].contains(&status().as_str()) && home.outbox().is_empty()
        });
        reviewed += usize::from(status() == "review");
        assert!(home.runs().len() <= 1, "step {point}: {:?}", home.runs());
        assert_eq!(wtt.posts(topic(&task)).len(), 1, "step {point}");
    }
    println!("killed {killed} times; {reviewed} tasks came to review");
    assert!(killed >= SHORT.len() - 2, "a task's run has fewer storage steps than expected: {killed}");
}
