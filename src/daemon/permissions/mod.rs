//! The hub's open questions: each is one post in its topic, with a limit of time, and is closed visibly, once.
//!
//! What a question looks like and what an answer means is in `session/permissions/prompt.rs`; which ones come here at all is
//! decided in `session/permissions/policy.rs`. People answer in the topic (`/approve`, `/deny`, a button, words), or on this host.

mod display;

use crate::agent::permission::{Decision, PermissionKind};
use crate::agent::runner::Control;
use crate::daemon::hub::Hub;
use crate::session::chat_command;
use crate::session::chat_command::Command;
use crate::session::messages::{Lang, Say, kept};
use crate::session::permissions::prompt;
use crate::session::permissions::prompt::QuestionContext;
use crate::session::turn::TurnId;
use crate::session::{AskedPermission, Work};
use crate::store::Store;
use crate::store::outbox::{Entry, Outbox, ReplyKind};
use crate::store::permits::OpenAsk;
use crate::store::state::Record;
use crate::sys::{id, time};
use crate::wire::assumed::{self, CHUNK_CHARS};
use crate::wire::intake::{Job, Scope};
use crate::wire::message::{Message, SenderKind};
use crate::wire::outbound_text;
pub(crate) use display::close_left_over;
use display::{closed, told, words};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// With a shorter limit the reminder, at half time, would come with the end.
const REMIND_FROM: Duration = Duration::from_secs(2);

/// Requests to a turn that it may not have taken up yet: its questions may all be answered at once.
pub(crate) const REQUESTS: usize = 64;

/// A question that waits.
#[derive(Debug)]
struct OpenRequest {
    /// What people type.
    id: String,
    asked: AskedPermission,
    until: Instant,
    remind: Option<Instant>,
}

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct PermissionRequests {
    open: Vec<OpenRequest>,
}

impl PermissionRequests {
    /// When to call [`Hub::look_at_asks`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.open.iter().map(|open| open.remind.unwrap_or(open.until)).min()
    }

    /// Whether a message answers a question of its topic by its id: then it is for us, also in a group where nobody
    /// is mentioned. A button sends no mention.
    pub(crate) fn is_meant(&self, message: &Message) -> bool {
        let command = if self.open.is_empty() { None } else { chat_command::parse(message.content.trim()) };
        let Some(Command::Decide { id: Some(id), .. }) = command else { return false };
        self.open.iter().any(|open| open.id == id && open.asked.topic_id == message.topic_id)
    }
}

/// A turn that begins knows what people have allowed for its session.
pub(crate) fn give_grants(work: &mut Work, scope: &Scope, store: &Store) {
    if let Work::Turn(assignment) = work {
        let grants = store.state().permits.grants.get(&scope.to_string());
        assignment.grants = grants.cloned().unwrap_or_default();
    }
}

/// Whether a person wrote this; agents never answer for people.
fn is_person(job: &Job) -> bool {
    match job.sender_kind {
        SenderKind::Human => true,
        SenderKind::Agent | SenderKind::System => false,
        SenderKind::Unknown => !assumed::looks_like_agent_id(&job.sender_id),
    }
}

fn name_of(job: &Job) -> String {
    let name = prompt::escape_markdown(job.sender_name.as_deref().unwrap_or(&job.sender_id));
    if name.is_empty() { "a person".to_owned() } else { name }
}

impl Hub {
    /// An agent asks: people are shown it.
    pub(crate) fn on_asked(&mut self, asked: AskedPermission) {
        if !self.sessions.is_live(asked.turn_id) {
            return;
        }
        let limit = self.shared.config.approval;
        let (id, lang) = (self.new_id(), self.tongues.of(&asked.topic_id));
        let text = prompt::render_question(&QuestionContext {
            lang,
            id: &id,
            who: asked.who,
            ask: &asked.ask,
            rule: &asked.rule,
            always: asked.grant.is_some() && asked.ask.kind != PermissionKind::Plan,
            limit: &words(lang, limit),
        });
        log::info!(target: "asks", "{id}: {} asks about {} in {}: {}", asked.who, asked.ask.tool, asked.scope, asked.rule);
        let ask = OpenAsk {
            topic_id: asked.topic_id.clone(),
            title: asked.ask.title.clone(),
            zh: lang == Lang::Zh,
            ..OpenAsk::default()
        };
        self.store.record(Record::Asked { key: id.clone(), ask });
        self.commit_now = true;
        self.say_about(&id, &asked.topic_id, &text, ReplyKind::Question);
        let now = Instant::now();
        let remind = (limit >= REMIND_FROM).then(|| now + limit / 2);
        self.asks.open.push(OpenRequest { id, asked, until: now + limit, remind });
    }

