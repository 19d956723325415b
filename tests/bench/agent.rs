//! The measuring agent: speaks just enough of Claude's one-shot stream-json, and stamps what it says.

use std::io::{Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Before the stamped line, so that the status throttle of the connector (700 ms after "session started", which itself
/// came within 700 ms of "starting") does not hold it back.
pub(crate) const PAUSE: Duration = Duration::from_millis(1600);

/// The clock that both processes share.
pub(crate) fn wall_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

pub(crate) fn run() {
    let spawned = wall_ns();
    let id = std::env::args()
        .find_map(|a| Some(a.strip_prefix("--session-id=").or(a.strip_prefix("--resume="))?.to_owned()))
        .unwrap_or_else(|| "00000000-0000-4000-8000-000000000000".to_owned());
    let mut prompt = String::new();
    let _ = std::io::stdin().read_to_string(&mut prompt);
    say(&format!(r#"{{"type":"system","subtype":"init","session_id":"{id}","model":"bench"}}"#));
    if !std::env::args().any(|a| a == "at-once") {
        std::thread::sleep(PAUSE);
    }
    let tool = format!(
        r#"{{"type":"tool_use","id":"t1","name":"Bash","input":{{"command":"line={} x"}}}}"#,
        wall_ns()
    );
    say(&format!(
        r#"{{"type":"assistant","message":{{"id":"m1","role":"assistant","content":[{tool}]}},"session_id":"{id}"}}"#
    ));
    say(&format!(
        r#"{{"type":"result","subtype":"success","is_error":false,"result":"spawned={spawned} done","session_id":"{id}","usage":{{"input_tokens":1,"output_tokens":1}}}}"#
    ));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
