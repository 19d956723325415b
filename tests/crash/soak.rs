//! The soak: a mix of turns, failures, cancels and cut connections for as long as asked, with the daemon's descriptors,
//! threads and memory looked at in quiet moments.
//!
//! `WTT_TEST_SOAK_SECONDS=7200 WTT_TEST_BINARY=target/release/wtt-connect cargo test --test main crash::soak -- --nocapture`
//! prints a line for each minute. The default is a few seconds, so that it cannot rot.

use super::proxied;
use crate::support::daemon::{AGENT, Connector, Home, Wtt, resources, until};
use std::time::{Duration, Instant};

/// Long runs look at the daemon so often.
const LOOK: Duration = Duration::from_secs(60);
/// How much resident memory may grow between the first look and the last, in KiB: the seen ids and the sessions have
/// limits, and the allocator keeps some of what was freed.
const GROWTH: usize = 3 * 1024;
/// A long run leaves so much between two turns: it looks for leaks, it does not measure speed, and others use the machine.
const PACE: Duration = Duration::from_millis(700);
/// Turns before the first look: all caches and rings have been touched.
const WARM: usize = 60;

#[test]
fn soak_descriptors_threads_and_memory_stay_flat() {
    let seconds = std::env::var("WTT_TEST_SOAK_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    let (wtt, home) = (Wtt::start(), Home::new());
    let (proxy, base) = proxied(&wtt);
    let env = [super::FAST, ("WTT_CONNECT_SESSION_IDLE_SECONDS", "1"), ("WTT_CONNECT_LOG", "warn")];
    let connector = Connector::spawn(&base, &home, &env);
    wtt.connected();
    let idle = wtt.idle_threads(connector.pid());
    let mut random = fastrand::Rng::with_seed(11);
    let topics: Vec<String> = (0..12).map(|_| wtt.p2p()).collect();
    let (mut said, mut cancelled, mut cuts) = (0, 0, 0);
    let mut round = |wtt: &Wtt| {
        if random.u8(..100) < 15 {
            proxy.cut_after(random.usize(1..4000));
            cuts += 1;
        }
        let topic = &topics[random.usize(..topics.len())];
        said += 1;
        match random.u8(..100) {
            0..10 => {
                wtt.say(topic, "RUN: text begun; touch \"$HOME/begun\"; await never");
                home.wait_for("begun");
                wtt.say(topic, "/stop");
                cancelled += 1;
            }
            10..20 => drop(wtt.say(topic, "RUN: exit 3")),
            20..30 => drop(wtt.say(topic, "RUN: tool ls; fail 'API Error: 500 overloaded'")),
            _ => drop(wtt.say(topic, &format!("RUN: tool ls; answer 'number {said}.'"))),
        }
        let count = || {
            wtt.service
                .messages(topic)
                .iter()
                .filter(|m| m["sender_id"] == AGENT && m["semantic_type"] == "post")
                .count()
        };
        let want = wtt
            .service
            .messages(topic)
            .iter()
            .filter(|m| m["sender_id"] != AGENT && m["content"] != "/stop")
            .count();
        until(&format!("the answer to turn {said}"), || count() >= want);
        assert_eq!(count(), want, "turn {said} was answered more than once");
        let _ = std::fs::remove_file(home.path().join("begun"));
        wtt.forget();
        said
    };
    while round(&wtt) < WARM {}
    let quiet = || {
        until("an empty outbox", || home.outbox().is_empty());
        until("the workers to end", || resources(connector.pid()).1 <= idle);
        resources(connector.pid())
    };
    let first = quiet();
    println!("after {WARM} turns: descriptors, threads, KiB {first:?}");
    let (began, mut looked) = (Instant::now(), Instant::now());
    let mut turns = WARM;
    while began.elapsed() < Duration::from_secs(seconds) {
        turns = round(&wtt);
        if seconds > LOOK.as_secs() {
            std::thread::sleep(PACE);
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            println!("{:>5} s, {turns} turns: {:?}", began.elapsed().as_secs(), quiet());
        }
    }
    let last = quiet();
    println!("{turns} turns, {cancelled} cancelled, {cuts} cuts: {first:?} -> {last:?}");
    assert_eq!((last.0, last.1), (first.0, first.1), "descriptors and threads");
    assert!(last.2 < first.2 + GROWTH, "memory grew: {first:?} -> {last:?}");
    assert_eq!(home.runs().len(), turns, "a turn was run twice, or not at all");
}
