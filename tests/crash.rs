//! What survives: kill -9 at any moment, restarts, shutdown with work in flight, a service that is away or forgetful.

mod disk;
mod killing;
mod network;
mod soak;

use crate::support::daemon::{AGENT, Connector, Home, Wtt, is_alive, until};
use crate::support::proxy::Proxy;
use crate::support::watch::Watch;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use wtt_connect::local::service::{Faults, ServiceEvent};

/// Reconnects fast, so that a test does not wait for the backoff that people get.
const FAST: (&str, &str) = ("WTT_CONNECT_TEST_TIMING", "{\"backoff\":20,\"backoff_max\":50,\"refused\":50}");

fn offline(wtt: &Wtt) {
    wtt.service.set_faults(Faults { reject_auth: true, ..Faults::default() });
    wtt.service.cut_sockets(AGENT);
}

fn online(wtt: &Wtt) {
    wtt.service.set_faults(Faults::default());
}

/// A proxy in front of the service, and its address.
fn proxied(wtt: &Wtt) -> (Proxy, String) {
    let proxy = Proxy::start(wtt.service.base_url().rsplit(':').next().unwrap().parse().unwrap());
    let base = format!("http://127.0.0.1:{}", proxy.port);
    (proxy, base)
}

#[test]
fn a_panic_in_a_turn_ends_that_turn_alone() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_TEST_PANIC", "turn:boom")]);
    let (beside, hit, chinese) = (wtt.p2p(), wtt.p2p(), wtt.p2p());
    wtt.say(&beside, "RUN: text begun; touch \"$HOME/begun\"; await go; answer fine");
    home.wait_for("begun");
    let tool = "setsid sh -c 'echo $$ > \"$HOME/tool\"; exec sleep 600' & echo $$ > \"$HOME/pid\"";
    let message = wtt.say(&hit, &format!("RUN: {tool}; await detonate; text boom; await never"));
    until("the processes", || {
        ["pid", "tool"].iter().all(|name| home.path().join(name).metadata().is_ok_and(|m| m.len() > 1))
    });
    home.touch("detonate");
    let said = wtt.answer(&hit, "An internal error of wtt-connect ended this turn");
    assert_eq!(said["reply_to"], message.as_str());
    for name in ["pid", "tool"] {
        let pid = std::fs::read_to_string(home.path().join(name)).unwrap();
        assert!(!is_alive(pid.trim()), "the {name} of the turn has outlived it");
    }
    wtt.say(&hit, "RUN: answer alive");
    wtt.answer(&hit, "alive");
    wtt.say(&chinese, "RUN: text boom; await never # 请你现在就运行这个命令，然后把结果如实告诉我，谢谢");
    wtt.answer(&chinese, "连接器内部出错，本轮已终止");
    home.touch("go");
    wtt.answer(&beside, "fine");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&hit).len(), 2, "the sentence came once");
    assert_eq!(wtt.posts(&beside).len(), 1);
    let log = connector.log();
    assert_eq!(log.matches("it ends one turn").count(), 2, "{log}");
    assert!(!log.contains("starting again"), "{log}");
    let runs = home.runs();
    assert_eq!(runs.len(), 4, "nothing was run again: {runs:?}");
    let session = |run: usize| runs[run].split('|').next().unwrap().to_owned();
    assert_eq!(session(2), session(1), "the native session goes on");
}

#[test]
fn a_panic_outside_a_turn_restarts_the_connector_in_place() {
    for place in ["hub", "net"] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let wanted = format!("{place}:boom");
        let mut connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_TEST_PANIC", &wanted)]);
        let topic = wtt.p2p();
        wtt.say(&topic, "RUN: text begun; echo $$ > \"$HOME/pid\"; touch \"$HOME/begun\"; await never");
        home.wait_for("begun");
        let agent = std::fs::read_to_string(home.path().join("pid")).unwrap();
        let detonate = || assert!(wtt.service.push_frame(AGENT, json!({ "type": "boom" })));
        detonate();
        wtt.answer(&topic, "interrupted");
        assert!(!is_alive(agent.trim()), "the next start has ended it");
        wtt.say(&topic, "RUN: answer alive");
        wtt.answer(&topic, "alive");
        assert!(connector.log().contains("starting again"), "{}", connector.log());
        assert_eq!(home.runs().len(), 2, "nothing was run again");
        until("an empty outbox", || home.outbox().is_empty());
        // the same process all the time, and it does not start again for ever
        for n in 1..=5 {
            wtt.forget();
            detonate();
            if n < 5 {
                wtt.connected();
            }
        }
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(connector.wait().signal(), Some(6), "ended for the service manager to start");
    }
}

