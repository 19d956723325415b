//! The ACP dialect: golden tests over recorded two-way conversations (`fixtures/acp`), and what hostile agents may do.
//!
//! Per case a `.events` file holds what came of it; `UPDATE_EXPECT=1` rewrites them. The outcomes stand here as well, so
//! that a rewritten golden file cannot hide a changed verdict.

mod forms;
mod hostile;
pub mod player;
mod running;
mod steering;

use player::{Player, request, rows};
use std::fmt::Write;
use std::path::Path;
use wtt_connect::agent::outcome::AgentOutcome;

fn word(outcome: &AgentOutcome) -> String {
    match outcome {
        AgentOutcome::Done(_) => "done".to_owned(),
        AgentOutcome::Cancelled { .. } => "cancelled".to_owned(),
        AgentOutcome::Failed { reason, .. } => reason.word().to_owned(),
    }
}

/// Plays all turns of a recording in one process. Returns the outcomes and the golden text.
fn play(case: &str) -> (String, String) {
    let opening = rows(case)
        .into_iter()
        .find(|(ours, m)| *ours && (m["method"] == "session/load" || m["method"] == "session/resume"));
    let fresh = rows(case).into_iter().any(|(ours, m)| ours && m["method"] == "session/new");
    let mut request = request();
    request.resume =
        opening.filter(|_| !fresh).map(|(_, m)| m["params"]["sessionId"].as_str().unwrap().to_owned());
    let mut player = Player::new(case, &request);
    let mut outcomes = Vec::new();
    let mut golden = String::new();
    loop {
        while player.skip_odd() {}
        if !outcomes.is_empty() && !player.has_more() {
            break;
        }
        let before = player.events.len();
        let wrote = player.wrote.len();
        let outcome = player.turn(&request, outcomes.is_empty());
        for message in &player.wrote[wrote..] {
            let what = message["method"].as_str().map_or_else(|| message.to_string(), str::to_owned);
            writeln!(golden, "-> {what}").unwrap();
        }
        for event in &player.events[before..] {
            writeln!(golden, "{event}").unwrap();
        }
        writeln!(golden, "{outcome:?}\n").unwrap();
        outcomes.push(word(&outcome));
        let opened = player.wrote.iter().any(|m| m["method"] == "session/prompt");
        if !opened {
            break;
        }
        request.resume = player.session.clone();
        request.prompt = "prompt".to_owned();
    }
    (outcomes.join(" "), golden)
}

#[test]
fn recorded_conversations() {
    let expected = "
        claude-full: done done done done done done done done cancelled cancelled cancelled done poisoned_session auth_rejected done done
        claude-no-login: not_logged_in
        claude-resume: done killed
        codex-full: done done done done done done done done cancelled cancelled done done poisoned_session auth_rejected done done
        codex-no-login: not_logged_in
        codex-permission: done refused_by_policy cancelled cancelled done
        codex-resume: done
        codex-zed-full: done done done done done done done done cancelled done done done poisoned_session auth_rejected done
        gemini-full: done done done done done done done done cancelled cancelled cancelled done poisoned_session auth_rejected done done
        gemini-load-2: stale_session
        gemini-load-after-75s: done
        gemini-no-login: not_logged_in
        kimi-cli-cancel: cancelled done cancelled
        kimi-cli-error: no_output
        kimi-cli-load: done
        kimi-cli-nologin: not_logged_in
        kimi-cli-perm-reject: refused_by_policy
        kimi-cli-text-tool: done done done
        kimi-code-cancel: cancelled done cancelled
        kimi-code-error: auth_rejected no_output
        kimi-code-image: done
        kimi-code-load: done
        kimi-code-nologin: not_logged_in
        kimi-code-perm-reject: done
        kimi-code-text-tool: done done done
        opencode-cancel: cancelled done cancelled
        opencode-error: auth_rejected
        opencode-image: done
        opencode-load: done
        opencode-perm-allow: done
        opencode-perm-reject: refused_by_policy refused_by_policy
        opencode-resume: done
        opencode-text-tool: done done done
        qoder-nologin: not_logged_in
    ";
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acp");
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    names.sort();
    let mut verdicts = Vec::new();
    let mut wrong = Vec::new();
    for case in names {
        let (outcomes, golden) = play(&case);
        let file = dir.join(format!("{case}.events"));
        if update {
            std::fs::write(&file, &golden).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != golden {
            wrong.push(format!("--- {case}\n{golden}"));
        }
        verdicts.push(format!("{case}: {outcomes}"));
    }
    let want: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(verdicts, want);
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 rewrites; differing:\n{}", wrong.join("\n"));
}
