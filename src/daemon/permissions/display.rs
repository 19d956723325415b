//! What is shown of questions and decisions: in `/status`, to the command line, when one is closed, after a restart.

use super::{OpenRequest, entry};
use crate::daemon::hub::Hub;
use crate::session::messages::{Lang, Say, kept};
use crate::session::permissions::prompt;
use crate::store::Store;
use crate::store::outbox::{Entry, Outbox, ReplyKind};
use crate::store::permits::OpenAsk;
use crate::store::state::Record;
use crate::wire::intake::Job;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What stands for a decision when there was none.
pub(crate) const CLOSED: &str = "closed";
/// Decisions that `/status` shows.
const SHOWN_IN_CHAT: usize = 3;
/// Decisions that `status --json` shows.
const SHOWN: usize = 50;

impl Hub {
    /// What is open, for the command line.
    pub(crate) fn asks_open(&self) -> Vec<Value> {
        let mut out = Vec::new();
        let now = Instant::now();
        out.extend(self.asks.open.iter().map(|OpenRequest { id, asked, until, .. }| {
            json!({
                "id": id, "topic": asked.topic_id, "agent": asked.who, "tool": asked.ask.tool, "about": asked.ask.title,
                "rule": asked.rule, "seconds": until.saturating_duration_since(now).as_secs(),
            })
        }));
        out
    }

    /// The last decisions, the newest first.
    pub(crate) fn decisions(&self) -> Vec<Value> {
        let mut out = Vec::new();
        out.extend(self.store.state().permits.decisions.iter().rev().take(SHOWN).cloned());
        out
    }

    /// For `/status` in a topic.
    pub(crate) fn asks_lines(&self, job: &Job, lang: Lang, lines: &mut Vec<String>) {
        let topic = job.topic_id.as_str();
        for open in self.asks.open.iter().filter(|open| open.asked.topic_id == topic) {
            let title = prompt::escape_markdown(&open.asked.ask.title);
            lines.push(Say::AskOpenRow.to(lang, &[&open.id, &title]));
        }
        let here = self.store.state().permits.decisions.iter().rev().filter(|row| row["topic"] == topic);
        lines.extend(here.take(SHOWN_IN_CHAT).map(|row| Say::AskDecidedRow.to(lang, &[&told(lang, row)])));
        if let Some(grants) = self.store.state().permits.grants.get(&job.scope.to_string()) {
            lines.push(Say::AskGrantsRow.to(lang, &[&grants.len().to_string()]));
        }
    }
}

/// A decision in one line.
pub(crate) fn told(lang: Lang, row: &Value) -> String {
    let word = |name: &str| prompt::escape_markdown(&kept(lang, row[name].as_str().unwrap_or_default()));
    let plain = |name: &str| prompt::escape_markdown(row[name].as_str().unwrap_or_default());
    // nobody has decided about it
    if row["decision"] == CLOSED {
        return Say::AskGone.to(lang, &[&plain("about"), &plain("tool"), &word("by")]);
    }
    Say::AskTold.to(lang, &[&plain("about"), &plain("tool"), &word("decision"), &word("by")])
}

pub(crate) fn closed(lang: Lang, id: &str, why: &str, title: &str) -> String {
    let title = prompt::escape_markdown(title);
    let about = if title.is_empty() { title } else { Say::AskClosedAbout.to(lang, &[&title]) };
    Say::AskClosed.to(lang, &[id, &kept(lang, why)]) + &about
}

/// A span of time.
pub(crate) fn words(lang: Lang, span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds >= 120 {
        Say::Minutes.to(lang, &[&seconds.div_ceil(60).to_string()])
    } else {
        Say::Seconds.to(lang, &[&seconds.to_string()])
    }
}

/// Questions that were open when the last run ended: nobody waits for them any more, and that is said.
pub(crate) fn close_left_over(
    store: &mut Store,
    outbox: &Outbox,
    left: &mut Vec<Entry>,
) -> std::io::Result<()> {
    let mut open: Vec<(String, OpenAsk)> = Vec::new();
    open.extend(store.state().permits.asks.iter().map(|(id, ask)| (id.clone(), ask.clone())));
    // the post reaches the disk before the mark that it is open
    for post in left.iter().filter(|entry| entry.kind == ReplyKind::Question) {
        let id = post.key.strip_prefix("ask:").unwrap_or(&post.key);
        if !open.iter().any(|(known, _)| known == id) {
            open.push((
                id.to_owned(),
                OpenAsk {
                    topic_id: post.topic_id.clone(),
                    title: String::new(),
                    zh: false,
                    ..OpenAsk::default()
                },
            ));
        }
    }
    for (id, ask) in open {
        let lang = Lang::stored(ask.zh);
        let text = closed(lang, &id, "the connector was restarted; nothing was allowed", &ask.title);
        let entry = entry(outbox, &id, &ask.topic_id, &text, ReplyKind::Notice);
        outbox.put(&entry)?;
        left.push(entry);
        store.record(Record::Closed { key: id });
    }
    store.commit()
}