#[test]
fn a_turn_cut_by_kill_9_is_reported_and_never_run_again() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let (cut, waiting) = (wtt.p2p(), wtt.p2p());
    wtt.say(&cut, "RUN: sh -c 'echo $$ > \"$HOME/pid\"; exec sleep 600'");
    wtt.say(&waiting, "RUN: answer before");
    wtt.answer(&waiting, "before");
    home.wait_for("pid");
    until("the pid", || !std::fs::read_to_string(home.path().join("pid")).unwrap().trim().is_empty());
    let agent = std::fs::read_to_string(home.path().join("pid")).unwrap().trim().to_owned();
    let queued = wtt.say(&cut, "RUN: answer never");
    wtt.status(&cut, "waiting for 1 earlier");
    until("the acceptance on disk", || home.stored().contains(&queued));
    connector.kill();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    let said = wtt.answer(&cut, "interrupted");
    assert_eq!(said["metadata"]["outcome"], "interrupted");
    let other = wtt.answer(&cut, "send it again");
    assert_eq!(other["reply_to"], queued.as_str());
    assert!(!is_alive(&agent), "the agent outlived the crash and the restart");
    wtt.say(&cut, "RUN: answer continued");
    wtt.answer(&cut, "continued");
    assert_eq!(wtt.posts(&cut).len(), 3);
    assert_eq!(wtt.posts(&waiting).len(), 1);
    let runs = home.runs();
    assert_eq!(runs.len(), 3, "{runs:?}");
    assert!(!runs.iter().any(|r| r.contains("never")));
    let first = runs.iter().find(|r| r.contains("sleep 600")).unwrap().split('|').next().unwrap();
    assert_eq!(runs[2].split('|').next(), Some(first), "\"continue\" resumes the session that was cut");
}

#[test]
fn the_state_file_is_current_soon_after_the_last_change() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    until("an empty outbox", || home.outbox().is_empty());
    until("a state file that holds everything", || home.is_folded());
    let text = std::fs::read_to_string(home.state_dir().join("state.json")).unwrap();
    assert!(text.contains(&format!("wtt:topic:{topic}")), "the session of the topic: {text}");
    connector.kill();
    std::fs::remove_file(home.state_dir().join("state.json.journal")).unwrap();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: answer two");
    wtt.answer(&topic, "two");
    let runs = home.runs();
    assert_eq!(runs.len(), 2, "the first message is known to be answered: {runs:?}");
    assert_eq!(runs[1].split('|').next(), runs[0].split('|').next(), "the session goes on");
}

#[test]
fn an_answer_that_was_never_sent_survives_kill_9() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[FAST]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo > \"$HOME/begun\"; await go; answer survivor");
    home.wait_for("begun");
    offline(&wtt);
    home.touch("go");
    until("the reply on disk", || home.outbox().len() == 1);
    connector.kill();
    online(&wtt);
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    wtt.answer(&topic, "survivor");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&topic).len(), 1);
    assert_eq!(home.runs().len(), 1);
}

#[test]
fn an_answer_made_while_offline_is_delivered_on_reconnect() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo > \"$HOME/begun\"; await go; answer later");
    home.wait_for("begun");
    offline(&wtt);
    home.touch("go");
    until("the reply on disk", || home.outbox().len() == 1);
    online(&wtt);
    wtt.answer(&topic, "later");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&topic).len(), 1);
}

