//! The daemon dies by SIGKILL at its N-th storage step while a file goes out; after a restart there is one text and one
//! card, or one sentence that the turn was cut. As `tests/crash/killing.rs`; `WTT_TEST_KILL_POINTS=all` takes all steps.

use super::{beside, copies, doomed, file, marker};
use crate::files_out::media::Media;
use crate::support::daemon::{Home, Wtt, kill_points, until};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;

/// Points of the short run: copying, keeping, sending, the ledger, the card.
const SHORT: [usize; 9] = [12, 15, 18, 21, 24, 27, 30, 33, 36];
/// Far more than there are.
const MOST: usize = 500;

#[test]
fn killed_at_any_storage_step_a_file_comes_once() {
    let (mut killed, mut puts) = (0, 0);
    for point in kill_points(&SHORT, MOST) {
        let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(|_, _| None));
        file(&home, "a.md", b"# A");
        let mut child = doomed(&wtt, &media, &home, point);
        let topic = wtt.p2p();
        wtt.say(&topic, &format!("RUN: answer \"Here.\\n{}\"", marker("a.md", "T")));
        let mut gone = false;
        until("the card or the kill", || {
            gone = child.try_wait().unwrap().is_some();
            gone || (wtt.posts(&topic).len() == 2 && home.outbox().is_empty())
        });
        if !gone {
            kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
        }
        let was_killed = child.wait().unwrap().signal() == Some(9);
        killed += usize::from(was_killed);
        wtt.forget();
        let connector = beside(&wtt, &media, &home);
        until(&format!("an answer after a kill at step {point}"), || {
            !wtt.posts(&topic).is_empty() && home.outbox().is_empty() && copies(&home) == 0
        });
        let mut texts: Vec<String> = Vec::new();
        texts.extend(wtt.posts(&topic).iter().map(|row| row["content"].as_str().unwrap().to_owned()));
        match texts.as_slice() {
            [cut] => assert!(cut.contains("restart"), "step {point}: {texts:?}"),
            [text, card] => {
                assert!(text == "Here." && card.starts_with("[file:T]("), "step {point}: {texts:?}")
            }
            _ => panic!("step {point}: {texts:?}"),
        }
        let sent = media.hits("PUT").len();
        assert!(sent <= 2, "step {point}: sent {sent} times");
        puts += usize::from(sent == 2);
        drop(connector);
        if !was_killed {
            break;
        }
    }
    println!("killed at {killed} points; {puts} uploads were made again");
    assert!(killed >= SHORT.len() - 3, "there are fewer storage steps than expected: {killed}");
}
