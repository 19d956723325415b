//! The files that must survive: state, journal, outbox, lock.

mod recorded;

use crate::support::daemon::until;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use wtt_connect::store::Store;
use wtt_connect::store::lock::{self, LockError};
use wtt_connect::store::outbox::{Outbox, ReplyKind};
use wtt_connect::store::state::{OpenTurn, Record, SEEN_LIMIT, SessionRow};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn row(id: &str) -> SessionRow {
    let mut row =
        SessionRow { used_at: 1, opened_at: Some(1), workdir: "/w".into(), ..SessionRow::default() };
    row.native_ids.insert("codexThreadId".into(), id.into());
    row
}

fn accepted(key: &str) -> Record {
    let turn = OpenTurn {
        topic_id: "t".into(),
        reply_to: Some(key.into()),
        accepted_at: 5,
        started: true,
        ..OpenTurn::default()
    };
    Record::Accepted { key: key.into(), turn }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_commit_survives_without_a_snapshot() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let mut store = Store::open(&path).unwrap();
    store.record(accepted("m1"));
    store.record(Record::SessionUsed { key: "wtt:topic:t:codex:default:default".into(), row: row("id-1") });
    assert!(store.has_uncommitted());
    store.commit().unwrap();
    assert!(!store.has_uncommitted());
    store.record(accepted("never-committed"));
    drop(store); // as kill -9 would: nothing is written on drop

    let store = Store::open(&path).unwrap();
    assert!(store.state().has_seen("m1"));
    assert!(store.state().open.contains_key("m1"));
    assert!(!store.state().has_seen("never-committed"));
    let found: Vec<_> = store.state().sessions_of("wtt:topic:t").collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.native_id("codexThreadId"), Some("id-1"));
    assert!(store.repairs().is_empty(), "{:?}", store.repairs());
}

#[test]
fn sessions_of_a_topic_do_not_leak_into_one_with_a_longer_name() {
    let dir = folder();
    let mut store = Store::open(&dir.path().join("state.json")).unwrap();
    for key in
        ["wtt:topic:t:codex:a:b", "wtt:topic:t1:codex:a:b", "wtt:topic:t-2:codex:a:b", "wtt:topic:s:x:a:b"]
    {
        store.record(Record::SessionUsed { key: key.into(), row: row("x") });
    }
    let keys: Vec<_> = store.state().sessions_of("wtt:topic:t").map(|(k, _)| k.as_str()).collect();
    assert_eq!(keys, ["wtt:topic:t:codex:a:b"]);
}

#[test]
fn every_prefix_of_a_state_file_is_survived_and_set_aside() {
    let whole = std::fs::read("tests/fixtures/state/v1.json").unwrap();
    let end = whole.iter().rposition(|b| *b == b'}').unwrap();
    for length in 0..=end {
        let dir = folder();
        let path = dir.path().join("state.json");
        std::fs::write(&path, &whole[..length]).unwrap();
        let store = Store::open(&path).unwrap();
        assert!(store.state().sessions.is_empty());
        let aside: Vec<_> = names(dir.path()).into_iter().filter(|n| n.contains("corrupt-")).collect();
        assert_eq!(aside.len(), 1, "length {length}: {:?}", names(dir.path()));
        assert_eq!(std::fs::read(dir.path().join(&aside[0])).unwrap(), &whole[..length]);
        assert!(store.repairs()[0].contains("unreadable"), "{:?}", store.repairs());
    }
}

#[test]
fn the_previous_copy_of_the_state_is_used() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let mut store = Store::open(&path).unwrap();
    store.record(Record::SessionUsed { key: "k".into(), row: row("id-1") });
    store.snapshot().unwrap();
    store.snapshot().unwrap(); // now the previous copy has it as well
    drop(store);
    std::fs::write(&path, "{\"sessions\": [garbage").unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.state().sessions["k"].native_id("codexThreadId"), Some("id-1"));
    assert_eq!(store.repairs().len(), 2, "{:?}", store.repairs());
}

