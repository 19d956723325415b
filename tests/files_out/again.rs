//! `upload-file` asked for twice: after a crash, after the asker was killed, and within the run of a task.

use super::{beside, content, copies, doomed, file, ledger, said, upload};
use crate::files_out::media::Media;
use crate::support::daemon::{AGENT, Connector, Home, Wtt, binary, kill_points, until};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// Points of the short run: the last steps of keeping the card, and around them.
const SHORT: [usize; 7] = [13, 15, 17, 18, 19, 20, 21];
/// Far more than there are.
const MOST: usize = 60;

fn socket(home: &Home) -> String {
    home.state_dir().join("control.sock").display().to_string()
}

#[test]
fn asked_again_after_a_crash_a_card_comes_once() {
    let mut unanswered = 0;
    for point in kill_points(&SHORT, MOST) {
        let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(|_, _| None));
        file(&home, "a.md", b"# A");
        let mut child = doomed(&wtt, &media, &home, point);
        until("the socket or the kill", || {
            home.state_dir().join("control.sock").exists() || child.try_wait().unwrap().is_some()
        });
        let (topic, socket) = (wtt.p2p(), socket(&home));
        let ask = || {
            let words = ["--topic-id", topic.as_str(), "--title", "T", "a.md"];
            said(&upload(&home, &words, &[("WTT_CONNECT_SOCKET", &socket)]))
        };
        let first = ask();
        if first.0 == Some(0) {
            until("the card or the kill", || {
                child.try_wait().unwrap().is_some() || wtt.posts(&topic).len() == 1
            });
        }
        let _ = child.kill();
        child.wait().unwrap();
        unanswered += usize::from(first.1.contains("before it answered"));
        wtt.forget();
        let _connector = beside(&wtt, &media, &home);
        if first.0 != Some(0) {
            let (code, text) = ask();
            assert_eq!(code, Some(0), "step {point}: {text}");
        }
        until(&format!("the card after a kill at step {point}"), || {
            !wtt.posts(&topic).is_empty() && home.outbox().is_empty() && copies(&home) == 0
        });
        assert_eq!(wtt.posts(&topic).len(), 1, "step {point}: {first:?}");
        if first.0 == Some(0) {
            continue;
        }
        // and a later wish is a new one
        assert_eq!(ask().0, Some(0));
        until("the second card", || wtt.posts(&topic).len() == 2);
    }
    println!("{unanswered} wishes were cut");
    assert!(unanswered > 1, "no kill came while somebody waited");
}

#[test]
fn nobody_who_waits_no_card() {
    let (gate, opened) = crossbeam_channel::bounded::<()>(0);
    let script = move |hit: &super::media::Hit, _: usize| {
        if hit.line.starts_with("PUT") {
            // until the test drops its end
            let _ = opened.recv();
        }
        None
    };
    let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(script));
    file(&home, "a.md", b"# A");
    let _connector = beside(&wtt, &media, &home);
    let topic = wtt.p2p();
    let mut asker: Child = Command::new(binary())
        .args(["upload-file", "--topic-id", &topic, "a.md"])
        .env_clear()
        .env("HOME", home.path())
        .env("WTT_CONNECT_SOCKET", socket(&home))
        .current_dir(home.path().join("work"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the upload", || !media.hits("PUT").is_empty());
    // as an agent's shell does after its time limit
    asker.kill().unwrap();
    asker.wait().unwrap();
    drop(gate);
    until("the end of the upload", || ledger(&home).len() == 1);
    let words = ["--topic-id", topic.as_str(), "a.md"];
    let (code, text) = said(&upload(&home, &words, &[("WTT_CONNECT_SOCKET", &socket(&home))]));
    assert_eq!(code, Some(0), "{text}");
    until("the card", || !wtt.posts(&topic).is_empty() && home.outbox().is_empty() && copies(&home) == 0);
    assert_eq!((wtt.posts(&topic).len(), media.hits("PUT").len()), (1, 1));
}

#[test]
fn a_file_that_a_run_sends_itself_belongs_to_its_task() {
    let (wtt, home) = (Wtt::start(), Home::new());
    file(&home, "plan.md", b"# A plan");
    file(&home, "late.md", b"# Left of an earlier turn");
    let _connector = Connector::start(&wtt, &home, &[]);
    let program = binary().display().to_string();
    let run = format!(
        "RUN: cd \"$HOME/work\"; WTT_CONNECT_TURN=ab12-1 '{program}' upload-file late.md; '{program}' upload-file --title Plan plan.md; answer Done."
    );
    let task =
        wtt.service.create_task(json!({"title": "Tidy up", "status": "doing", "runner_agent_id": AGENT,
        "owner_agent_id": AGENT, "description": run}));
    let topic = task["topic_id"].as_str().unwrap().to_owned();
    wtt.answer(&topic, "[file:late.md](");
    let card = wtt.answer(&topic, "[file:Plan](");
    let now = || wtt.service.task(task["id"].as_str().unwrap()).unwrap();
    until("the review", || now()["status"] == "review");
    let rows: Value = now()["artifacts"].clone();
    assert_eq!((&rows[0]["name"], rows.as_array().unwrap().len()), (&json!("plan.md"), 1), "{rows}");
    assert!(content(&card).contains(rows[0]["url"].as_str().unwrap()));
    assert_eq!(ledger(&home)[0]["task_id"], task["id"]);
}

#[test]
fn what_the_service_has_dropped_is_uploaded_again() {
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_gone = gone.clone();
    let script = move |hit: &super::media::Hit, _: usize| {
        let asks = hit.line.starts_with("GET /media/") && is_gone.load(std::sync::atomic::Ordering::Relaxed);
        asks.then(|| (410, json!({"detail": "gone"})))
    };
    let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(script));
    file(&home, "a.md", b"# A");
    let _connector = beside(&wtt, &media, &home);
    let topic = wtt.p2p();
    let words = ["--topic-id", topic.as_str(), "a.md"];
    let ask = || {
        let (code, text) = said(&upload(&home, &words, &[("WTT_CONNECT_SOCKET", &socket(&home))]));
        assert_eq!(code, Some(0), "{text}");
        text
    };
    let first = ask();
    assert_eq!((ask(), media.hits("PUT").len()), (first.clone(), 1), "it is still there");
    gone.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(ask() != first && media.hits("PUT").len() == 2);
    assert_eq!(wtt.posts(&topic).len(), 3);
}
