//! What a message costs the disk with few and with many sessions known: the records of one turn, committed as the hub does.

use crate::show;
use std::time::Instant;
use wtt_connect::store::Store;
use wtt_connect::store::state::{OpenTurn, Record, SessionRow};

/// Turns that are measured: enough for several snapshots when these come often.
const TURNS: usize = 3_000;

/// Prints time and bytes for a turn, the size of the file, and how long opening takes, for each number of sessions.
pub(crate) fn cost(sessions: &[usize]) {
    for &count in sessions {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut store = Store::open(&path).unwrap();
        for n in 0..count {
            store.record(Record::SessionUsed { key: key(n), row: row(n) });
        }
        store.snapshot().unwrap();
        let (began, before) = (Instant::now(), written());
        for n in 0..TURNS {
            let turn = OpenTurn {
                topic_id: format!("topic-{n}"),
                reply_to: Some(format!("m{n}")),
                accepted_at: 1_795_000_000_000,
                started: true,
                ..OpenTurn::default()
            };
            store.record(Record::Accepted { key: format!("m{n}"), turn });
            store.commit().unwrap();
            store.record(Record::SessionUsed { key: key(n % count), row: row(n) });
            store.record(Record::Finished { key: format!("m{n}") });
            store.commit().unwrap();
        }
        let (took, bytes) = (began.elapsed(), written() - before);
        let size = std::fs::metadata(&path).unwrap().len();
        drop(store);
        let opening = Instant::now();
        drop(Store::open(&path).unwrap());
        let opening = opening.elapsed();
        let what = |figure: &str| format!("{count} sessions: {figure}");
        show(&what("a turn, two commits"), took.as_secs_f64() * 1e6 / TURNS as f64, "µs", "");
        show(&what("bytes written per turn"), bytes as f64 / TURNS as f64, "", "");
        show(&what("state file"), size as f64 / 1024.0, "KiB", "");
        show(&what("opening"), opening.as_secs_f64() * 1e3, "ms", "");
    }
}

fn key(n: usize) -> String {
    format!("wtt:topic:0b1f6f7e-2c55-4d0e-9a53-{n:012}:codex:default:default")
}

fn row(n: usize) -> SessionRow {
    let mut row = SessionRow {
        used_at: 1_795_000_000_000,
        workdir: "/home/u/.wtt-connect/a".into(),
        ..SessionRow::default()
    };
    row.native_ids.insert("codexThreadId".into(), format!("01a201fc-49a6-73b2-93a6-{n:012}").into());
    row
}

/// Bytes that this process has written to files so far.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|l| l.strip_prefix("wchar: ")).unwrap();
    line.trim().parse().unwrap()
}
