//! What the connector costs: `cargo bench --bench overhead`. Prints medians; fails nothing.
//!
//! The release binary runs against the local service in this process. The agent is this program again, started with
//! the word `agent`: it reports when it was started and when it wrote a line, by the clock that both share.
//! `BENCH_ONLY=state` measures only what a turn costs the disk, `BENCH_ONLY=burst` only `BENCH_TOPICS` (200) topics at once,
//! `BENCH_ONLY=terminal` only a terminal, `BENCH_ONLY=latency` only a start and a turn, `BENCH_ONLY=idle` only what it costs to wait.
//! `WTT_TEST_BINARY` names another build of the program.
//! `BENCH_RUNS` (default 7) and `BENCH_IDLE_SECONDS` (default 60) change the length. Needs Linux (/proc).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, clippy::exit, missing_docs)]

mod agent;
mod node;
mod process;
mod state;
mod terminal;

use process::Connector;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};
use wtt_connect::local::service::{MessageAuthor, Observed, Service, ServiceEvent};

pub(crate) const AGENT_ID: &str = "agent-bench";
pub(crate) const TOKEN: &str = "wtt-tok-bench";
/// Nothing here takes this long on a working machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("agent") {
        return agent::run();
    }
    match std::env::var("BENCH_ONLY").as_deref() {
        Ok("state") => return state::cost(&[10, 1_000, 10_000]),
        Ok("terminal") => return terminal::cost(),
        Ok("burst") => return burst(number("BENCH_TOPICS", 200)),
        _ => {}
    }
    let runs = number("BENCH_RUNS", 7);
    let idle = Duration::from_secs(number("BENCH_IDLE_SECONDS", 60) as u64);
    match std::env::var("BENCH_ONLY").as_deref() {
        Ok("latency") => {
            start_up(runs);
            return latency(runs);
        }
        Ok("idle") => {
            show_idle(idle);
            return;
        }
        _ => {}
    }
    println!("Run it on a quiet machine: latencies grow several times under load.");
    println!("wtt-connect {}; medians of {runs} runs; idle window {idle:?}", env!("CARGO_PKG_VERSION"));
    let size = std::fs::metadata(process::binary()).unwrap().len() as f64 / (1024.0 * 1024.0);
    show("release binary", size, "MiB", "5");
    start_up(runs);
    let ours = show_idle(idle);
    latency(runs);
    burst(200);
    state::cost(&[10, 1_000, 10_000]);
    terminal::cost();
    match node::floor(idle.min(Duration::from_secs(10))) {
        Ok(floor) => {
            show("node floor: idle PSS", floor.pss_kib / 1024.0, "MiB", "");
            show("node floor: start to handshake", floor.start_ms, "ms", "");
            println!("ratio: the Node floor needs {:.0} times our idle memory", floor.pss_kib / ours.pss_kib);
        }
        Err(why) => println!("node floor: skipped, {why}"),
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn show(what: &str, value: f64, unit: &str, aim: &str) {
    let limit = aim.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    let missed = if limit.is_some_and(|limit| value > limit) { ", missed" } else { "" };
    let aim = if aim.is_empty() { String::new() } else { format!("  (aim ≤ {aim}{missed})") };
    println!("{what:38} {value:9.2} {unit}{aim}");
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn service() -> Service {
    let service = Service::start(wtt_connect::local::service::ServiceOptions::default()).unwrap();
    service.add_agent(AGENT_ID, TOKEN, "Bench");
    service
}

fn await_seen<T>(
    seen: &crossbeam_channel::Receiver<Observed>,
    mut what: impl FnMut(&Observed) -> Option<T>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let observed = seen.recv_deadline(deadline).expect("the connector did not answer in time");
        if let Some(found) = what(&observed) {
            return found;
        }
    }
}

fn authenticated(observed: &Observed) -> Option<Instant> {
    (observed.event == ServiceEvent::Auth(true)).then_some(observed.at)
}

fn start_up(runs: usize) {
    let service = service();
    let mut times = Vec::new();
    for _ in 0..runs {
        let seen = service.observe();
        let at = Instant::now();
        let connector = Connector::start(&service, &[]);
        times.push((await_seen(&seen, authenticated) - at).as_secs_f64() * 1e3);
        connector.stop();
    }
    show("start-up to authenticated", median(times), "ms", "10 plus round trips");
}

fn show_idle(window: Duration) -> process::Idle {
    let ours = idle_cost(window);
    show("idle PSS", ours.pss_kib / 1024.0, "MiB", "4");
    show("idle context switches", ours.switches_per_minute, "per minute", "pings and looks, two wake-ups");
    show("threads while idle", ours.threads as f64, "", "");
    ours
}

fn idle_cost(window: Duration) -> process::Idle {
    let service = service();
    let seen = service.observe();
    let connector = Connector::start(&service, &[]);
    await_seen(&seen, authenticated);
    let idle = connector.idle(window);
    connector.stop();
    idle
}

/// The row of a final answer of ours.
fn answer(observed: &Observed) -> Option<(String, String, Instant)> {
    let ServiceEvent::Message(row) = &observed.event else { return None };
    let ours = row["sender_id"] == AGENT_ID && row["semantic_type"] == "post";
    ours.then(|| {
        (row["topic_id"].as_str().unwrap().into(), row["content"].as_str().unwrap().into(), observed.at)
    })
}

fn latency(runs: usize) {
    let service = service();
    let seen = service.observe();
    let exe = std::env::current_exe().unwrap();
    let command = format!("{} agent", exe.display());
    let connector = Connector::start(&service, &[("WTT_CONNECT_CLAUDE_CODE_COMMAND", &command)]);
    await_seen(&seen, authenticated);
    let (mut spawned, mut sent, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    // both clocks at one moment: the service observes Instants, the agent writes wall-clock nanoseconds
    let (instant, wall) = (Instant::now(), agent::wall_ns());
    let to_wall = |at: Instant| wall + (at - instant).as_nanos();
    for _ in 0..runs {
        let topic = service.create_topic("p2p", "bench", &[AGENT_ID]);
        service.post_message(&topic, MessageAuthor::Human, "measure", json!({}));
        let (mut pushed, mut status_at) = (0, 0);
        let mut written = 0;
        let (_, text, answered) = await_seen(&seen, |observed| {
            match &observed.event {
                ServiceEvent::Message(row) if row["content"] == "measure" => pushed = to_wall(observed.at),
                ServiceEvent::Typing(frame) => {
                    if let Some(at) = stamp(frame, "line=") {
                        (written, status_at) = (at, to_wall(observed.at));
                    }
                }
                _ => {}
            }
            answer(observed)
        });
        let begun = text.split("spawned=").nth(1).and_then(|t| t.split_whitespace().next()).unwrap();
        spawned.push((begun.parse::<u128>().unwrap().saturating_sub(pushed)) as f64 / 1e6);
        sent.push(status_at.saturating_sub(written) as f64 / 1e6);
        whole.push((to_wall(answered) - pushed) as f64 / 1e6 - agent::PAUSE.as_secs_f64() * 1e3);
    }
    connector.stop();
    let (spawned, bare) = (median(spawned), bare_spawn(runs));
    show("frame to child's first instruction", spawned, "ms", "");
    show("  of which any program pays for a spawn", bare, "ms", "");
    show("  of which the connector, disk included", spawned - bare, "ms", "2");
    show("child's line to frame at the service", median(sent), "ms", "1");
    show("whole turn, without the agent's pause", median(whole), "ms", "");
}

/// From the wish to start the agent to its first instruction, without a connector.
fn bare_spawn(runs: usize) -> f64 {
    let exe = std::env::current_exe().unwrap();
    let once = || {
        let wished = agent::wall_ns();
        let mut command = std::process::Command::new(&exe);
        let child = command.arg("agent").arg("at-once").stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let said = String::from_utf8(child.unwrap().wait_with_output().unwrap().stdout).unwrap();
        let begun = said.split("spawned=").nth(1).and_then(|t| t.split_whitespace().next()).unwrap();
        (begun.parse::<u128>().unwrap() - wished) as f64 / 1e6
    };
    median((0..runs).map(|_| once()).collect())
}

fn stamp(frame: &Value, key: &str) -> Option<u128> {
    frame["status_text"].as_str()?.split(key).nth(1)?.split_whitespace().next()?.parse().ok()
}

fn burst(topics: usize) {
    let service = service();
    let seen = service.observe();
    let command = format!("{} demo-agent", process::binary().display());
    let env =
        [("WTT_CONNECT_CLAUDE_CODE_COMMAND", command.as_str()), ("WTT_CONNECT_SESSION_IDLE_SECONDS", "1")];
    let connector = Connector::start(&service, &env);
    await_seen(&seen, authenticated);
    let before = connector.idle(Duration::from_secs(1));
    let ids: Vec<String> = (0..topics).map(|_| service.create_topic("p2p", "burst", &[AGENT_ID])).collect();
    let peak = connector.watch_peak();
    let at = Instant::now();
    for id in &ids {
        service.post_message(id, MessageAuthor::Human, "hello", json!({}));
    }
    let mut answered = std::collections::BTreeMap::new();
    while answered.len() < topics {
        let (topic, _, _) = await_seen(&seen, answer);
        *answered.entry(topic).or_insert(0) += 1;
    }
    let wall = at.elapsed().as_secs_f64();
    let twice = answered.values().filter(|n| **n > 1).count();
    let peak = peak.stop();
    let after = connector.idle(Duration::from_secs(3));
    println!("{topics} topics at once: {} answered, {twice} twice", answered.len());
    show("  wall time (start of agents included)", wall, "s", "");
    show("  peak PSS of the connector", peak / 1024.0, "MiB", "");
    show("  PSS before", before.pss_kib / 1024.0, "MiB", "");
    show("  PSS after", after.pss_kib / 1024.0, "MiB", "");
    println!("  that is {:.1} times the size before", after.pss_kib / before.pss_kib);
    show("  threads left", after.threads as f64, "", &format!("{}", before.threads));
    connector.stop();
}