#[test]
fn wrong_types_are_survived_and_at_most_three_corrupt_copies_are_kept() {
    let dir = folder();
    let path = dir.path().join("state.json");
    for bad in ["[]", "3", "{\"sessions\":5}", "null", "\"x\"", "{\"seen\":{}}"] {
        std::fs::write(&path, bad).unwrap();
        let _ = std::fs::remove_file(dir.path().join("state.json.prev"));
        Store::open(&path).unwrap();
    }
    assert!(names(dir.path()).iter().filter(|n| n.contains("corrupt-")).count() <= 3);
}

#[test]
fn unknown_fields_of_a_newer_version_are_kept() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let mut newer: Value =
        serde_json::from_slice(&std::fs::read("tests/fixtures/state/v1.json").unwrap()).unwrap();
    newer["version"] = 9.into();
    std::fs::write(&path, newer.to_string()).unwrap();
    let mut store = Store::open(&path).unwrap();
    assert!(store.state().has_seen("m2"));
    store.record(accepted("m3"));
    store.snapshot().unwrap();
    let after: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(after["version"], 9);
    assert_eq!(after["futureField"], serde_json::json!([1, 2, 3]));
    assert_eq!(after["sessions"]["wtt:topic:t1:codex:gpt-5.5:high"]["futureRowField"]["a"], 1);
    assert_eq!(after["choices"]["wtt:topic:t1"]["effort"], "high");
}

#[test]
fn only_fields_that_hold_ids_are_taken_for_native_ids() {
    let mut row = row("id-1");
    row.native_ids.insert("aNewField".into(), "text of a newer version".into());
    assert_eq!(row.any_native_id(), Some("id-1"));
    for spec in wtt_connect::agent::adapters::ADAPTERS {
        let mut row = SessionRow::default();
        row.native_ids.insert(spec.session_key.into(), "id-2".into());
        assert_eq!(row.any_native_id(), Some("id-2"), "{}", spec.name);
    }
}

#[test]
fn a_torn_journal_loses_only_what_was_never_committed() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let journal = dir.path().join("state.json.journal");
    let mut store = Store::open(&path).unwrap();
    for n in 0..10 {
        store.record(accepted(&format!("m{n}")));
        store.commit().unwrap();
    }
    drop(store);
    let whole = std::fs::read(&journal).unwrap();
    let state = std::fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        let dir = folder();
        let path = dir.path().join("state.json");
        std::fs::write(&path, &state).unwrap();
        std::fs::write(dir.path().join("state.json.journal"), &whole[..length]).unwrap();
        let store = Store::open(&path).unwrap();
        let complete = whole[..length].iter().filter(|b| **b == b'\n').count();
        assert_eq!(store.state().open.len(), complete, "length {length}");
        assert!(store.repairs().is_empty(), "a torn end is normal: {:?}", store.repairs());
    }
}

#[test]
fn records_that_the_snapshot_holds_are_not_applied_again() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let journal = dir.path().join("state.json.journal");
    let mut store = Store::open(&path).unwrap();
    store.record(accepted("m1"));
    store.commit().unwrap();
    let old = std::fs::read(&journal).unwrap();
    store.record(Record::Finished { key: "m1".into() });
    store.snapshot().unwrap();
    drop(store);
    // a crash between the rename of the snapshot and the emptying of the journal leaves the old journal
    std::fs::write(&journal, old).unwrap();
    let store = Store::open(&path).unwrap();
    assert!(store.state().open.is_empty(), "a finished turn came back");
}

#[test]
fn left_over_temp_files_are_removed() {
    let dir = folder();
    std::fs::write(dir.path().join(".state.json.abc.tmp"), "x").unwrap();
    Store::open(&dir.path().join("state.json")).unwrap();
    assert!(!names(dir.path()).iter().any(|n| n.ends_with(".tmp")));
}

