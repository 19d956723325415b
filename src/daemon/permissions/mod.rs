//! Open permission requests: each is one post in its topic, with a time limit, and is closed visibly, once.
//!
//! What a request looks like and what an answer means is in `session/permissions/prompt.rs`; which ones come here at all is
//! decided in `session/permissions/policy.rs`. People answer in the topic (`/approve`, `/deny`, a button, words), or on this
//! host.

mod left_over;
mod listing;
mod wording;

use crate::agent::permission::{Decision, PermissionKind};
use crate::agent::runner::Control;
use crate::daemon::context::Context;
use crate::daemon::effect::{Effect, Effects};
use crate::daemon::scheduler::Scheduler;
use crate::session::AskedPermission;
use crate::session::chat_command::{self, Command};
use crate::session::messages::{Lang, Msg, kept};
use crate::session::permissions::prompt::{self, QuestionContext};
use crate::session::turn::TurnId;
use crate::store::outbox::ReplyKind;
use crate::store::permissions::OpenPermissionRequest;
use crate::store::state::Record;
use crate::sys::{id, time};
use crate::wire::assumed;
use crate::wire::intake::Job;
use crate::wire::message::{Message, SenderKind};
pub(crate) use left_over::close_left_over;
pub(crate) use listing::last_decisions;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// With a shorter limit the reminder, at half time, would come with the end.
const REMIND_FROM: Duration = Duration::from_secs(2);

/// A request that waits for people.
#[derive(Debug)]
struct PendingPermission {
    /// What people type.
    id: String,
    asked: AskedPermission,
    /// Refused if there is no answer by then.
    until: Instant,
    remind_at: Option<Instant>,
}

/// All open requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct PermissionRequests {
    open: Vec<PendingPermission>,
}

/// A request that was decided.
struct DecidedRequest {
    id: String,
    topic_id: String,
    /// The line that says what became of it, for people.
    text: String,
}

