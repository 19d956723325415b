//! What is remembered of files that do not come with the message that speaks of them: in a group the picture that somebody
//! posted just before belongs to what that person asks then. No IO; look-ups are made in `attachment_lookup.rs`.

use crate::wire::attachment::{self, Media};
use crate::wire::intake::Job;
use crate::wire::message::{Message, TopicKind};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Who asks about a picture asks within this time.
const SOON: Duration = Duration::from_secs(600);
/// The same between the times of two messages. Milliseconds.
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

/// Posts with files, and messages whose files are looked up.
#[derive(Debug, Default)]
pub(super) struct LateAttachments {
    posts: Vec<RememberedPost>,
    look_ups: Vec<AttachmentLookup>,
    last_number: u64,
    /// The service does not answer look-ups; asked again after the next connection.
    pub(super) is_unanswered: bool,
}

impl LateAttachments {
    /// Remembers a post that is not for this agent; `is_used`: a question has had its files already.
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
    pub(super) fn has_some(&self, message: &Message) -> bool {
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
    pub(super) fn add_look_up(&mut self, message: Message) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        self.look_ups.push(AttachmentLookup { number, messages: vec![message] });
        number
    }

    /// The messages that waited for a look-up: at least one.
    pub(super) fn take_look_up(&mut self, number: u64) -> Option<Vec<Message>> {
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