    /// A rule has decided.
    pub(crate) fn on_decided(&mut self, asked: &AskedPermission, decision: &Decision) {
        self.note_decision("", asked, decision, &asked.rule);
    }

    /// The agent does not want to know any more.
    pub(crate) fn on_withdrawn(&mut self, turn_id: TurnId, ask: &str) {
        let at =
            self.asks.open.iter().position(|open| open.asked.turn_id == turn_id && open.asked.ask.id == ask);
        if let Some(at) = at {
            let scope = &self.asks.open[at].asked.scope;
            let is_stopped = self.sessions.turns(scope).any(|turn| turn.turn_id == turn_id && turn.stopping);
            let why =
                if is_stopped { "its turn was stopped" } else { "the agent does not wait for it any more" };
            self.close(at, why);
        }
    }

    /// The turn is over, and with it all that it asked.
    pub(crate) fn close_asks_of(&mut self, turn_id: TurnId) {
        while let Some(at) = self.asks.open.iter().position(|open| open.asked.turn_id == turn_id) {
            self.close(at, "its turn has ended");
        }
    }

    fn close(&mut self, at: usize, why: &str) {
        let open = self.asks.open.remove(at);
        self.store.record(Record::Closed { key: open.id.clone() });
        self.record_decision(&open.id, &open.asked, display::CLOSED, why);
        let lang = self.tongues.of(&open.asked.topic_id);
        let text = closed(lang, &open.id, why, &open.asked.ask.title);
        self.say_about(&open.id, &open.asked.topic_id, &text, ReplyKind::Notice);
    }

    /// Reminds, and refuses what nobody has answered.
    pub(crate) fn look_at_asks(&mut self, now: Instant) {
        while let Some(at) = self.asks.open.iter().position(|open| open.until <= now) {
            let limit = words(Lang::En, self.shared.config.approval);
            let by = format!("nobody within {limit}");
            let words = match self.asks.open[at].asked.ask.kind {
                PermissionKind::Question => "Nobody has answered. Go on with what seems best to you.",
                _ => "Nobody has allowed it in time.",
            };
            let topic = self.asks.open[at].asked.topic_id.clone();
            let (id, text) = self.decide_ask(at, Decision::Deny(words.to_owned()), &by);
            self.say_about(&id, &topic, &text.replacen('⛔', "⌛", 1), ReplyKind::Notice);
        }
        for at in 0..self.asks.open.len() {
            let open = &mut self.asks.open[at];
            if open.remind.is_some_and(|remind| remind <= now) {
                open.remind = None;
                let (id, topic) = (open.id.clone(), open.asked.topic_id.clone());
                let lang = self.tongues.of(&topic);
                let left = words(lang, open.until.saturating_duration_since(now));
                let title = prompt::escape_markdown(&open.asked.ask.title);
                let text = Say::AskReminder.to(lang, &[&id, &title, &left]);
                self.say_about(&id, &topic, &text, ReplyKind::Notice);
            }
        }
    }

    /// `/approve` and `/deny` in chat.
    pub(crate) fn decide_in_chat(&mut self, job: &Job, allow: bool, id: Option<&str>, words: &str) {
        let lang = self.tongues.of(&job.topic_id);
        let text = match self.find_ask(lang, Some(&job.topic_id), id) {
            _ if !is_person(job) => Say::AskPeople.to(lang, &[]),
            Err(why) => why,
            Ok(at) => match prompt::decision(&self.asks.open[at].asked.ask, allow, words) {
                Err(why) => Say::AskNot.to(lang, &[&self.asks.open[at].id, &kept(lang, why)]),
                Ok(decision) => self.decide_ask(at, decision, &name_of(job)).1,
            },
        };
        self.notice(job, &text, ReplyKind::Notice);
    }

    /// A plain message, while the agent waits for words: whether it was taken as the answer.
    pub(crate) fn is_answer(&mut self, job: &Job) -> bool {
        let words = job.instruction.trim();
        let waits = |open: &OpenRequest| {
            open.asked.scope == job.scope && open.asked.ask.kind == PermissionKind::Question
        };
        let Some(at) = self.asks.open.iter().position(waits).filter(|_| is_person(job) && !words.is_empty())
        else {
            return false;
        };
        let answer = prompt::choice(&self.asks.open[at].asked.ask, words);
        let (_, text) = self.decide_ask(at, Decision::Answer(answer), &name_of(job));
        self.notice(job, &text, ReplyKind::Notice);
        true
    }