impl PermissionRequests {
    /// When to call [`PermissionRequests::on_timer`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.open.iter().map(|open| open.remind_at.unwrap_or(open.until)).min()
    }

    /// Whether a message answers a request of its topic by its id: then it is for this agent, also in a group where nobody
    /// is mentioned. A button sends no mention.
    pub(crate) fn is_answered_by(&self, message: &Message) -> bool {
        let command = if self.open.is_empty() { None } else { chat_command::parse(message.content.trim()) };
        let Some(Command::Decide { id: Some(id), .. }) = command else { return false };
        self.open.iter().any(|open| open.id == id && open.asked.topic_id == message.topic_id)
    }

    /// The agent of a live turn asks: people are shown it.
    pub(crate) fn on_asked(&mut self, cx: &mut Context, asked: AskedPermission) -> Effects {
        let limit = cx.config().approval;
        let (id, lang) = (self.new_id(cx), cx.language_of(&asked.topic_id));
        let text = prompt::render_question(&QuestionContext {
            lang,
            id: &id,
            who: asked.who,
            ask: &asked.ask,
            rule: &asked.rule,
            always: asked.grant.is_some() && asked.ask.kind != PermissionKind::Plan,
            limit: &wording::span(lang, limit),
        });
        log::info!(target: "asks", "{id}: {} asks about {} in {}: {}", asked.who, asked.ask.tool, asked.scope, asked.rule);
        let ask = OpenPermissionRequest {
            topic_id: asked.topic_id.clone(),
            title: asked.ask.title.clone(),
            in_chinese: lang == Lang::Zh,
            ..OpenPermissionRequest::default()
        };
        cx.store.record(Record::PermissionRequested { id: id.clone(), request: ask });
        cx.commit_now = true;
        let post = post(cx, &id, &asked.topic_id, &text, ReplyKind::Question);
        let now = Instant::now();
        let remind_at = (limit >= REMIND_FROM).then(|| now + limit / 2);
        self.open.push(PendingPermission { id, asked, until: now + limit, remind_at });
        post.into()
    }

    /// The agent no longer waits for an answer. `ask`: the agent's id of the request.
    pub(crate) fn on_withdrawn(
        &mut self,
        cx: &mut Context,
        scheduler: &Scheduler,
        turn_id: TurnId,
        ask: &str,
    ) -> Effects {
        let is_its = |open: &PendingPermission| open.asked.turn_id == turn_id && open.asked.ask.id == ask;
        let Some(at) = self.open.iter().position(is_its) else { return Effects::none() };
        let turn = scheduler.turn(&self.open[at].asked.scope, turn_id);
        let why = if turn.is_some_and(|turn| turn.is_stopping) {
            "its turn was stopped"
        } else {
            "the agent does not wait for it any more"
        };
        self.close(cx, at, why).into()
    }

    /// A turn is over, and with it all that it asked.
    pub(crate) fn close_those_of(&mut self, cx: &mut Context, turn_id: TurnId) -> Effects {
        let mut effects = Effects::none();
        while let Some(at) = self.open.iter().position(|open| open.asked.turn_id == turn_id) {
            effects.push(self.close(cx, at, "its turn has ended"));
        }
        effects
    }

    /// Closes a request without a decision.
    fn close(&mut self, cx: &mut Context, at: usize, why: &str) -> Effect {
        let open = self.open.remove(at);
        cx.store.record(Record::PermissionRequestClosed { id: open.id.clone() });
        record_decision(cx, &open.id, &open.asked, wording::CLOSED, why);
        let lang = cx.language_of(&open.asked.topic_id);
        let text = wording::closed_text(lang, &open.id, why, &open.asked.ask.title);
        post(cx, &open.id, &open.asked.topic_id, &text, ReplyKind::Notice)
    }

    /// Sends reminders, and refuses the requests whose time is over.
    pub(crate) fn on_timer(&mut self, cx: &mut Context, scheduler: &mut Scheduler, now: Instant) -> Effects {
        let mut effects = Effects::none();
        while let Some(at) = self.open.iter().position(|open| open.until <= now) {
            let by = format!("nobody within {}", wording::span(Lang::En, cx.config().approval));
            let words = match self.open[at].asked.ask.kind {
                PermissionKind::Question => "Nobody has answered. Go on with what seems best to you.",
                _ => "Nobody has allowed it in time.",
            };
            let decided = self.decide(cx, scheduler, at, Decision::Deny(words.to_owned()), &by);
            let text = decided.text.replacen('⛔', "⌛", 1);
            effects.push(post(cx, &decided.id, &decided.topic_id, &text, ReplyKind::Notice));
        }
        for open in self.open.iter_mut().filter(|open| open.remind_at.is_some_and(|at| at <= now)) {
            open.remind_at = None;
            let topic_id = &open.asked.topic_id;
            let lang = cx.language_of(topic_id);
            let left = wording::span(lang, open.until.saturating_duration_since(now));
            let title = prompt::escape_markdown(&open.asked.ask.title);
            let text = Msg::AskReminder.to(lang, &[&open.id, &title, &left]);
            effects.push(post(cx, &open.id, topic_id, &text, ReplyKind::Notice));
        }
        effects
    }

    /// `/approve` and `/deny` in chat. Returns the answer to the command.
    pub(crate) fn decide_in_chat(
        &mut self,
        cx: &mut Context,
        scheduler: &mut Scheduler,
        job: &Job,
        allow: bool,
        id: Option<&str>,
        words: &str,
    ) -> String {
        let lang = cx.language_of(&job.topic_id);
        if !is_person(job) {
            return Msg::AskPeople.to(lang, &[]);
        }
        let at = match self.find(cx, lang, Some(&job.topic_id), id) {
            Ok(at) => at,
            Err(why) => return why,
        };
        match prompt::decision(&self.open[at].asked.ask, allow, words) {
            Err(why) => Msg::AskNot.to(lang, &[&self.open[at].id, &kept(lang, why)]),
            Ok(decision) => self.decide(cx, scheduler, at, decision, &name_of(job)).text,
        }
    }

    /// A plain message, while the agent waits for words: none if it is no answer, else the notice that it was one.
    pub(crate) fn take_answer(
        &mut self,
        cx: &mut Context,
        scheduler: &mut Scheduler,
        job: &Job,
    ) -> Option<String> {
        let words = job.instruction.trim();
        if !is_person(job) || words.is_empty() {
            return None;
        }
        let at = self.open.iter().position(|open| {
            open.asked.scope == job.scope && open.asked.ask.kind == PermissionKind::Question
        })?;
        let answer = prompt::choice(&self.open[at].asked.ask, words);
        Some(self.decide(cx, scheduler, at, Decision::Answer(answer), &name_of(job)).text)
    }

    /// The command line decides a request, or lists what is open. Returns the answer for it.
    pub(crate) fn decide_on_host(
        &mut self,
        cx: &mut Context,
        scheduler: &mut Scheduler,
        allow: bool,
        id: Option<&str>,
        words: &str,
    ) -> (Value, Effects) {
        let Some(id) = id else { return (json!({ "asks": self.open_as_json() }), Effects::none()) };
        let found = self.find(cx, Lang::En, None, Some(id));
        let decision = found.and_then(|at| {
            prompt::decision(&self.open[at].asked.ask, allow, words)
                .map(|decision| (at, decision))
                .map_err(|why| format!("{id} is not answered: {why}"))
        });
        match decision {
            Err(why) => {
                let why = why.trim_start_matches("⚠️ ").trim_end_matches('.');
                (json!({ "error": why }), Effects::none())
            }
            Ok((at, decision)) => {
                let decided = self.decide(cx, scheduler, at, decision, "the host");
                let post = post(cx, &decided.id, &decided.topic_id, &decided.text, ReplyKind::Notice);
                (json!({ "text": decided.text }), post.into())
            }
        }
    }

    /// The request that is meant, by its place; the error is a sentence for people.
    fn find(&self, cx: &Context, lang: Lang, topic: Option<&str>, id: Option<&str>) -> Result<usize, String> {
        let is_here = |open: &PendingPermission| topic.is_none_or(|topic| open.asked.topic_id == topic);
        let mut open = self.open.iter().enumerate().filter(|(_, open)| is_here(open));
        let Some(id) = id else {
            return match (open.next(), open.next()) {
                (Some((at, _)), None) => Ok(at),
                (None, _) => Err(Msg::AskNothing.to(lang, &[])),
                _ => Err(Msg::AskSeveral.to(lang, &[])),
            };
        };
        open.find(|(_, open)| open.id == id).map(|(at, _)| at).ok_or_else(|| {
            let decisions = cx.store.state().permissions.decisions.iter().rev();
            let is_it = |row: &&Value| row["id"] == id && topic.is_none_or(|topic| row["topic"] == topic);
            match decisions.into_iter().find(is_it) {
                Some(row) => Msg::AskDone.to(lang, &[id, &wording::decision_line(lang, row)]),
                None => Msg::AskUnknown.to(lang, &[&prompt::escape_markdown(id)]),
            }
        })
    }

    /// Records a decision and hands it to the agent.
    fn decide(
        &mut self,
        cx: &mut Context,
        scheduler: &mut Scheduler,
        at: usize,
        decision: Decision,
        by: &str,
    ) -> DecidedRequest {
        let PendingPermission { id, asked, .. } = self.open.remove(at);
        cx.store.record(Record::PermissionRequestClosed { id: id.clone() });
        if decision == Decision::AllowSession
            && let Some(grant) = &asked.grant
        {
            cx.store
                .record(Record::PermissionGranted { scope: asked.scope.to_string(), grant: grant.clone() });
        }
        cx.commit_now = true;
        let lang = cx.language_of(&asked.topic_id);
        let mut text = prompt::decision_record(lang, &id, &decision, by, &asked.ask.title);
        record_decision(cx, &id, &asked, prompt::word(&decision), by);
        let has_reached_agent = match decision {
            Decision::DenyAndStop => scheduler.stop(&asked.scope),
            decision => {
                let answer = Control::Answer { id: asked.ask.id.clone(), decision };
                scheduler.control(&asked.scope, asked.turn_id, answer)
            }
        };
        if !has_reached_agent {
            text.push_str(&Msg::AskLate.to(lang, &[]));
        }
        DecidedRequest { id, topic_id: asked.topic_id, text }
    }

    /// An id that neither an open request nor a remembered decision has.
    fn new_id(&self, cx: &Context) -> String {
        let decisions = &cx.store.state().permissions.decisions;
        loop {
            let id = id::short_code();
            let is_used =
                self.open.iter().any(|open| open.id == id) || decisions.iter().any(|row| row["id"] == id);
            if !is_used {
                return id;
            }
        }
    }
}

/// A rule has decided a request; it was never open.
pub(crate) fn on_decided_by_rule(cx: &mut Context, asked: &AskedPermission, decision: &Decision) {
    record_decision(cx, "", asked, prompt::word(decision), &asked.rule);
}

/// Notes a decision in the log and in the list that `status` shows. `id` is empty for that of a rule.
fn record_decision(cx: &mut Context, id: &str, asked: &AskedPermission, decision: &str, by: &str) {
    let AskedPermission { who, ask, scope, topic_id, .. } = asked;
    log::info!(target: "asks", "{} {} in {scope}: {decision} by {by}", who, ask.tool);
    let row = json!({
        "at": time::rfc3339(time::now_ms()), "id": (!id.is_empty()).then_some(id), "topic": topic_id, "agent": who,
        "tool": ask.tool, "about": ask.title, "decision": decision, "by": by,
    });
    cx.store.record(Record::PermissionDecided { decision: row });
}

/// A post about a request.
fn post(cx: &Context, id: &str, topic_id: &str, text: &str, kind: ReplyKind) -> Effect {
    Effect::Post(Box::new(wording::entry(&cx.shared.outbox, id, topic_id, text, kind)))
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
