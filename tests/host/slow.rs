//! Terminals on a link that is slower than what they show, on one that is cut, and beside everything that is started.

use super::terminal::{BASH, missing, shell};
use super::{ON, answer};
use crate::support::browser::Browser;
use crate::support::daemon::{Connector, Home, Wtt};
use crate::support::proxy::Proxy;
use crate::support::watch::Watch;
use serde_json::json;
use std::time::{Duration, Instant};

/// A connector behind a proxy.
fn behind_a_proxy(more: &[(&str, &str)]) -> (Wtt, Home, Connector, Proxy) {
    let (wtt, home) = (Wtt::start(), Home::new());
    let proxy = Proxy::start(wtt.service.base_url().rsplit(':').next().unwrap().parse().unwrap());
    let base = format!("http://127.0.0.1:{}", proxy.port);
    let connector = Connector::spawn(&base, &home, &[ON, more].concat());
    wtt.connected();
    (wtt, home, connector, proxy)
}

/// How long the connector's answers take: the shorter ones (a machine that does much else makes some late), and the median.
fn answers(wtt: &Wtt) -> (Duration, Duration) {
    let mut took: Vec<Duration> = (0..9)
        .map(|n| {
            let frame = json!({"type":"e2e_key_request","request_id":format!("k{n}-{}", wtt_connect::sys::id::hex())});
            let took = Watch::start();
            answer(wtt, frame);
            took.counted()
        })
        .collect();
    took.sort();
    (took[2], took[4])
}

#[test]
fn a_flood_on_a_slow_link_holds_up_no_answer() {
    if missing(BASH) || missing("/usr/bin/yes") {
        return;
    }
    let (wtt, _home, _connector, proxy) = behind_a_proxy(&[]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    proxy.slow_down(Some(400_000));
    let idle = answers(&wtt);
    browser.keys(&tab, "stty -opost; yes 0123456789abcde\r");
    // what the kernel and the proxy would take at once has been written by then
    let (began, before) = (Instant::now(), tab.all.len());
    while tab.all.len() < before + 300_000 {
        let event = browser.event(&tab);
        tab.all += event["data"].as_str().unwrap();
    }
    let rate = 300.0 / began.elapsed().as_secs_f64();
    let busy = answers(&wtt);
    eprintln!(
        "answers, a good one and the median: {idle:?} idle, {busy:?} behind a flood at {rate:.0} of 400 kB/s"
    );
    // and a step of the watch; unpaced, an answer would wait for what the kernel and the proxy take: most of a second
    let limit = idle.1 + Duration::from_millis(60);
    assert!(busy.0 <= limit, "{idle:?} idle, {busy:?} behind a flood");
}

#[test]
fn what_was_on_its_way_when_the_link_was_cut_comes_after_it() {
    if missing(BASH) {
        return;
    }
    let quick = ("WTT_CONNECT_TEST_TIMING", r#"{"backoff":20,"backoff_max":50,"healthy":0}"#);
    let (wtt, home, connector, proxy) = behind_a_proxy(&[quick]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    browser.keys(&tab, "until [ -e go ]; do sleep 0.02; done; echo wr''itten; touch done; exit 5\r");
    browser.see(&mut tab, "exit 5\r\n");
    wtt.forget();
    // written into a connection on which nothing arrives any more
    proxy.freeze();
    std::fs::write(home.path().join("work/go"), "").unwrap();
    crate::support::daemon::until("the end of the shell", || home.path().join("work/done").exists());
    crate::support::daemon::until("its end to be told", || connector.log().contains("ended with code 5"));
    proxy.cut();
    proxy.thaw();
    wtt.connected();
    browser.see(&mut tab, "written\r\n");
    assert_eq!(browser.exit(&mut tab), 5);
}

#[test]
fn nothing_that_is_started_inherits_a_terminal() {
    if missing(BASH) || !std::path::Path::new("/proc/self/fd").exists() {
        eprintln!("skipped: no /proc here");
        return;
    }
    let home = Home::new();
    let agent = home.path().join("agent");
    let looks = concat!(
        "#!/bin/sh\nls -l /proc/$$/fd >> fds\nexec ",
        env!("CARGO_MANIFEST_DIR"),
        "/tests/agents/scripted.sh \"$@\"\n"
    );
    crate::support::program::program(&agent, looks);
    let wtt = Wtt::start();
    let command = ("WTT_CONNECT_CLAUDE_CODE_COMMAND", agent.to_str().unwrap());
    let _connector = Connector::start(&wtt, &home, &[ON, &[command]].concat());
    let look = || {
        let ask = json!({"type":"shell_exec","request_id":wtt_connect::sys::id::hex(),"command":"ls -l /proc/$$/fd"});
        answer(&wtt, ask)["stdout"].as_str().unwrap().to_owned()
    };
    let is_terminal = |line: &&str| line.contains("ptmx") || line.contains("/dev/pts/");
    let descriptor = |line: &str| {
        line.find(" -> ").map(|at| line[..at].rsplit(' ').next().unwrap().to_owned() + &line[at..])
    };
    // what whoever runs the tests has handed on to everybody is no terminal of ours
    let strays: Vec<String> = look().lines().filter(is_terminal).filter_map(descriptor).collect();
    let mut browser = Browser::open(&wtt.service);
    let topics: Vec<String> = (0..4).map(|_| wtt.p2p()).collect();
    // terminals are opened while agents and commands are started
    let ids: Vec<String> = topics.iter().map(|topic| wtt.say(topic, "RUN: answer hello")).collect();
    let mut tabs: Vec<_> = (0..4).map(|_| browser.terminal(80, 24)).collect();
    let job = look();
    for id in &ids {
        wtt.wait("an answer", |seen| match &seen.event {
            wtt_connect::local::service::ServiceEvent::Message(row) if row["reply_to"] == id.as_str() => {
                Some(())
            }
            _ => None,
        });
    }
    let agents = std::fs::read_to_string(home.path().join("work/fds")).unwrap();
    let last = tabs.last_mut().unwrap();
    browser.keys(last, "ls -l /proc/$$/fd; echo '' e'n'd\r");
    let terminal = browser.see(last, " end\r\n");
    let terminals = |fds: &str| -> Vec<String> {
        fds.lines().filter(is_terminal).filter_map(descriptor).filter(|d| !strays.contains(d)).collect()
    };
    for fds in [&agents, &job, &terminal] {
        assert!(fds.contains(" -> "), "{fds}");
        assert!(!terminals(fds).iter().any(|d| d.contains("ptmx")), "{fds}");
    }
    assert_eq!((terminals(&agents), terminals(&job)), (vec![], vec![]), "{agents}{job}");
    assert!(!terminals(&terminal).is_empty(), "{terminal}");
}
