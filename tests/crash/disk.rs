//! A disk that breaks at any step, an outbox that is full, locks and children after a crash, the order of the system
//! calls, and what is left running at shutdown.
//!
//! `WTT_TEST_FAIL_POINTS=all` tries every storage step; the default takes a handful.

use crate::support::daemon::{AGENT, Connector, Home, TOKEN, Wtt, command, is_alive, until};
use std::process::{Command, Stdio};
use wtt_connect::local::service::Faults;
use wtt_connect::store::outbox::{Outbox, ReplyKind};

/// Points of the short run: spread over start-up, acceptance, reply, removal and the fold of the journal.
const SHORT: [usize; 10] = [2, 7, 12, 17, 22, 27, 31, 36, 44, 50];
/// The daemon's bound on replies that wait (`daemon/outbound/delivery/`).
const MAX_ENTRIES: usize = 1000;

/// Three questions in two topics while the storage steps from `first` to `last` fail; then a restart on a good disk.
/// Returns whether any step failed.
fn conversation(first: usize, last: usize) -> bool {
    let (wtt, home) = (Wtt::start(), Home::new());
    let at = format!("{first}-{last}");
    let log = home.path().join("log-broken");
    let mut broken = command(&wtt.service.base_url(), &home, &[("WTT_CONNECT_TEST_FAIL_AT", &at)]);
    let mut child = broken.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let (one, two) = (wtt.p2p(), wtt.p2p());
    let questions = [(&one, "alpha"), (&two, "beta"), (&one, "gamma")];
    for (topic, word) in questions {
        wtt.say(topic, &format!("RUN: answer {word}"));
    }
    let answered = || wtt.posts(&one).len() + wtt.posts(&two).len() >= 3;
    let mut gone = false;
    until("the answers", || {
        gone = child.try_wait().unwrap().is_some();
        gone || answered()
    });
    let is_said = || std::fs::read_to_string(&log).unwrap().contains("os error 5");
    until("the fold of the journal or an error", || gone || home.is_folded() || is_said());
    if !gone {
        // what is written after the error must be readable, too
        wtt.say(&two, "RUN: answer delta");
        until("the answer after the fold", || wtt.posts(&one).len() + wtt.posts(&two).len() >= 4);
    }
    let said = std::fs::read_to_string(&log).unwrap();
    if gone {
        // only a start may be refused: what cannot be read or locked cannot be promised
        assert_eq!(child.wait().unwrap().code(), Some(78), "steps {at}: {said}");
        assert!(home.runs().is_empty(), "steps {at}: it had begun to work: {said}");
    } else {
        // by kill -9, so that nothing is saved on the way out
        child.kill().unwrap();
        child.wait().unwrap();
    }
    wtt.forget();
    let connector = Connector::start(&wtt, &home, &[]);
    until(&format!("three answers after steps {at} had failed"), answered);
    assert!(!connector.log().contains("unreadable"), "steps {at}: {}", connector.log());
    wtt.say(&one, "RUN: answer last");
    wtt.answer(&one, "last");
    until("an empty outbox", || home.outbox().is_empty());
    let runs = home.runs();
    for word in ["alpha", "beta", "gamma", "delta"] {
        let count = runs.iter().filter(|r| r.contains(word)).count();
        assert!(count <= 1, "steps {at}: `{word}` was run {count} times: {runs:?}\n{said}");
        let posts = wtt.posts(&one).into_iter().chain(wtt.posts(&two));
        let answers = posts.filter(|p| p["content"].as_str().unwrap().contains(word)).count();
        assert!(answers <= 1, "steps {at}: `{word}` was answered {answers} times\n{said}");
    }
    said.contains("os error 5")
}

#[test]
fn a_disk_that_fails_at_any_step_loses_nothing_and_repeats_nothing() {
    let all = std::env::var("WTT_TEST_FAIL_POINTS").is_ok_and(|v| v == "all");
    let points: Vec<usize> = if all { (1..200).collect() } else { SHORT.to_vec() };
    let mut failed = 0;
    for point in points {
        if !conversation(point, point) {
            break;
        }
        failed += 1;
    }
    println!("failed at {failed} single steps");
    assert!(failed >= SHORT.len() - 3, "the conversation has fewer storage steps than expected: {failed}");
    // and a disk that never comes back
    assert!(conversation(12, usize::MAX));
}