#[test]
fn an_unacknowledged_answer_is_looked_up_and_not_doubled() {
    for crash in [false, true] {
        let (wtt, home) = (Wtt::start(), Home::new());
        wtt.service.set_faults(Faults { drop_results: true, no_echo: true, ..Faults::default() });
        let mut connector = Connector::start(&wtt, &home, &[FAST]);
        let topic = wtt.p2p();
        wtt.say(&topic, "RUN: answer once");
        wtt.answer(&topic, "once");
        assert_eq!(home.outbox().len(), 1, "nobody has acknowledged it");
        online(&wtt);
        wtt.forget();
        if crash {
            connector.kill();
            connector = Connector::start(&wtt, &home, &[FAST]);
        } else {
            wtt.service.cut_sockets(AGENT);
        }
        wtt.wait("a look into the history", |o| match &o.event {
            ServiceEvent::Frame(frame) => (frame["action"] == "history").then_some(()),
            _ => None,
        });
        until("an empty outbox", || home.outbox().is_empty());
        assert_eq!(wtt.posts(&topic).len(), 1, "crash: {crash}");
        drop(connector);
    }
}

#[test]
fn the_echo_of_an_answer_counts_as_its_acknowledgement() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { drop_results: true, ..Faults::default() });
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer once");
    wtt.answer(&topic, "once");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&topic).len(), 1);
}

#[test]
fn a_refused_answer_is_tried_again_without_metadata_and_then_by_http() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service
        .set_faults(Faults { refuse_publish: Some("unexpected field metadata".into()), ..Faults::default() });
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer stubborn");
    let mut frames = 0;
    wtt.wait("a second try without metadata", |o| match &o.event {
        ServiceEvent::Frame(frame) if frame["action"] == "publish" => {
            frames += 1;
            assert_eq!(frame.get("metadata").is_some_and(|m| !m.is_null()), frames == 1, "{frame}");
            (frames == 2).then_some(())
        }
        _ => None,
    });
    let row = wtt.answer(&topic, "stubborn");
    assert!(row["reply_to"].is_string() && row["metadata"]["client_id"].is_string(), "{row}");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&topic).len(), 1);
    // and the next one, whose topic takes it again
    online(&wtt);
    wtt.say(&topic, "RUN: answer easy");
    wtt.answer(&topic, "easy");
}

#[test]
fn a_call_that_fails_or_ends_in_doubt_has_one_visible_effect() {
    for faults in [
        Faults { failing_posts: 2, ..Faults::default() },
        Faults { posts_answered_late: 1, ..Faults::default() },
    ] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let faults = Faults { refuse_publish: Some("not by this way".into()), no_echo: true, ..faults };
        wtt.service.set_faults(faults);
        let _connector = Connector::start(&wtt, &home, &[]);
        let topic = wtt.p2p();
        wtt.say(&topic, "RUN: answer once");
        wtt.answer(&topic, "once");
        until("an empty outbox", || home.outbox().is_empty());
        assert_eq!(wtt.posts(&topic).len(), 1);
    }
}

