//! Files that do not come with the message that speaks of them: a push without its files is looked up once in the topic's
//! history, and in a group the picture that somebody posted just before belongs to what that person asks then.

use super::Inbound;
use super::decrypt::decrypted;
use crate::daemon::context::Context;
use crate::daemon::effect::{Effects, IntakeStep};
use crate::daemon::outbound::requests::Purpose;
use crate::wire::assumed::HISTORY_LIMIT;
use crate::wire::attachment;
use crate::wire::attachment::Media;
use crate::wire::intake::{self, Job, Verdict};
use crate::wire::message::{Message, SenderKind, TopicKind};
use crate::wire::outgoing;
use crate::wire::topic::Topic;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Who asks about a picture asks soon.
const SOON: Duration = Duration::from_secs(600);
/// The same for times of messages, in milliseconds.
pub(super) const SOON_MS: i64 = 600_000;
/// Posts with files that are remembered, in all topics.
const POSTS: usize = 64;
/// Messages that wait for one that is looked up; what is beyond goes on at once.
const WAITING: usize = 100;

/// A post in a group that was not for this agent, and has files.
#[derive(Debug)]
struct RememberedPost {
    topic_id: String,
    sender_id: String,
    id: Option<String>,
    media: Vec<Media>,
    at: Instant,
    /// By the clock of the service, milliseconds since the epoch.
    sent_at: Option<i64>,
    /// A question has had its files. It is kept because a history shows it once more.
    is_used: bool,
}

/// A topic in which a message is looked up, with what came there meanwhile.
#[derive(Debug)]
struct AttachmentLookup {
    number: u64,
    messages: Vec<Message>,
}

/// What the hub remembers for this.
#[derive(Debug, Default)]
pub(super) struct LateAttachments {
    posts: Vec<RememberedPost>,
    look_ups: Vec<AttachmentLookup>,
    last_number: u64,
    /// The service does not answer such questions; asked again after the next connection.
    is_unanswered: bool,
}

impl LateAttachments {
    /// Remembers a post that is not for this agent; `had`: a question has had its files already.
    pub(super) fn remember(&mut self, message: &Message, is_used: bool) {
        let group = matches!(
            message.topic_kind,
            TopicKind::Discussion | TopicKind::Collaborative | TopicKind::Unknown
        );
        let known = message.id.is_some() && self.posts.iter().any(|post| post.id == message.id);
        if !group || known || message.media.is_empty() {
            return;
        }
        self.posts.retain(|post| post.at.elapsed() < SOON);
        if self.posts.len() >= POSTS {
            self.posts.remove(0);
        }
        self.posts.push(RememberedPost {
            topic_id: message.topic_id.clone(),
            sender_id: message.sender_id.clone(),
            id: message.id.clone(),
            media: message.media.clone(),
            at: Instant::now(),
            sent_at: message.created_at,
            is_used,
        });
    }

    fn belongs(post: &RememberedPost, message: &Message) -> bool {
        // both may be read together, long after they were written
        let soon = post.sent_at.zip(message.created_at).is_none_or(|(a, b)| b - a < SOON_MS);
        let same = post.topic_id == message.topic_id && post.at.elapsed() < SOON && soon;
        let quoted = post.id.is_some() && post.id == message.reply_to;
        same && (quoted || !post.is_used && post.sender_id == message.sender_id)
    }

    /// Whether there are files for a message without any.
    fn has_some(&self, message: &Message) -> bool {
        self.posts.iter().any(|post| LateAttachments::belongs(post, message))
    }

    /// Hands the files over to the message that asks about them; to another one only if it quotes them.
    pub(super) fn complete(&mut self, message: &Message, job: &mut Job) {
        if !job.media.is_empty() {
            return;
        }
        for post in self.posts.iter_mut().filter(|post| LateAttachments::belongs(post, message)) {
            job.media.extend(post.media.iter().cloned());
            post.is_used = true;
        }
        if let Value::Object(row) = &mut job.source {
            attachment::enclose(row, &job.media);
        }
    }

    /// Whether a live message has to wait because of another one of its topic. It is kept then.
    pub(super) fn queue(&mut self, message: &Message) -> bool {
        let look_up = self.look_ups.iter_mut().find(|it| it.messages[0].topic_id == message.topic_id);
        let Some(look_up) = look_up.filter(|it| it.messages.len() < WAITING) else { return false };
        look_up.messages.push(message.clone());
        true
    }

    /// A message waits for its files; the number of the look-up.
    fn add_look_up(&mut self, message: Message) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        self.look_ups.push(AttachmentLookup { number, messages: vec![message] });
        number
    }

    /// The messages that waited for a look-up: at least one.
    fn take_look_up(&mut self, number: u64) -> Option<Vec<Message>> {
        let at = self.look_ups.iter().position(|it| it.number == number)?;
        Some(self.look_ups.remove(at).messages)
    }

    /// The connection is gone, and with it the answers: all go on as they are.
    pub(super) fn give_up(&mut self) -> Vec<Message> {
        self.is_unanswered = false;
        let mut all = Vec::new();
        for look_up in std::mem::take(&mut self.look_ups) {
            all.extend(look_up.messages);
        }
        all
    }
}

impl Inbound {
    /// Asks for the history of a message's topic, if it seems to lack files. It is kept until the answer comes.
    pub(super) fn look_up_attachments(&mut self, cx: &mut Context, message: &Message) -> bool {
        let opened = decrypted(cx, message);
        let readable = opened.as_ref().unwrap_or(message);
        let lacks_files = readable.seems_to_lack_files()
            && cx.is_connected()
            && !self.attachments.is_unanswered
            && !self.attachments.has_some(message)
            && !cx.store.state().has_seen(&message.dedupe_key())
            && match intake::intake(readable, &cx.identity) {
                Verdict::Run(job) => !job.forwarded_command && job.sender_kind != SenderKind::Agent,
                Verdict::Ignore(why) => why == intake::EMPTY,
            };
        if lacks_files {
            let number = self.attachments.add_look_up(message.clone());
            let topic_id = &message.topic_id;
            cx.request("history", Purpose::Attachments { number }, |id| {
                outgoing::history(id, topic_id, HISTORY_LIMIT)
            });
        }
        lacks_files
    }

    /// Remembers the files of a post that was read in a history, and is not answered itself.
    pub(super) fn remember_post(&mut self, cx: &Context, row: &Message, is_used: bool) {
        if row.sender_id != cx.identity.agent_id && !cx.store.state().has_seen(&row.dedupe_key()) {
            self.attachments.remember(row, is_used);
        }
    }

    /// The history that was asked for. None: it could not be read.
    pub(crate) fn on_attachments(&mut self, cx: &Context, number: u64, data: Option<&Value>) -> Effects {
        let mut effects = Effects::none();
        self.attachments.is_unanswered |= data.is_none_or(Value::is_null);
        let Some(mut messages) = self.attachments.take_look_up(number) else { return effects };
        let first = &mut messages[0];
        let topic = Topic::bare(&first.topic_id);
        let rows = data.map(outgoing::rows).unwrap_or_default();
        for mut row in rows.into_iter().filter_map(|row| topic.message(row)) {
            if row.id.is_some() && row.id == first.id {
                if first.content.trim().is_empty() {
                    first.content = row.content;
                }
                first.media = row.media;
            } else if row.sender_id == first.sender_id
                && row.created_at.zip(first.created_at).is_some_and(|(a, b)| (0..SOON_MS).contains(&(b - a)))
            {
                row.topic_kind = first.topic_kind;
                self.remember_post(cx, &row, false);
            }
        }
        effects.intake(IntakeStep::Admit, messages);
        effects
    }
}
