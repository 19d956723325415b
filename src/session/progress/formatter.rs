//! The only translator between an agent's events and what the service shows: status lines and the final text. Pure.

use crate::agent::outcome::{AgentOutcome, Reason, TurnReport};
use crate::agent::{AgentEvent, ToolKind};
use crate::session::failure_text;
use crate::session::messages::{Lang, Msg};
use crate::session::turn::TurnEnd;
use crate::store::outbox::ReplyKind;
use crate::sys::time;
use crate::text;
use crate::wire::outgoing::StatusKind;
use std::time::Duration;

/// How much of the latest text a status shows; the web cuts `response:` details at 90 characters anyway.
const RESPONSE_CHARS: usize = 120;
/// How much of an unfinished answer is repeated in a failure or stop notice: enough to go on from.
const PARTIAL_CHARS: usize = 8_000;
/// Refused tools named below an answer; more would drown it.
const MAX_DENIALS_LISTED: usize = 5;
/// A limit that resets later than this is a failure: nobody waits for an answer so long.
const MAX_DEFERRAL: Duration = Duration::from_secs(8 * 24 * 3600);
/// After the reset: the provider's clock is not ours.
const DEFERRAL_MARGIN: Duration = Duration::from_secs(5);
/// Length of a remark.
const MAX_FOOTNOTE_CHARS: usize = 200;

/// Turns events into status lines; remembers the running text.
#[derive(Debug, Default)]
pub struct ProgressFormatter {
    response_text: String,
}

impl ProgressFormatter {
    /// The status that an event leads to, if any.
    pub fn status(&mut self, event: &AgentEvent, title: &str, lang: Lang) -> Option<(StatusKind, String)> {
        match event {
            AgentEvent::Session(_) => None,
            AgentEvent::Started => Some((StatusKind::Session, Msg::Started.to(lang, &[title]))),
            AgentEvent::Text(piece) => {
                self.response_text.push_str(piece);
                let line = text::one_line(&self.response_text);
                let tail = tail(&line, RESPONSE_CHARS);
                if self.response_text.len() > 16 * RESPONSE_CHARS {
                    self.response_text = tail.clone();
                }
                (!tail.is_empty()).then_some((StatusKind::Response, tail))
            }
            AgentEvent::Thought(_) => Some((StatusKind::Running, Msg::Thinks.to(lang, &[]))),
            AgentEvent::Tool { kind, title, .. } => {
                self.response_text.clear();
                let kind = match kind {
                    ToolKind::Command => StatusKind::Command,
                    ToolKind::WebSearch => StatusKind::WebSearch,
                    ToolKind::Tool => StatusKind::Tool,
                };
                Some((kind, text::one_line(title)))
            }
            AgentEvent::ToolEnd { .. } => None,
            AgentEvent::Retry(why) => {
                Some((StatusKind::Running, Msg::Retries.to(lang, &[&text::one_line(why)])))
            }
            AgentEvent::Waiting => Some((StatusKind::Queued, Msg::WaitsToLoad.to(lang, &[title]))),
            AgentEvent::FreshSession(why) => {
                Some((StatusKind::Session, Msg::StartsFresh.to(lang, &[&text::one_line(why)])))
            }
            AgentEvent::Denied(what) => {
                Some((StatusKind::Tool, Msg::NotAllowed.to(lang, &[&text::one_line(what)])))
            }
            AgentEvent::Note(_) => None,
        }
    }
}

fn tail(line: &str, max: usize) -> String {
    let count = line.chars().count();
    if count <= max {
        return line.to_owned();
    }
    let tail: String = line.chars().skip(count - max).collect();
    format!("…{}", tail.trim_start())
}

/// What the user must be told besides the answer.
#[derive(Debug, Default)]
pub struct Footnotes {
    fresh: Option<String>,
    denied: Vec<String>,
}

impl Footnotes {
    /// Picks up what matters.
    pub fn note(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::FreshSession(why) => self.fresh = Some(text::one_line(why)),
            AgentEvent::Denied(what) if self.denied.len() < MAX_DENIALS_LISTED => {
                self.denied.push(text::one_line(what))
            }
            _ => {}
        }
    }

    fn lines(&self, lang: Lang) -> String {
        let mut out = String::new();
        let rows = self.fresh.iter().map(|why| (Msg::WasFresh, why));
        for (say, what) in rows.chain(self.denied.iter().map(|what| (Msg::WasDenied, what))) {
            out.push_str("\n\n");
            out.push_str(&say.to(lang, &[&text::truncate(what, MAX_FOOTNOTE_CHARS)]));
        }
        out
    }
}

/// The visible end of a turn.
#[derive(Debug)]
pub struct FinalText {
    /// What people read.
    pub text: String,
    /// How the reply is marked.
    pub kind: ReplyKind,
    /// How the turn ended.
    pub end: TurnEnd,
}

/// Renders the end of a turn. `now_ms` is in milliseconds since the epoch.
pub fn final_text(
    report: &TurnReport,
    title: &str,
    footnotes: &Footnotes,
    lang: Lang,
    shutdown: bool,
    now_ms: i64,
) -> FinalText {
    let (head, kind, end) = match &report.outcome {
        AgentOutcome::Done(answer) => (answer.trim_end().to_owned(), ReplyKind::Done, TurnEnd::Done),
        AgentOutcome::Failed { reason: Reason::UsageLimit(Some(reset)), .. } if *reset <= MAX_DEFERRAL => {
            let until = now_ms + i64::try_from((*reset + DEFERRAL_MARGIN).as_millis()).unwrap_or(0);
            (deferred_text(lang, title, until, *reset), ReplyKind::Parked, TurnEnd::Parked { until })
        }
        AgentOutcome::Failed { reason, detail, .. } => (
            format!("⚠️ {}", failure_text::sentence(reason, lang, title, detail)),
            ReplyKind::Failed,
            TurnEnd::Failed(reason.clone()),
        ),
        AgentOutcome::Cancelled { .. } if shutdown => {
            (interrupted(lang, true), ReplyKind::Interrupted, TurnEnd::Interrupted { started: true })
        }
        AgentOutcome::Cancelled { .. } => {
            (Msg::Stopped.to(lang, &[title]), ReplyKind::Cancelled, TurnEnd::Cancelled)
        }
    };
    let mut text = match &report.outcome {
        AgentOutcome::Done(_) => head,
        AgentOutcome::Failed { partial, .. } | AgentOutcome::Cancelled { partial } => {
            with_partial(lang, head, partial)
        }
    };
    text.push_str(&footnotes.lines(lang));
    FinalText { text, kind, end }
}

fn deferred_text(lang: Lang, title: &str, until: i64, reset: Duration) -> String {
    let minutes = humantime::format_duration(Duration::from_secs(reset.as_secs().div_ceil(60) * 60));
    Msg::Parked.to(lang, &[title, &time::rfc3339(until), &minutes.to_string()])
}

/// What the user reads when a restart or crash cut the turn. Nothing is run again by itself.
pub fn interrupted(lang: Lang, started: bool) -> String {
    if started { Msg::Interrupted } else { Msg::NotBegun }.to(lang, &[])
}

fn with_partial(lang: Lang, head: String, partial: &str) -> String {
    let partial = partial.trim();
    if partial.is_empty() {
        return head;
    }
    Msg::UntilThen.to(lang, &[&head, &text::truncate(partial, PARTIAL_CHARS)])
}
