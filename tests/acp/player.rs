//! Plays a recorded two-way ACP conversation against our dialect: what the agent said then is said again when the dialect
//! sends the request that it was said to.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use wtt_connect::agent::adapters;
use wtt_connect::agent::dialect::{Dialect, DialectEffects};
use wtt_connect::agent::outcome::AgentOutcome;
use wtt_connect::agent::permission::{Decision, PermissionRequest};
use wtt_connect::agent::{AgentEvent, TurnRequest};
use wtt_connect::config::Mode;

/// A row of a recording: whether it is ours, and the message.
type Row = (bool, Value);

pub fn rows(case: &str) -> Vec<Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acp").join(format!("{case}.jsonl"));
    let text = std::fs::read_to_string(file).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["dir"] == "->", row["msg"].clone())
    };
    text.lines().map(row).collect()
}

pub fn request() -> TurnRequest {
    TurnRequest {
        prompt: "prompt".to_owned(),
        workdir: "/home/user/project".into(),
        model: None,
        effort: None,
        mode: Mode::FullAuto,
        resume: None,
        fresh_prompt: None,
        images: Vec::new(),
        transport: None,
        is_slash_command: false,
    }
}

pub fn acp(request: &TurnRequest) -> Box<dyn Dialect> {
    (adapters::find("acp").unwrap().dialect)(request)
}

/// The dialect with everything that came of it.
pub struct Player {
    pub dialect: Box<dyn Dialect>,
    rows: Vec<Row>,
    /// Lines that wait to be heard.
    inbox: VecDeque<Value>,
    /// What the dialect wrote, request by request.
    pub wrote: Vec<Value>,
    pub events: Vec<String>,
    pub session: Option<String>,
    pub outcome: Option<AgentOutcome>,
    /// Index of the first row that has not been said.
    at: usize,
}

impl Player {
    pub fn new(case: &str, request: &TurnRequest) -> Player {
        let mut rows = rows(case);
        // A recording that only loaded shows how loading goes, which comes second where both can be had.
        let recorded = |method: &str| rows.iter().any(|(ours, m)| *ours && m["method"] == method);
        let loads = recorded("session/load") && !recorded("session/resume");
        for (_, message) in &mut rows {
            if let Some(able) =
                message.pointer_mut("/result/agentCapabilities/sessionCapabilities").filter(|_| loads)
            {
                able.as_object_mut().unwrap().remove("resume");
            }
        }
        Player {
            dialect: acp(request),
            rows,
            inbox: VecDeque::new(),
            wrote: Vec::new(),
            events: Vec::new(),
            session: None,
            outcome: None,
            at: 0,
        }
    }

    /// Plays one turn to its end.
    pub fn turn(&mut self, request: &TurnRequest, first: bool) -> AgentOutcome {
        self.outcome = None;
        let mut effects = DialectEffects::default();
        if first {
            self.dialect.start(&mut effects)
        } else {
            self.dialect.next_turn(request, &mut effects)
        }
        self.apply(effects);
        while self.outcome.is_none() {
            let line =
                self.inbox.pop_front().unwrap_or_else(|| panic!("nothing left to say: {:?}", self.wrote));
            if line["method"] == "our cancel" {
                let mut effects = DialectEffects::default();
                assert!(self.dialect.cancel(&mut effects));
                assert_eq!(
                    serde_json::from_str::<Value>(&effects.stdin[0]).unwrap()["method"],
                    "session/cancel"
                );
                self.apply(effects);
                continue;
            }
            let mut effects = DialectEffects::default();
            self.dialect.on_line(&line.to_string(), &mut effects);
            assert!(effects.is_sign_of_life, "{line}");
            self.apply(effects);
        }
        self.outcome.clone().unwrap()
    }

    fn apply(&mut self, effects: DialectEffects) {
        for event in effects.events {
            if let AgentEvent::Session(id) = &event {
                self.session = Some(id.clone());
            }
            let line = format!("{event:?}");
            // pieces of one text are one line here
            let piece = |line: &str| {
                line.strip_prefix("Text(\"").and_then(|l| l.strip_suffix("\")")).map(str::to_owned)
            };
            match (piece(&line), self.events.last_mut().filter(|last| piece(last).is_some())) {
                (Some(new), Some(last)) => last.insert_str(last.len() - 2, &new),
                _ => self.events.push(line),
            }
        }
        if let Some(usage) = effects.usage {
            self.events.push(format!("{usage:?}"));
        }
        for id in effects.withdrawn_requests {
            self.events.push(format!("withdrawn {id}"));
        }
        for text in effects.stdin.into_iter().chain(effects.delayed_stdin) {
            assert!(text.ends_with('\n') && !text.trim_end().contains('\n'), "one message a line: {text}");
            let message: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(message["jsonrpc"], "2.0");
            if message["method"].is_string() && !message["id"].is_null() {
                self.say(&message);
            }
            self.wrote.push(message);
        }
        for ask in effects.permission_requests {
            self.events.push(format!("{ask:?}"));
            self.decide(&ask);
        }
        if let Some(done) = effects.outcome {
            assert!(self.outcome.is_none(), "a turn has one outcome");
            self.outcome = Some(done);
        }
    }

