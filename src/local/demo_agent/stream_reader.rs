//! What comes in on stdin in the two-way form (`--input-format stream-json`): messages, stops, answers to questions.

use crate::json;
use crate::sys::thread;
use crossbeam_channel::{Receiver, unbounded};
use serde_json::Value;
use std::io::{self, BufRead, BufReader};

/// A line of the connector.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// A message of the user, as it came.
    Said(Value),
    /// The answer to the open question; a refusal has words.
    Answer(Result<(), String>),
    /// The turn is to end.
    Interrupt,
}

/// Reads stdin until it is closed.
pub fn listen() -> io::Result<Receiver<Heard>> {
    let (to, heard) = unbounded();
    thread::spawn_small("stdin", move || {
        for line in BufReader::new(io::stdin()).lines() {
            let Ok(line) = line else { return };
            if read(&line).is_some_and(|heard| to.send(heard).is_err()) {
                return;
            }
        }
    })?;
    Ok(heard)
}

fn read(line: &str) -> Option<Heard> {
    let value = json::parse::<Value>(line).ok()?;
    let decision = &value["response"]["response"];
    match value["type"].as_str()? {
        "user" => Some(Heard::Said(value)),
        "control_request" => Some(Heard::Interrupt),
        "control_response" if decision["behavior"] == "allow" => Some(Heard::Answer(Ok(()))),
        "control_response" if decision["interrupt"] == true => Some(Heard::Interrupt),
        "control_response" => {
            Some(Heard::Answer(Err(decision["message"].as_str().unwrap_or_default().to_owned())))
        }
        _ => None,
    }
}

/// The words of a message; pictures are passed over.
pub fn words(message: &Value) -> String {
    let mut out = String::new();
    for block in message["message"]["content"].as_array().map(Vec::as_slice).unwrap_or_default() {
        out.push_str(block["text"].as_str().unwrap_or_default());
    }
    out
}
