//! A push without its files is looked up once in the topic's history.

use super::Inbound;
use super::decrypt::decrypted;
use super::late_attachments::SOON_MS;
use crate::daemon::context::Context;
use crate::daemon::effect::{Effects, IntakeStep};
use crate::daemon::outbound::requests::Purpose;
use crate::wire::assumed::HISTORY_LIMIT;
use crate::wire::intake::{self, Verdict};
use crate::wire::message::{Message, SenderKind};
use crate::wire::outgoing;
use crate::wire::topic::Topic;
use serde_json::Value;

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