#[test]
fn a_full_outbox_holds_new_turns_back_and_keeps_every_reply() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topics: Vec<String> = (0..20).map(|_| wtt.p2p()).collect();
    let folder = home.state_dir().join("outbox");
    std::fs::create_dir_all(&folder).unwrap();
    let (outbox, _, _) = Outbox::open(&folder).unwrap();
    for n in 0..MAX_ENTRIES {
        let topic = &topics[n % topics.len()];
        let text = vec![format!("reply {n}.")];
        outbox.put(&outbox.new_entry(&format!("m{n}"), topic, None, text, ReplyKind::Done)).unwrap();
    }
    wtt.service.set_faults(Faults { drop_results: true, no_echo: true, ..Faults::default() });
    let connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topics[0], "RUN: answer later");
    wtt.status(&topics[0], "waiting until the service accepts earlier replies");
    until("the log to say so", || connector.log().contains("the outbox is full: 1000 replies"));
    assert!(home.runs().is_empty());
    wtt.service.set_faults(Faults::default());
    wtt.service.cut_sockets(AGENT);
    // a thousand look-ups and replies take a busy machine their time
    while let left @ 1.. = home.outbox().len() {
        until("fewer replies to wait", || home.outbox().len() < left);
    }
    wtt.answer(&topics[0], "later");
    until("an empty outbox", || home.outbox().is_empty());
    for (n, topic) in topics.iter().enumerate() {
        let want = MAX_ENTRIES / topics.len() + usize::from(n == 0);
        assert_eq!(wtt.posts(topic).len(), want, "topic {n}: each reply once");
    }
}

#[test]
fn after_kill_9_the_lock_is_free_although_an_agent_lives() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo $$ > \"$HOME/pid\"; text begun; await never");
    until("the agent", || std::fs::read_to_string(home.path().join("pid")).is_ok_and(|p| p.ends_with('\n')));
    let pid = std::fs::read_to_string(home.path().join("pid")).unwrap();
    connector.kill();
    assert!(is_alive(pid.trim()), "nobody ended the agent");
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.answer(&topic, "interrupted");
    assert!(!is_alive(pid.trim()), "the next start ends it");
}

#[test]
fn what_left_its_session_on_purpose_lives_until_the_connector_ends() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(
        &topic,
        "RUN: setsid sh -c 'echo $$ > \"$HOME/pid\"; while :; do sleep 1; done' > /dev/null 2>&1 & \
         await pid; answer started",
    );
    wtt.answer(&topic, "started");
    until("an empty outbox", || home.outbox().is_empty());
    let pid = std::fs::read_to_string(home.path().join("pid")).unwrap();
    wtt.say(&topic, "RUN: answer second");
    wtt.answer(&topic, "second");
    assert!(is_alive(pid.trim()), "a server that an agent has started may go on");
    assert!(connector.stop().success());
    assert!(!is_alive(pid.trim()), "the connector ends it at last");
}

#[test]
fn a_reply_is_written_and_synced_before_it_gets_its_name() {
    let probe =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: no strace here");
        return;
    }
    let (wtt, home) = (Wtt::start(), Home::new());
    let inner = command(&wtt.service.base_url(), &home, &[]);
    let trace = home.path().join("trace");
    let mut outer = Command::new("strace");
    outer
        .args(["-f", "-qq", "-y", "-e", "trace=openat,write,fsync,rename,renameat,renameat2", "-o"])
        .arg(&trace);
    outer.arg(inner.get_program()).args(inner.get_args()).env_clear();
    outer.envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let mut child = outer.current_dir(home.path()).stderr(Stdio::null()).spawn().unwrap();
    wtt.connected();
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer traced");
    wtt.answer(&topic, "traced");
    until("an empty outbox", || home.outbox().is_empty());
    let lock = std::fs::read_to_string(home.state_dir().join("lock")).unwrap();
    let pid: i32 = lock.split_whitespace().next().unwrap().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(!trace.contains(TOKEN), "the token went into a file");
    // the calls on the outbox, in order, as `call` of the temp file or of the folder
    let calls: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains("/outbox"))
        .filter_map(|line| line.split_whitespace().nth(1)?.split('(').next())
        .collect();
    let place = |wanted: &[&str]| calls.windows(wanted.len()).any(|seen| seen == wanted);
    assert!(
        place(&["openat", "write", "write", "fsync", "rename", "openat", "fsync"]),
        "temp file, write, fsync, rename, folder fsync: {calls:?}"
    );
}

#[test]
fn without_descriptors_the_daemon_says_so_and_recovers() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let inner = command(&wtt.service.base_url(), &home, &[]);
    let log = home.path().join("log-limited");
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n 26; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args());
    limited.env_clear().envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?)))).current_dir(home.path());
    let mut child = limited.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    wtt.connected();
    let topics: Vec<String> = (0..6).map(|_| wtt.p2p()).collect();
    for topic in &topics {
        wtt.say(topic, "RUN: await go; answer well");
    }
    wtt.wait("an answer that says that the system is busy", |o| {
        let wtt_connect::local::service::ServiceEvent::Message(row) = &o.event else { return None };
        (row["sender_id"] == AGENT && row["content"].as_str()?.contains("busy")).then_some(())
    });
    home.touch("go");
    until("an answer in each topic", || topics.iter().all(|topic| wtt.posts(topic).len() == 1));
    let well = |topic: &String| wtt.posts(topic)[0]["content"] == "well";
    assert!(topics.iter().any(well), "nobody was answered");
    wtt.say(&topics[5], "RUN: answer again");
    wtt.answer(&topics[5], "again");
    until("an empty outbox", || home.outbox().is_empty());
    assert!(child.try_wait().unwrap().is_none(), "it has ended: {}", std::fs::read_to_string(&log).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
}