#[test]
fn what_was_said_while_away_is_answered_once_and_in_order() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    assert!(connector.stop().success());
    let old = json!({"created_at": "2020-01-01T00:00:00Z"});
    wtt.service.post_message(
        &topic,
        wtt_connect::local::service::MessageAuthor::Human,
        "RUN: answer ancient",
        old,
    );
    wtt.say(&topic, "RUN: answer two");
    wtt.say(&topic, "RUN: answer three");
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.answer(&topic, "three");
    let texts: Vec<String> =
        wtt.posts(&topic).iter().map(|p| p["content"].as_str().unwrap().into()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn answers_arrive_once_and_in_order_through_a_connection_that_keeps_breaking() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (proxy, base) = proxied(&wtt);
    let seed = std::env::var("WTT_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7);
    let rounds: usize = std::env::var("WTT_TEST_CUTS").ok().and_then(|s| s.parse().ok()).unwrap_or(15);
    println!("seed {seed} (WTT_TEST_SEED), {rounds} cuts (WTT_TEST_CUTS)");
    let mut random = fastrand::Rng::with_seed(seed);
    let _connector = Connector::spawn(&base, &home, &[FAST]);
    wtt.connected();
    let topics: Vec<String> = (0..4).map(|_| wtt.p2p()).collect();
    let mut said = 0;
    for _ in 0..rounds {
        proxy.cut_after(random.usize(1..3000));
        for topic in &topics {
            wtt.say(topic, &format!("RUN: answer 'number {said}.'"));
            said += 1;
        }
        if random.bool() {
            wtt.answer(&topics[3], &format!("number {}.", said - 1));
        }
    }
    for (n, topic) in topics.iter().enumerate() {
        wtt.answer(topic, &format!("number {}.", said - 4 + n));
        let numbers: Vec<usize> = wtt
            .posts(topic)
            .iter()
            .map(|p| {
                p["content"].as_str().unwrap().trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
            })
            .collect();
        let expected: Vec<usize> = (0..rounds).map(|round| round * 4 + n).collect();
        assert_eq!(numbers, expected, "topic {n}");
    }
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(home.runs().len(), said, "something was run twice");
}

#[test]
fn sigterm_with_five_running_turns_ends_in_order() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let mut connector = Connector::start(&wtt, &home, &[]);
    let topics: Vec<String> = (0..5).map(|_| wtt.p2p()).collect();
    for (n, topic) in topics.iter().enumerate() {
        let deaf = if n == 0 { "trap '' INT TERM; " } else { "" };
        wtt.say(
            topic,
            &format!("RUN: {deaf}echo $$ > \"$HOME/pid{n}\"; text partial{n}; while :; do sleep 1; done"),
        );
        home.wait_for(&format!("pid{n}"));
    }
    until("all pids", || {
        (0..5)
            .all(|n| !std::fs::read_to_string(home.path().join(format!("pid{n}"))).unwrap().trim().is_empty())
    });
    let took = Watch::start();
    connector.signal(Signal::TERM);
    let status = connector.wait();
    let took = took.counted();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    for (n, topic) in topics.iter().enumerate() {
        let pid = std::fs::read_to_string(home.path().join(format!("pid{n}"))).unwrap();
        assert!(!is_alive(pid.trim()), "agent {n} is left");
        let said = wtt.answer(topic, "interrupted");
        assert!(said["content"].as_str().unwrap().contains(&format!("partial{n}")), "{said}");
    }
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topics[1], "RUN: answer again");
    wtt.answer(&topics[1], "again");
    for (n, topic) in topics.iter().enumerate() {
        assert_eq!(wtt.posts(topic).len(), if n == 1 { 2 } else { 1 }, "reported once");
    }
    assert_eq!(home.runs().len(), 6);
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let mut connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: trap '' INT TERM; echo $$ > \"$HOME/pid\"; while :; do sleep 1; done");
    home.wait_for("pid");
    until("the pid", || !std::fs::read_to_string(home.path().join("pid")).unwrap().trim().is_empty());
    connector.signal(Signal::TERM);
    until("the first signal to be seen", || connector.log().contains("shutting down"));
    let took = Watch::start();
    connector.signal(Signal::TERM);
    let status = connector.wait();
    assert_eq!(status.code(), Some(143), "{status}");
    assert!(took.counted() < Duration::from_secs(2), "{:?}", took.counted());
    let pid = std::fs::read_to_string(home.path().join("pid")).unwrap();
    assert!(!is_alive(pid.trim()));
}

#[test]
fn an_unreadable_state_file_is_set_aside_and_said() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    until("an empty outbox", || home.outbox().is_empty());
    assert!(connector.stop().success());
    std::fs::write(home.state_dir().join("state.json"), "{ half").unwrap();
    wtt.forget();
    let connector = Connector::start(&wtt, &home, &[]);
    until("the log to say so", || connector.log().contains("set aside"));
    wtt.say(&topic, "/status");
    wtt.answer(&topic, "set aside");
    wtt.say(&topic, "RUN: answer two");
    wtt.answer(&topic, "two");
}

#[test]
fn a_disk_that_is_full_does_not_stop_the_work() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let full = home.path().join("full");
    std::fs::create_dir(&full).unwrap();
    // a file system of 64 KiB in namespaces of its own; skipped where these are not to be had
    let script = "mount -t tmpfs -o size=64k none \"$1\" && shift && exec \"$@\"";
    let probe = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(&full)
        .arg("true")
        .stderr(std::process::Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: no user namespaces here");
        return;
    }
    let inner = crate::support::daemon::command(
        &wtt.service.base_url(),
        &home,
        &[("WTT_CONNECT_STATE_DIR", full.to_str().unwrap())],
    );
    let log = home.path().join("log-full");
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", "mount -t tmpfs -o size=64k none \"$1\"; shift; dd if=/dev/zero of=\"$0/ballast\" bs=1k count=20 2>/dev/null; exec \"$@\""]);
    command.arg(&full).arg(&full).arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.current_dir(home.path()).stderr(std::fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    wtt.connected();
    let topics: Vec<String> = (0..3).map(|_| wtt.p2p()).collect();
    for n in 0..60 {
        let topic = &topics[n % 3];
        wtt.say(topic, &format!("RUN: answer 'number {n}, {}'", "x".repeat(300)));
        wtt.answer(topic, &format!("number {n},"));
    }
    let log = std::fs::read_to_string(&log).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(log.contains("No space left"), "the disk was never full: {log}");
    assert_eq!(home.runs().len(), 60);
}