#[test]
fn a_link_at_the_state_file_is_not_written_through() {
    let dir = folder();
    let victim = dir.path().join("victim");
    std::fs::write(&victim, "{}").unwrap();
    let path = dir.path().join("state.json");
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    assert!(Store::open(&path).is_err());
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "{}");
}

#[test]
fn the_cost_of_a_message_does_not_grow_with_the_number_of_sessions() {
    let written = |sessions: usize| {
        let dir = folder();
        let path = dir.path().join("state.json");
        let mut store = Store::open(&path).unwrap();
        for n in 0..sessions {
            store.record(Record::SessionUsed {
                key: format!("wtt:topic:t{n}:codex:default:default"),
                row: row("x"),
            });
        }
        store.snapshot().unwrap();
        let before = std::fs::metadata(dir.path().join("state.json.journal")).unwrap().len();
        store.record(accepted("m"));
        store.record(Record::SessionUsed { key: "wtt:topic:t0:codex:default:default".into(), row: row("y") });
        store.record(Record::Finished { key: "m".into() });
        store.commit().unwrap();
        std::fs::metadata(dir.path().join("state.json.journal")).unwrap().len() - before
    };
    let (few, many) = (written(10), written(10_000));
    assert!(many <= few + 16, "{few} bytes with 10 sessions, {many} with 10,000");
}

#[test]
fn a_large_snapshot_is_folded_when_the_journal_is_worth_it() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let mut store = Store::open(&path).unwrap();
    let session =
        |n| Record::SessionUsed { key: format!("wtt:topic:t{n}:codex:default:default"), row: row("x") };
    assert!(store.fold_deadline().is_none(), "nothing has changed");
    store.record(session(0));
    assert!(store.fold_deadline().is_some());
    (1..12_000).for_each(|n| store.record(session(n)));
    store.snapshot().unwrap();
    let snapshot = std::fs::metadata(&path).unwrap().len();
    assert!(snapshot > 1024 * 1024 && store.fold_deadline().is_none());
    let journal = || std::fs::metadata(dir.path().join("state.json.journal")).unwrap().len();
    let mut n = 0;
    while journal() * 8 < snapshot {
        assert!(
            store.fold_deadline().is_none(),
            "{} bytes are not worth a snapshot of {snapshot}",
            journal()
        );
        store.record(session(n % 100));
        store.commit().unwrap();
        n += 1;
    }
    let due = store.fold_deadline().expect("an eighth of the snapshot");
    store.fold(due).unwrap();
    assert_eq!((journal(), store.fold_deadline()), (0, None));
}

#[test]
fn the_journal_is_folded_into_the_snapshot_and_seen_ids_are_bounded() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let mut store = Store::open(&path).unwrap();
    for n in 0..3 * SEEN_LIMIT {
        store.record(accepted(&format!("message-{n}")));
        store.record(Record::Finished { key: format!("message-{n}") });
        if n % 16 == 0 {
            store.commit().unwrap();
        }
    }
    store.commit().unwrap();
    let journal = std::fs::metadata(dir.path().join("state.json.journal")).unwrap().len();
    let state = std::fs::metadata(&path).unwrap().len();
    assert!(journal < 600 * 1024 && state < 600 * 1024, "journal {journal}, state {state}");
    assert_eq!(store.state().seen.len(), SEEN_LIMIT);
    assert!(!store.state().has_seen("message-0"));
    assert!(store.state().has_seen(&format!("message-{}", 3 * SEEN_LIMIT - 1)));
}

