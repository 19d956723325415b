//! The demonstration agent as a child process: it must behave like the CLI whose protocol it speaks.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const LIKE_THE_ADAPTER: &[&str] =
    &["-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"];

fn start(folder: &Path, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wtt-connect"))
        .arg("demo-agent")
        .args(args)
        .arg("--memory")
        .arg(folder.join("memory"))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn spawn(folder: &Path, args: &[&str], prompt: &str) -> Child {
    let mut child = start(folder, args);
    // an agent that refuses its command line may end before it reads anything
    let _ = child.stdin.take().unwrap().write_all(prompt.as_bytes());
    child
}

fn run(folder: &Path, args: &[&str], prompt: &str) -> Output {
    spawn(folder, args, prompt).wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Runs one turn in stream-json. Returns exit code and lines.
fn turn(folder: &Path, more: &[&str], prompt: &str) -> (i32, Vec<Value>) {
    let args: Vec<&str> = LIKE_THE_ADAPTER.iter().chain(more).copied().collect();
    let output = run(folder, &args, prompt);
    (output.status.code().unwrap(), lines(&output))
}

#[test]
fn a_turn_has_init_pieces_answer_and_result() {
    let dir = tempfile::tempdir().unwrap();
    let id = "11111111-2222-4333-8444-555555555555";
    let (code, lines) = turn(dir.path(), &["--session-id", id, "--model", "tiny"], "hello");
    assert_eq!(code, 0);
    assert_eq!((&lines[0]["subtype"], &lines[0]["model"]), (&"init".into(), &"tiny".into()));
    assert!(lines.iter().all(|l| l["session_id"] == id));
    let pieces = lines.iter().filter(|l| l["event"]["delta"]["type"] == "text_delta");
    let streamed: String = pieces.map(|l| l["event"]["delta"]["text"].as_str().unwrap()).collect();
    let spoken = lines.iter().find(|l| l["type"] == "assistant").unwrap();
    let result = lines.last().unwrap();
    assert_eq!(result["result"], streamed.as_str());
    assert_eq!(spoken["message"]["content"][0]["text"], streamed.as_str());
    assert!(streamed.contains("demonstration agent"), "{streamed}");
    assert_eq!((&result["type"], &result["subtype"]), (&"result".into(), &"success".into()));
    assert!(result["usage"]["output_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn a_session_is_resumed_and_an_unknown_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (_, first) = turn(dir.path(), &[], "remember the magic word is rhubarb");
    let id = first[0]["session_id"].as_str().unwrap();
    let (code, second) = turn(dir.path(), &["--resume", id], "what did I say");
    assert_eq!(code, 0);
    assert!(second.last().unwrap()["result"].as_str().unwrap().contains("rhubarb"));

    let unknown = "00000000-0000-4000-8000-000000000000";
    let output = run(dir.path(), &[LIKE_THE_ADAPTER, &["--resume", unknown]].concat(), "hello");
    let said = format!("No conversation found with session ID: {unknown}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr.clone()).unwrap().trim(), said);
    assert_eq!(lines(&output)[0]["errors"][0], said);
    let output = run(dir.path(), &[LIKE_THE_ADAPTER, &["--session-id", id]].concat(), "hello");
    assert!(String::from_utf8(output.stderr).unwrap().contains("is already in use"));
}

#[test]
fn a_tool_call_runs_a_real_child() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::File::create(dir.path().join("pear.txt")).unwrap();
    let (_, lines) = turn(dir.path(), &[], "list files");
    let calls = lines.iter().filter(|l| l["message"]["content"][0]["type"] == "tool_use");
    let call = calls.map(|l| &l["message"]["content"][0]).next().unwrap();
    assert_eq!((&call["name"], &call["input"]["command"]), (&"Bash".into(), &"ls -1".into()));
    let result = lines.iter().find(|l| l["type"] == "user").unwrap();
    assert_eq!(result["message"]["content"][0]["tool_use_id"], call["id"]);
    assert!(result["tool_use_result"]["stdout"].as_str().unwrap().contains("pear.txt"));
    assert!(lines.last().unwrap()["result"].as_str().unwrap().contains("pear.txt"));
}

#[test]
fn sigint_ends_a_turn_with_a_result_and_sigterm_at_once() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, code) in [(Signal::INT, 0), (Signal::TERM, 143)] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = spawn(dir.path(), LIKE_THE_ADAPTER, "count to 1000 slowly");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|l| l.unwrap());
        let first = lines.find(|l| l.contains("text_delta")).unwrap();
        assert!(first.contains("1 "), "{first}");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let rest: Vec<Value> = lines.map(|l| serde_json::from_str(&l).unwrap()).collect();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        if code == 0 {
            let last = rest.last().unwrap();
            let ending = (&last["subtype"], &last["terminal_reason"]);
            assert_eq!(ending, (&"error_during_execution".into(), &"aborted_streaming".into()));
            assert!(rest.iter().any(|l| l["aborted"] == true));
        }
    }
}