    /// The command line: lists what is open, or answers it.
    pub(crate) fn decide_on_host(&mut self, allow: bool, id: Option<&str>, words: &str) -> Value {
        let Some(id) = id else { return json!({ "asks": self.asks_open() }) };
        let found = self.find_ask(Lang::En, None, Some(id));
        let decided = found.and_then(|at| {
            prompt::decision(&self.asks.open[at].asked.ask, allow, words)
                .map(|decision| (at, decision))
                .map_err(|why| format!("{id} is not answered: {why}"))
        });
        match decided {
            Err(why) => json!({ "error": why.trim_start_matches("⚠️ ").trim_end_matches('.') }),
            Ok((at, decision)) => {
                let topic = self.asks.open[at].asked.topic_id.clone();
                let (id, text) = self.decide_ask(at, decision, "the host");
                self.say_about(&id, &topic, &text, ReplyKind::Notice);
                json!({ "text": text })
            }
        }
    }

    /// The question that is meant; the error is a sentence for people.
    fn find_ask(&self, lang: Lang, topic: Option<&str>, id: Option<&str>) -> Result<usize, String> {
        let here = |open: &OpenRequest| topic.is_none_or(|topic| open.asked.topic_id == topic);
        let mut open = self.asks.open.iter().enumerate().filter(|(_, open)| here(open));
        let Some(id) = id else {
            return match (open.next(), open.next()) {
                (Some((at, _)), None) => Ok(at),
                (None, _) => Err(Say::AskNothing.to(lang, &[])),
                _ => Err(Say::AskSeveral.to(lang, &[])),
            };
        };
        open.find(|(_, open)| open.id == id).map(|(at, _)| at).ok_or_else(|| {
            let decisions = self.store.state().permits.decisions.iter().rev();
            let here = |row: &&Value| row["id"] == id && topic.is_none_or(|topic| row["topic"] == topic);
            match decisions.into_iter().find(here) {
                Some(row) => Say::AskDone.to(lang, &[id, &told(lang, row)]),
                None => Say::AskUnknown.to(lang, &[&prompt::escape_markdown(id)]),
            }
        })
    }

    /// Hands the decision over. The id, and the line that says what became of it.
    fn decide_ask(&mut self, at: usize, decision: Decision, by: &str) -> (String, String) {
        let OpenRequest { id, asked, .. } = self.asks.open.remove(at);
        self.store.record(Record::Closed { key: id.clone() });
        if decision == Decision::AllowSession
            && let Some(grant) = &asked.grant
        {
            self.store.record(Record::Grant { key: asked.scope.to_string(), grant: grant.clone() });
        }
        self.commit_now = true;
        let lang = self.tongues.of(&asked.topic_id);
        let mut text = prompt::decision_record(lang, &id, &decision, by, &asked.ask.title);
        self.note_decision(&id, &asked, &decision, by);
        let heard = match decision {
            Decision::DenyAndStop => self.sessions.stop(&asked.scope),
            decision => {
                let answer = Control::Answer { id: asked.ask.id.clone(), decision };
                let turn = self.sessions.turns(&asked.scope).find(|turn| turn.turn_id == asked.turn_id);
                turn.is_some_and(|turn| turn.control.try_send(answer).is_ok())
            }
        };
        if !heard {
            text.push_str(&Say::AskLate.to(lang, &[]));
        }
        (id, text)
    }

    fn note_decision(&mut self, id: &str, asked: &AskedPermission, decision: &Decision, by: &str) {
        self.record_decision(id, asked, prompt::word(decision), by);
    }

    /// Into the log and the list that `status` shows.
    fn record_decision(&mut self, id: &str, asked: &AskedPermission, decision: &str, by: &str) {
        let AskedPermission { who, ask, scope, topic_id, .. } = asked;
        log::info!(target: "asks", "{} {} in {scope}: {decision} by {by}", who, ask.tool);
        let row = json!({
            "at": time::rfc3339(time::now_ms()), "id": (!id.is_empty()).then_some(id), "topic": topic_id, "agent": who,
            "tool": ask.tool, "about": ask.title, "decision": decision, "by": by,
        });
        self.store.record(Record::Decided { decision: row });
    }

    /// A post that is no reply.
    fn say_about(&mut self, id: &str, topic: &str, text: &str, kind: ReplyKind) {
        let entry = entry(&self.shared.outbox, id, topic, text, kind);
        self.shared.outbox.keep(&entry);
        self.delivery.add(entry, false);
    }

    fn new_id(&self) -> String {
        let decisions = &self.store.state().permits.decisions;
        loop {
            let id = id::short_code();
            let is_used = self.asks.open.iter().any(|open| open.id == id)
                || decisions.iter().any(|row| row["id"] == id);
            if !is_used {
                return id;
            }
        }
    }
}

/// Its key is that of the question, so that it is never taken for the answer to a message.
fn entry(outbox: &Outbox, id: &str, topic: &str, text: &str, kind: ReplyKind) -> Entry {
    outbox.entry(&format!("ask:{id}"), topic, None, outbound_text::chunk(text, CHUNK_CHARS), kind)
}