#[test]
fn only_one_of_twenty_gets_the_lock() {
    let dir = folder();
    let path = dir.path().join("lock");
    let won = AtomicUsize::new(0);
    let (done, wait) = crossbeam_channel::bounded::<()>(0);
    std::thread::scope(|scope| {
        let tries: Vec<_> = (0..20)
            .map(|_| {
                let (path, won, wait) = (&path, &won, wait.clone());
                let (tried, try_done) = crossbeam_channel::bounded(1);
                scope.spawn(move || {
                    let lock = lock::acquire(path);
                    match &lock {
                        Ok(_) => {
                            won.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(LockError::Held(_)) => {}
                        Err(LockError::Io(e)) => panic!("{e}"),
                    }
                    tried.send(()).unwrap();
                    let _ = wait.recv();
                    drop(lock);
                });
                try_done
            })
            .collect();
        for tried in tries {
            tried.recv().unwrap();
        }
        assert_eq!(won.load(Ordering::SeqCst), 1);
        assert!(matches!(lock::acquire(&path), Err(LockError::Held(Some(pid))) if pid == std::process::id()));
        drop(done);
    });
    // what another test is starting at this moment has a copy of our open files until its exec, and with it the lock
    until("s05: the file that is left to be no obstacle", || lock::acquire(&path).is_ok());
    until("the lock to be free", || lock::holder(&path).is_none());
}

fn put(outbox: &Outbox, key: &str, parts: &[&str]) -> wtt_connect::store::outbox::OutboxEntry {
    let parts = parts.iter().map(|p| p.to_string()).collect();
    let entry = outbox.new_entry(key, "t", Some("m"), parts, ReplyKind::Done);
    outbox.put(&entry).unwrap();
    entry
}

#[test]
fn outbox_entries_come_back_in_order_until_removed() {
    let dir = folder();
    let folder: PathBuf = dir.path().join("outbox");
    let (outbox, left, poisoned) = Outbox::open(&folder).unwrap();
    assert!(left.is_empty() && poisoned == 0);
    let entries: Vec<_> = (0..5).map(|n| put(&outbox, &format!("k{n}"), &["a", "b"])).collect();
    outbox.remove(&entries[2]).unwrap();
    outbox.remove(&entries[2]).unwrap();
    let (again, left, _) = Outbox::open(&folder).unwrap();
    assert_eq!(left.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["k0", "k1", "k3", "k4"]);
    assert!(put(&again, "k5", &["x"]).seq > entries[4].seq);
}

#[test]
fn a_poisoned_outbox_entry_is_set_aside_and_the_rest_goes_on() {
    let dir = folder();
    let folder = dir.path().join("outbox");
    let (outbox, ..) = Outbox::open(&folder).unwrap();
    let good = put(&outbox, "good", &["text"]);
    std::fs::write(folder.join("0000000000000001-half.json"), "{\"seq\":1,").unwrap();
    std::fs::write(folder.join("renamed.json"), serde_json::to_vec(&good).unwrap()).unwrap();
    let (outbox, left, poisoned) = Outbox::open(&folder).unwrap();
    assert_eq!((left.len(), poisoned), (1, 2));
    assert_eq!(names(&folder.join("failed")).len(), 2);
    outbox.move_to_failed(&left[0]).unwrap();
    assert_eq!(names(&folder), ["failed"]);
    assert_eq!(names(&folder.join("failed")).len(), 3);
}

#[test]
fn a_session_that_was_not_used_for_a_year_is_forgotten() {
    let dir = folder();
    let path = dir.path().join("state.json");
    let mut store = Store::open(&path).unwrap();
    let day = 24 * 3600 * 1000;
    for (topic, used_at) in [
        ("old", 1_700_000_000_000),
        ("mid", 1_700_000_000_000 + 30 * day),
        ("new", 1_700_000_000_000 + 380 * day),
    ] {
        let row = SessionRow { used_at, ..row(topic) };
        store.record(Record::SessionUsed { key: format!("wtt:topic:{topic}:codex:default:default"), row });
    }
    store.snapshot().unwrap();
    let kept = |topic: &str| store.state().sessions_of(&format!("wtt:topic:{topic}")).count();
    assert_eq!((kept("old"), kept("mid"), kept("new")), (0, 1, 1));
}