/// Several turns in one process: the tool waits for the decision; an interrupt ends the turn, but not the process.
#[test]
fn in_two_way_mode_it_requests_permission_and_survives_an_interrupt() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::File::create(dir.path().join("pear.txt")).unwrap();
    let user = |text: &str| {
        let content = serde_json::json!([{ "type": "text", "text": text }]);
        serde_json::json!({ "type": "user", "message": { "role": "user", "content": content } }).to_string()
    };
    let answer = |decision: Value| {
        let response = serde_json::json!({ "subtype": "success", "request_id": "-", "response": decision });
        serde_json::json!({ "type": "control_response", "response": response }).to_string()
    };
    let stop = r#"{"type":"control_request","request_id":"i","request":{"subtype":"interrupt"}}"#.to_owned();
    let input = [
        user("list files"),
        answer(serde_json::json!({ "behavior": "deny", "message": "not today" })),
        user("list files"),
        answer(serde_json::json!({ "behavior": "allow" })),
        user("list files"),
        stop,
        user("what did I say"),
    ];
    let more = ["--input-format=stream-json", "--replay-user-messages", "--permission-mode=default"];
    let mut child = start(dir.path(), &[LIKE_THE_ADAPTER, &more].concat());
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut results = Vec::new();
    for line in input {
        writeln!(stdin, "{line}").unwrap();
        let is_message = line.contains(r#""user""#);
        // up to the permission request, or to the end of the turn
        results.push(loop {
            let line: Value = serde_json::from_str(&out.next().unwrap().unwrap()).unwrap();
            if line["type"] == "result" || (is_message && line["type"] == "control_request") {
                break line;
            }
        });
    }
    assert_eq!(results[0]["request"]["input"]["command"], "ls -1");
    assert!(results[1]["result"].as_str().unwrap().contains("not today"), "{results:?}");
    assert!(results[3]["result"].as_str().unwrap().contains("pear.txt"), "{results:?}");
    assert_eq!(results[5]["terminal_reason"], "aborted_tools");
    assert!(results[6]["result"].as_str().unwrap().contains("list the files"), "{results:?}");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn failing_looks_like_a_failing_provider() {
    let dir = tempfile::tempdir().unwrap();
    let (code, lines) = turn(dir.path(), &[], "fail");
    let result = lines.last().unwrap();
    assert_eq!((code, &result["is_error"], &result["api_error_status"]), (1, &true.into(), &500.into()));
}

#[test]
fn bad_command_lines_get_the_messages_of_the_real_cli() {
    let dir = tempfile::tempdir().unwrap();
    for (args, prompt, words) in [
        (&["-p", "--nonsense"][..], "x", "error: unknown option '--nonsense'"),
        (&["-p", "--output-format", "stream-json"], "x", "requires --verbose"),
        (&["-p"], "", "Input must be provided"),
    ] {
        let output = run(dir.path(), args, prompt);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && complaint.contains(words), "{complaint}");
    }
    let plain = run(dir.path(), &["-p"], "what are you");
    assert!(String::from_utf8(plain.stdout).unwrap().starts_with("# The demonstration agent"));
}
