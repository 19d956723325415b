//! Hostile input as part of `cargo test`: every file of the fuzzers' corpora, unchanged and mutated, for about a second
//! each. cargo-fuzz runs the same functions for longer: see `tests/fuzz/Cargo.toml`. `WTT_TEST_SEED` repeats a run,
//! `WTT_TEST_FUZZ_SECONDS` makes it longer.

#[path = "fuzz/exercise.rs"]
mod exercise;

use std::path::Path;
use std::time::{Duration, Instant};

/// What mutation puts in: pieces that parsers look for.
const PIECES: [&str; 36] = [
    "[WTT_ARTIFACT_FILE path=\"a.pdf\" title='",
    "]\n",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\\u0000",
    "\\ud800",
    "@",
    "＠",
    "@all",
    "/",
    "```",
    "~~~",
    "\n",
    "\r",
    "=",
    "'",
    "$",
    "\u{2028}",
    "\u{200b}",
    "状态=",
    "└",
    "┌ 来源标识",
    "[/FILE_CONTENT]",
    "[Model:",
    "👩‍👧",
    "\"type\":",
    "\"content\":",
    "小明",
];

fn mutate(data: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = data.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=out.len());
        let end = random.usize(at..=out.len().min(at + 40));
        let piece = PIECES[random.usize(..PIECES.len())].bytes();
        match random.u8(..5) {
            0 => drop(out.drain(at..end)),
            1 => drop(out.splice(at..at, piece)),
            2 => drop(out.splice(at..end, piece)),
            3 => {
                let copy = out[at..end].repeat(random.usize(1..4));
                drop(out.splice(at..at, copy));
            }
            _ => {
                if let Some(byte) = out.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
        }
    }
    out
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn run(name: &str, exercise: fn(&[u8])) {
    let var = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seed = var("WTT_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    let budget = Duration::from_millis(var("WTT_TEST_FUZZ_SECONDS").map_or(700, |s| s * 1000));
    eprintln!("{name}: seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let files = corpus(name);
    files.iter().for_each(|file| exercise(file));
    let (began, mut rounds) = (Instant::now(), 0);
    while began.elapsed() < budget {
        let mut data = files[random.usize(..files.len())].clone();
        for _ in 0..random.usize(1..4) {
            data = mutate(&data, &mut random);
            exercise(&data);
        }
        rounds += 1;
    }
    assert!(rounds > 5, "only {rounds} rounds");
}

#[test]
fn random_frames_break_no_rule() {
    run("frame", exercise::frame);
}

#[test]
fn random_agent_output_breaks_no_rule() {
    run("dialect", exercise::dialect);
}

#[test]
fn random_replies_break_no_rule() {
    run("reply", exercise::reply);
}

#[test]
fn random_mentions_break_no_rule() {
    run("mention", exercise::mention);
}

#[test]
fn random_configuration_breaks_no_rule() {
    run("config", exercise::config);
}
