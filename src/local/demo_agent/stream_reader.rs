//! Reads stdin in the two-way form (`--input-format stream-json`): messages, interrupts, answers to permission requests.

use crate::json;
use crate::sys::thread;
use crossbeam_channel::{Receiver, unbounded};
use serde_json::Value;
use std::io::{self, BufRead, BufReader};

/// A line that the connector has written.
#[derive(Debug, PartialEq)]
pub enum InputLine {
    /// A message of the user: the whole line.
    Message(Value),
    /// The answer to the open permission request; a denial has a reason.
    Decision(Result<(), String>),
    /// The turn is to be stopped.
    Interrupt,
}

/// Reads stdin on a thread of its own until it is closed.
pub fn read_stdin() -> io::Result<Receiver<InputLine>> {
    let (sender, lines) = unbounded();
    thread::spawn_small("stdin", move || {
        for line in BufReader::new(io::stdin()).lines() {
            let Ok(line) = line else { return };
            if parse_line(&line).is_some_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    })?;
    Ok(lines)
}

fn parse_line(line: &str) -> Option<InputLine> {
    let value = json::parse::<Value>(line).ok()?;
    let decision = &value["response"]["response"];
    match value["type"].as_str()? {
        "user" => Some(InputLine::Message(value)),
        "control_request" => Some(InputLine::Interrupt),
        "control_response" if decision["behavior"] == "allow" => Some(InputLine::Decision(Ok(()))),
        "control_response" if decision["interrupt"] == true => Some(InputLine::Interrupt),
        "control_response" => {
            Some(InputLine::Decision(Err(decision["message"].as_str().unwrap_or_default().to_owned())))
        }
        _ => None,
    }
}

/// The text of a message, without its pictures.
pub fn message_text(message: &Value) -> String {
    let mut out = String::new();
    for block in message["message"]["content"].as_array().map(Vec::as_slice).unwrap_or_default() {
        out.push_str(block["text"].as_str().unwrap_or_default());
    }
    out
}