    /// Decides as it was decided then, and compares the answers.
    fn decide(&mut self, ask: &PermissionRequest) {
        let is = |(ours, m): &Row| *ours && format!("{}", m["id"]) == ask.id && m["method"].is_null();
        let Some(place) = self.rows[..self.at].iter().rposition(is) else { return };
        let then = &self.rows[place].1;
        let outcome = then["result"]["outcome"].clone();
        let asked = self.rows.iter().rev().find(|(ours, m)| {
            !*ours && m["method"] == "session/request_permission" && format!("{}", m["id"]) == ask.id
        });
        let options = asked.map(|(_, m)| m["params"]["options"].clone()).unwrap_or_default();
        let chosen = options.as_array().into_iter().flatten().find(|o| o["optionId"] == outcome["optionId"]);
        let decision = match chosen.map_or("", |o| o["kind"].as_str().unwrap()) {
            "allow_once" => Decision::Allow,
            "allow_always" => Decision::AllowSession,
            "reject_once" => Decision::Deny(String::new()),
            // left open then, until the cancel
            _ if self.rows[place - 1].1["method"] == "session/cancel" => return,
            _ => Decision::DenyAndStop,
        };
        let mut effects = DialectEffects::default();
        self.dialect.answer(&ask.id, &decision, &mut effects);
        let answer: Value = serde_json::from_str(&effects.stdin[0]).unwrap();
        if decision == Decision::AllowSession && !ask.can_allow_session {
            assert_eq!(answer["result"]["outcome"]["outcome"], "selected");
        } else {
            assert_eq!(answer["result"]["outcome"], outcome, "{ask:?}");
        }
        self.apply(effects);
    }

    /// Says what was said to the recorded request of that method, and answers ours.
    fn say(&mut self, request: &Value) {
        let method = request["method"].as_str().unwrap();
        let asks =
            |method: &str| self.rows[self.at..].iter().position(|(ours, m)| *ours && m["method"] == method);
        let place = asks(method).filter(|place| {
            !method.starts_with("session/set_") || asks("session/prompt").is_none_or(|prompt| *place < prompt)
        });
        let Some(place) = place.map(|place| place + self.at) else {
            // not part of the recording: settings are accepted, logins are not
            let answer = match method {
                "authenticate" => {
                    json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "no"}})
                }
                _ => json!({"jsonrpc": "2.0", "id": request["id"], "result": {}}),
            };
            return self.inbox.push_back(answer);
        };
        let id = self.rows[place].1["id"].clone();
        self.at = place + 1;
        let mut answered = false;
        while let Some((ours, message)) = self.rows.get(self.at) {
            let is_request = *ours && message["method"].is_string() && !message["id"].is_null();
            if is_request && answered {
                break;
            }
            self.at += 1;
            if *ours {
                if message["method"] == "session/cancel" && !answered {
                    self.inbox.push_back(json!({"method": "our cancel"}));
                }
                continue;
            }
            let mut message = message.clone();
            if message["method"].is_null() {
                if message["id"] != id {
                    continue;
                }
                answered = true;
                message["id"] = request["id"].clone();
            }
            self.inbox.push_back(message);
        }
        if !answered {
            self.inbox.push_back(json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32603, "message": "the recording ends here"}}));
        }
    }

    /// Whether the next recorded prompt is of another session, or another was sent while it ran.
    pub fn skip_odd(&mut self) -> bool {
        let Some(place) =
            self.rows[self.at..].iter().position(|(ours, m)| *ours && m["method"] == "session/prompt")
        else {
            return false;
        };
        let place = place + self.at;
        let message = &self.rows[place].1;
        let session = self.session.clone();
        let foreign = session.is_some_and(|id| message["params"]["sessionId"] != id);
        let answer = self.rows[place..]
            .iter()
            .position(|(ours, m)| !*ours && m["method"].is_null() && m["id"] == message["id"]);
        let next =
            self.rows[place + 1..].iter().position(|(ours, m)| *ours && m["method"] == "session/prompt");
        let overlaps = match (answer, next) {
            (Some(answer), Some(next)) => next + 1 < answer,
            (None, _) => true,
            _ => false,
        };
        if foreign || overlaps {
            self.at = place + 1;
        }
        foreign || overlaps
    }

    pub fn has_more(&self) -> bool {
        self.rows[self.at.min(self.rows.len())..]
            .iter()
            .any(|(ours, m)| *ours && m["method"] == "session/prompt")
    }
}