#[test]
fn a_turn_that_meets_a_usage_limit_is_kept_and_run_when_it_resets_also_across_a_crash() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let (kept, dropped) = (wtt.p2p(), wtt.p2p());
    // the first run meets the limit, the one after the reset does not
    let soon = wtt_connect::sys::time::now_ms() / 1000 + 2;
    let limited = format!(
        "RUN: mkdir \"$HOME/limited\" && fail 'Claude AI usage limit reached|{soon}'; answer 'after the reset'"
    );
    let id = wtt.say(&kept, &limited);
    let notice = wtt.answer(&kept, "usage limit");
    assert_eq!(notice["metadata"]["outcome"], "parked");
    wtt.say(&kept, "/status");
    wtt.answer(&kept, "kept until the usage limit resets");
    let late = wtt_connect::sys::time::now_ms() / 1000 + 3600;
    wtt.say(&dropped, &format!("RUN: fail 'Claude AI usage limit reached|{late}'"));
    wtt.answer(&dropped, "usage limit");
    wtt.say(&dropped, "/stop");
    wtt.answer(&dropped, "dropped");
    connector.kill();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    let answer = wtt.answer(&kept, "after the reset");
    assert_eq!(answer["reply_to"], id.as_str());
    assert_eq!(wtt.posts(&kept).len(), 3);
    wtt.say(&dropped, "/status");
    let status = wtt.answer(&dropped, "this topic");
    assert!(!status["content"].as_str().unwrap().contains("kept until"), "{status}");
    assert_eq!(home.runs().len(), 3);
}

#[test]
fn a_reset_time_of_another_zone_is_waited_for_at_the_right_instant() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("TZ", "Europe/Berlin")]);
    let minute = (wtt_connect::sys::time::now_ms() / 60_000 + 180) * 60_000;
    let reset = jiff::Timestamp::from_millisecond(minute).unwrap();
    let written = |zone: &str| reset.in_tz(zone).unwrap().strftime("%-I:%M%P").to_string();
    for (message, zone) in [
        ("You’ve hit your session limit · resets TIME (Asia/Shanghai)", "Asia/Shanghai"),
        ("5-hour limit reached ∙ resets TIME", "Europe/Berlin"),
        ("Usage limit reached for gemini-2.5-pro. Access resets at TIME GMT-5.", "Etc/GMT+5"),
    ] {
        let topic = wtt.p2p();
        let message = message.replace("TIME", &written(zone));
        wtt.say(&topic, &format!("RUN: fail '{message}'"));
        let notice = wtt.answer(&topic, "usage limit");
        assert!(notice["content"].as_str().unwrap().contains(&format!("{reset:.0}")[..16]), "{notice}");
    }
    until("an empty outbox", || home.outbox().is_empty());
    let state = home.stored();
    let stored: Vec<i64> = state
        .split("\"until\":")
        .skip(1)
        .filter_map(|behind| behind.split([',', '}']).next()?.trim().parse().ok())
        .collect();
    assert!(stored.len() >= 3, "{state}");
    for until in stored {
        // a few seconds later, so that the CLI's clock is past it
        assert!((0..10_000).contains(&(until - minute)), "{until} is not {minute}: {state}");
    }
}

#[test]
fn what_was_answered_is_not_answered_again_when_all_state_is_lost() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    until("an empty outbox", || home.outbox().is_empty());
    assert!(connector.stop().success());
    std::fs::remove_dir_all(home.state_dir()).unwrap();
    wtt.say(&topic, "RUN: answer two");
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.answer(&topic, "two");
    assert_eq!(home.runs().len(), 2, "{:?}", home.runs());
}
