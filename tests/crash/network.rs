//! The bad-network run: many messages over many topics through a proxy that cuts, stalls, delays and drops at seeded
//! random points, without a pause. Every message is answered, in order per topic, once.
//!
//! `WTT_TEST_NETWORK=1000 WTT_TEST_SEED=7 cargo test --test main crash::network -- --nocapture` is the long run.

use super::{FAST, proxied};
use crate::support::daemon::{AGENT, Connector, Home, Wtt, until};
use std::time::{Duration, Instant};

/// Messages of the default run.
const SHORT: usize = 60;
/// The long run takes at least so long, however fast the machine is.
const SPREAD: Duration = Duration::from_millis(240);

#[test]
fn a_bad_network_loses_nothing_doubles_nothing_and_keeps_the_order() {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<usize>().ok());
    let (count, seed) = (number("WTT_TEST_NETWORK").unwrap_or(SHORT), number("WTT_TEST_SEED").unwrap_or(7));
    let (wtt, home) = (Wtt::start(), Home::new());
    let (proxy, base) = proxied(&wtt);
    let timing = format!("{}{}", FAST.1.trim_end_matches('}'), ",\"ping\":300,\"dead\":1500,\"dial\":1500}");
    let env = [(FAST.0, timing.as_str()), ("WTT_CONNECT_LOG", "info")];
    let _connector = Connector::spawn(&base, &home, &env);
    wtt.connected();
    let topics: Vec<String> = (0..(count / 20).max(10)).map(|_| wtt.p2p()).collect();
    let mut random = fastrand::Rng::with_seed(u64::try_from(seed).unwrap());
    let (began, mut said, mut trouble) = (Instant::now(), 0, [0; 4]);
    let (_keep, tick) = crossbeam_channel::bounded::<()>(0);
    while said < count {
        for _ in 0..random.usize(1..6).min(count - said) {
            wtt.say(&topics[said % topics.len()], &format!("RUN: tool ls; answer 'number {said}.'"));
            said += 1;
        }
        let kind = random.usize(..5);
        match kind {
            0 => proxy.cut(),
            1 => proxy.cut_after(random.usize(1..6000)),
            2 => {
                proxy.freeze();
                let _ = tick.recv_timeout(Duration::from_millis(random.u64(50..2500)));
                proxy.thaw();
            }
            3 => {
                // what is on its way is lost, and nobody is told
                proxy.freeze();
                let _ = tick.recv_timeout(Duration::from_millis(random.u64(0..50)));
                proxy.cut();
                proxy.thaw();
            }
            _ => {}
        }
        if kind < trouble.len() {
            trouble[kind] += 1;
        }
        if count > SHORT {
            let spread = SPREAD * u32::try_from(said).unwrap();
            let _ = tick.recv_timeout(spread.saturating_sub(began.elapsed()));
        }
        wtt.forget();
    }
    let numbers = |topic: &str| -> Vec<usize> {
        wtt.posts(topic)
            .iter()
            .map(|p| p["content"].as_str().unwrap())
            .filter_map(|text| text.strip_prefix("number ")?.strip_suffix('.')?.parse().ok())
            .collect()
    };
    let expected = |at: usize| -> Vec<usize> { (0..count).filter(|n| n % topics.len() == at).collect() };
    for (at, topic) in topics.iter().enumerate() {
        until(&format!("the answers of topic {at}"), || numbers(topic).len() >= expected(at).len());
    }
    until("an empty outbox", || home.outbox().is_empty());
    let all: usize = topics.iter().map(|topic| wtt.posts(topic).len()).sum();
    println!(
        "{count} messages, {} topics, seed {seed}, {:.0?}: {} cuts, {} cuts in a frame, {} stalls, {} losses; {all} answers",
        topics.len(),
        began.elapsed(),
        trouble[0],
        trouble[1],
        trouble[2],
        trouble[3]
    );
    for (at, topic) in topics.iter().enumerate() {
        assert_eq!(numbers(topic), expected(at), "topic {at}");
    }
    assert_eq!(all, count, "nothing else was said");
    assert_eq!(home.runs().len(), count, "something was run twice");
    let asked =
        topics.iter().flat_map(|t| wtt.service.messages(t)).filter(|m| m["sender_id"] != AGENT).count();
    assert_eq!(asked, count);
}
