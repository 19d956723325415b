//! What every part of the daemon may use, and nothing else: settings, state, the connection, who this agent is, the
//! languages of the topics, and whether the daemon is about to end. No part is in here.

use crate::config::Config;
use crate::daemon::connection::NetHandle;
use crate::daemon::connection::link_state::LinkState;
use crate::daemon::language::TopicLanguages;
use crate::daemon::lifecycle::Lifecycle;
use crate::daemon::outbound::requests::{Purpose, Requests};
use crate::session::Shared;
use crate::session::messages::Lang;
use crate::store::Store;
use crate::store::state::{OpenTurn, Record};
use crate::sys::time;
use crate::wire::identity::Identity;
use crate::wire::intake::Job;
use std::sync::Arc;
use std::time::Instant;

/// See the top of this file. Owned by the hub and lent to one part at a time.
#[derive(Debug)]
pub(crate) struct Context {
    /// Settings, outbox folder and what else the sessions share with the daemon.
    pub(crate) shared: Arc<Shared>,
    /// The state on disk. Changes are recorded at once and made durable by the hub, once per batch of events.
    pub(crate) store: Store,
    /// Frames to the service.
    pub(crate) net: NetHandle,
    /// Whether there is a connection, and why not.
    pub(crate) link: LinkState,
    /// Requests to the service that are not answered yet.
    pub(crate) requests: Requests,
    /// The names by which messages address this agent.
    pub(crate) identity: Identity,
    /// The language of each topic.
    pub(crate) languages: TopicLanguages,
    /// Restart, shutdown and what the service manager is notified of.
    pub(crate) lifecycle: Lifecycle,
    /// The batch holds something that must be durable before the batch has any effect.
    pub(crate) commit_now: bool,
}

/// How an accepted message stands when it is recorded.
#[derive(Debug, Default)]
pub(crate) struct AcceptedAs {
    /// Its turn begins at once.
    pub(crate) started: bool,
    /// Key of the turn that the message is added to.
    pub(crate) merged_into: Option<String>,
    /// The task that its turn carries out.
    pub(crate) task_id: Option<String>,
}

impl Context {
    /// Before the first event. Tells the service manager that the start is complete.
    pub(crate) fn new(shared: Arc<Shared>, store: Store, net: NetHandle) -> Context {
        let config = &shared.config;
        let identity = Identity {
            agent_id: config.agent_id.clone(),
            display_name: None,
            aliases: config.aliases.clone(),
        };
        Context {
            lifecycle: Lifecycle::new(config.auto_reexec),
            shared,
            store,
            net,
            link: LinkState::default(),
            requests: Requests::default(),
            identity,
            languages: TopicLanguages::default(),
            commit_now: false,
        }
    }

    /// The settings.
    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Whether the service can be reached over the socket.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.up_since.is_some()
    }

    /// The language in which a topic is answered.
    pub(crate) fn language_of(&self, topic_id: &str) -> Lang {
        self.languages.of(topic_id)
    }

    /// Sends a request and remembers what its answer is for.
    pub(crate) fn request(&mut self, action: &str, purpose: Purpose, frame: impl FnOnce(&str) -> String) {
        let id = self.requests.open(action, purpose, Instant::now());
        // a connection that has just gone is reported by its own event, which fails all open requests
        self.net.send(frame(&id));
    }

    /// Sends a request whose answer does not matter (typing, progress).
    pub(crate) fn send_untracked(&mut self, action: &str, frame: impl FnOnce(&str) -> String) {
        let id = self.requests.untracked(action);
        self.net.send(frame(&id));
    }

    /// Records that a message was dealt with, so that it is not answered when it comes once more.
    pub(crate) fn record_seen(&mut self, key: &str) {
        self.store.record(Record::Seen { key: key.to_owned() });
    }

    /// Records an accepted message; it is on disk before its turn begins.
    pub(crate) fn record_accepted(&mut self, job: &Job, accepted: AcceptedAs) {
        let turn = OpenTurn {
            topic_id: job.topic_id.clone(),
            reply_to: job.message_id.clone(),
            accepted_at: time::now_ms(),
            started: accepted.started,
            merged_into: accepted.merged_into,
            task_id: accepted.task_id,
            in_chinese: self.language_of(&job.topic_id) == Lang::Zh,
            ..OpenTurn::default()
        };
        self.store.record(Record::Accepted { key: job.key.clone(), turn });
        self.commit_now = true;
    }

    /// Tells the service manager how the connection stands.
    pub(crate) fn report_to_service_manager(&self) {
        self.lifecycle.report(&self.link, &self.identity.agent_id);
    }
}
