//! Decides whether a message is for this agent, and what it asks for: one pure function over one message (see
//! ADDRESSING in wtt-connect-protocol(7)).
//!
//! What needs state is elsewhere: duplicates, the age of missed messages, and the limit of answers to agents.

use crate::json;
use crate::wire::attachment::Media;
use crate::wire::identity::Identity;
use crate::wire::lenient_json::{self, Object};
use crate::wire::mention::{Addressee, AgentNames};
use crate::wire::message::{Message, SenderKind, TopicKind};
use crate::wire::{assumed, inbound_text};
use serde_json::Value;

/// The unit that has one mailbox and one worker thread: a task, or else a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `wtt:topic:<id>`
    Topic(String),
    /// `wtt:task:<id>`
    Task(String),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::Topic(id) => write!(f, "wtt:topic:{id}"),
            Scope::Task(id) => write!(f, "wtt:task:{id}"),
        }
    }
}

/// `metadata.model_config` (see METADATA in wtt-connect-protocol(7)), empty strings removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelConfig {
    /// Adapter name.
    pub adapter: Option<String>,
    /// Model id, possibly `provider/model`.
    pub model: Option<String>,
    /// `off`, `low`, `medium`, `high`, …
    pub effort: Option<String>,
    /// Provider name.
    pub provider: Option<String>,
}

/// A message that this agent must answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The dedupe key of the message.
    pub key: String,
    /// Its id, for `reply_to`.
    pub message_id: Option<String>,
    /// Mailbox.
    pub scope: Scope,
    /// Where the answer goes.
    pub topic_id: String,
    /// Display name of the topic.
    pub topic_name: Option<String>,
    /// Kind of topic.
    pub kind: TopicKind,
    /// Sender id.
    pub sender_id: String,
    /// Sender's display name.
    pub sender_name: Option<String>,
    /// Person or agent.
    pub sender_kind: SenderKind,
    /// The text for the agent: banners and `[Model: …]` lines stripped, context blocks kept.
    pub text: String,
    /// The instruction alone: `text` without context blocks and without leading mentions of this agent. Chat commands
    /// are recognized in it.
    pub instruction: String,
    /// Other mentions, as normalized tokens. The name of an adapter among them selects that adapter.
    pub mentions: Vec<String>,
    /// Whether the instruction is a slash command that the web page forwards to the agent CLI (`metadata.slash_type`).
    pub forwarded_command: bool,
    /// The model that this message asks for.
    pub model: ModelConfig,
    /// `exec_mode` of the task.
    pub exec_mode: Option<String>,
    /// Title of the task.
    pub task_title: Option<String>,
    /// Description of the task, when the message carries it.
    pub task_description: Option<String>,
    /// Persona texts of the metadata (`worker_persona.persona_md`, `worker_context.worker_md`).
    pub personas: Vec<String>,
    /// The files that came with it.
    pub media: Vec<Media>,
    /// When it was sent, milliseconds since the epoch.
    pub sent_at: Option<i64>,
    /// Whether it was end-to-end encrypted; the answer then is, too.
    pub encrypted: bool,
    /// The message itself, for a turn that is deferred ([`Message::to_source`]).
    pub source: Value,
}

/// The decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Answer it.
    Run(Box<Job>),
    /// Ignore it; the reason goes to the debug log.
    Ignore(&'static str),
}

/// The reason for ignoring a message without visible text and files.
pub const EMPTY: &str = "empty";
/// Most other mentions that are kept of a message.
const MENTIONS: usize = 16;
/// Replaces content that only the holder of the password can read (see ENCRYPTION in wtt-connect-protocol(7)). The
/// agent gets it, so that its answer tells the sender what to do.
const ENCRYPTED: &str = "(This message is end-to-end encrypted and this connector has no key for it. \
     Tell the sender that encryption must be switched off for this chat.)";

/// Decides about one message (see ADDRESSING in wtt-connect-protocol(7)). The caller checks for duplicates, age and
/// repeated answers to agents, which need state.
pub fn intake(message: &Message, me: &Identity) -> Verdict {
    if let Some(why) = not_for_agents(message, me) {
        return Verdict::Ignore(why);
    }
    let text =
        if is_envelope(message) { ENCRYPTED.to_owned() } else { inbound_text::clean(&message.content) };
    if let Some(why) = no_request(message, &text) {
        return Verdict::Ignore(why);
    }
    let typed = inbound_text::typed(&text);
    let names = AgentNames::of(me);
    let addressed = Addressed::new(message, me, &names, &typed);
    if let Some(why) = gate(message, &addressed, &typed) {
        return Verdict::Ignore(why);
    }
    Verdict::Run(Box::new(job(message, text, &typed, addressed)))
}

/// The reason why no agent should answer this row, whatever its text.
fn not_for_agents(message: &Message, me: &Identity) -> Option<&'static str> {
    if message.sender_id == me.agent_id {
        return Some("own message");
    }
    if message.sender_kind == SenderKind::System || message.content_type == "system" {
        return Some("system message");
    }
    match message.semantic_type.as_str() {
        kind if kind.starts_with("system") => return Some("system message"),
        "notification" => return Some("notification"),
        "command" if !is_forwarded(message) => return Some("command of the web"),
        "task_progress" | "task_request" | "task_run" | "task_status" | "task_summary" | "task_blocked"
        | "task_review" => return Some("task notice"),
        _ => {}
    }
    if is_set(&message.metadata, "history_import") {
        return Some("imported history");
    }
    None
}

/// The reason why a text is not a request.
fn no_request(message: &Message, text: &str) -> Option<&'static str> {
    if text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("[system:")) {
        return Some("system text");
    }
    if inbound_text::is_invisible(text) && message.media.is_empty() {
        return Some(EMPTY);
    }
    // a person may paste a log with such a line further down; an agent sends it as its heartbeat
    let is_progress = inbound_text::starts_as_progress(text)
        || (!is_person(message) && !inbound_text::hidden_lines(text).is_empty());
    if is_progress {
        return Some("progress text");
    }
    if message.topic_kind == TopicKind::Task && is_placeholder(text) {
        return Some("placeholder of a new task");
    }
    None
}

/// Whether a text is one that the web page uses where nothing was typed.
pub(crate) fn is_placeholder(text: &str) -> bool {
    matches!(text.trim().to_lowercase().as_str(), "new task" | "新任务" | "(无描述)" | "（无描述）")
}

/// How a message addresses this agent or others.
struct Addressed {
    /// By mention or by the list of targets of the service; takes precedence over another runner.
    me: bool,
    /// By a mention of everyone.
    everyone: bool,
    /// The service resolved the message to this agent.
    runner_is_me: bool,
    /// The service resolved it to another agent.
    runner_is_other: bool,
    /// Whether `command_target_agent_id` is this agent; none if it is not set.
    command_target: Option<bool>,
    /// Length of the leading mentions of this agent in the typed text, in bytes.
    prefix: usize,
    /// Where the trailing mentions of this agent begin in the typed text; its length if there are none.
    tail: usize,
    /// The other names that are mentioned.
    others: Vec<String>,
}

impl Addressed {
    fn new(message: &Message, me: &Identity, names: &AgentNames, typed: &str) -> Addressed {
        let runner_is_me = match (&message.runner_agent_id, &message.runner_agent_name) {
            (Some(id), _) => *id == me.agent_id,
            (None, Some(name)) => names.contain(name),
            (None, None) => false,
        };
        let has_runner = message.runner_agent_id.is_some() || message.runner_agent_name.is_some();
        let in_targets = message.mention_targets.contains(&me.agent_id);
        let resolved_to_others =
            !in_targets && !runner_is_me && (has_runner || !message.mention_targets.is_empty());
        let command_target =
            lenient_json::text(&message.metadata, &["command_target_agent_id"]).map(|id| id == me.agent_id);
        let mut addressed = Addressed {
            me: in_targets,
            everyone: false,
            runner_is_me,
            runner_is_other: has_runner && !runner_is_me,
            command_target,
            prefix: 0,
            tail: typed.len(),
            others: Vec::new(),
        };
        let mut leading = true;
        let mut last = None;
        for mention in names.mentions(typed) {
            // a name that may be the start of a longer one counts unless the service has resolved the mention
            let is_me =
                mention.who == Addressee::Me || (mention.who == Addressee::Perhaps && !resolved_to_others);
            let is_everyone = mention.who == Addressee::Everyone;
            addressed.me |= is_me;
            addressed.everyone |= is_everyone;
            if is_me {
                let goes_on =
                    last.is_some_and(|end: usize| typed[end..mention.start].chars().all(is_separator));
                addressed.tail = if goes_on { addressed.tail } else { mention.start };
                last = Some(mention.end);
            }
            if leading && (is_me || is_everyone) {
                // only up to the first word, so that a text full of mentions is still scanned once
                leading = typed[addressed.prefix..mention.start].chars().all(is_separator);
                if leading {
                    addressed.prefix = mention.end;
                }
            }
            if let Addressee::Other(name) = mention.who
                && addressed.others.len() < MENTIONS
                && !addressed.others.contains(&name)
            {
                addressed.others.push(name);
            }
        }
        let ends = |c| is_separator(c) || matches!(c, '.' | '!' | '。' | '！');
        if last.is_none_or(|end| !typed[end..].chars().all(ends)) {
            addressed.tail = typed.len();
        }
        addressed
    }

    /// The typed text without the leading mentions; for a command also without the trailing ones, which are not its
    /// arguments.
    fn instruction<'a>(&self, typed: &'a str) -> &'a str {
        let mut rest = &typed[self.prefix..];
        let first = rest.trim_start_matches(is_separator).split_whitespace().next();
        if self.tail < typed.len() && first.is_some_and(is_command) {
            rest = typed[self.prefix..self.tail].trim_end_matches(is_separator);
        }
        if self.prefix == 0 { rest.trim() } else { rest.trim_start_matches(is_separator).trim_end() }
    }

    /// Whether it addresses this agent, and not only everyone.
    fn at_me(&self) -> bool {
        self.me || self.runner_is_me || self.command_target == Some(true)
    }
}

/// Whether a character may stand between a leading mention and the instruction.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ':' | ';' | '，' | '：' | '；' | '、')
}

fn gate(message: &Message, addressed: &Addressed, typed: &str) -> Option<&'static str> {
    if addressed.command_target == Some(false) {
        return Some("command for another agent");
    }
    let person = is_person(message);
    match message.topic_kind {
        TopicKind::Broadcast => Some("broadcast topic"),
        TopicKind::P2p if person || addressed.at_me() => None,
        TopicKind::P2p => Some("agent that does not mention this agent"),
        TopicKind::Task if !person => Some("not from a person, in a task topic"),
        TopicKind::Task if addressed.runner_is_other && !addressed.me => Some("task of another agent"),
        TopicKind::Task => None,
        TopicKind::Discussion | TopicKind::Collaborative | TopicKind::Unknown => gate_group(addressed, typed),
    }
}

fn gate_group(addressed: &Addressed, typed: &str) -> Option<&'static str> {
    if addressed.at_me() {
        return None;
    }
    if !addressed.everyone {
        return Some(if addressed.runner_is_other { "for another agent" } else { "not mentioned" });
    }
    // a command to everyone would change every agent of the topic at once
    let first = addressed.instruction(typed).split_whitespace().next();
    first.is_some_and(is_command).then_some("command that is not for this agent")
}

/// Whether a word is a slash command and not a path. A full-width slash counts, as for chat commands.
fn is_command(word: &str) -> bool {
    let Some(name) = word.strip_prefix(['/', '／']) else { return false };
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
}

fn job(message: &Message, text: String, typed: &str, addressed: Addressed) -> Job {
    let instruction = addressed.instruction(typed);
    Job {
        key: message.dedupe_key(),
        message_id: message.id.clone(),
        scope: match &message.task_id {
            Some(id) => Scope::Task(id.clone()),
            None => Scope::Topic(message.topic_id.clone()),
        },
        topic_id: message.topic_id.clone(),
        topic_name: message.topic_name.clone(),
        kind: message.topic_kind,
        sender_id: message.sender_id.clone(),
        sender_name: message.sender_name.clone(),
        sender_kind: message.sender_kind,
        forwarded_command: is_forwarded(message)
            && instruction.split_whitespace().next().is_some_and(is_command),
        instruction: instruction.to_owned(),
        text,
        mentions: addressed.others,
        model: model_config(&message.metadata),
        exec_mode: message.exec_mode.clone(),
        task_title: message.task_title.clone(),
        task_description: message.task_description.clone(),
        personas: personas(&message.metadata),
        media: message.media.clone(),
        sent_at: message.created_at,
        encrypted: message.encrypted,
        source: message.to_source(),
    }
}

/// The model that the metadata of a message or the row of a task asks for.
pub(crate) fn model_config(metadata: &Object) -> ModelConfig {
    let parsed = match metadata.get("model_config") {
        Some(Value::String(s)) => json::parse(s).unwrap_or(Value::Null),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let Some(config) = parsed.as_object() else { return ModelConfig::default() };
    ModelConfig {
        adapter: lenient_json::word(config, &["adapter"]),
        model: lenient_json::text(config, &["model", "model_id"]),
        effort: lenient_json::word(config, &["reasoning_effort", "reasoningEffort", "effort"]),
        provider: lenient_json::text(config, &["provider"]),
    }
}

fn is_forwarded(message: &Message) -> bool {
    lenient_json::word(&message.metadata, &["slash_type"]).is_some_and(|kind| kind == "agent_passthrough")
}

fn personas(metadata: &Object) -> Vec<String> {
    [("worker_persona", "persona_md"), ("worker_context", "worker_md")]
        .iter()
        .filter_map(|(outer, inner)| lenient_json::text(lenient_json::object(metadata, &[outer])?, &[inner]))
        .collect()
}

/// Whether a person wrote it. If the message does not say so, the form of the id decides.
fn is_person(message: &Message) -> bool {
    match message.sender_kind {
        SenderKind::Human => true,
        SenderKind::Agent | SenderKind::System => false,
        SenderKind::Unknown => !assumed::looks_like_agent_id(&message.sender_id),
    }
}

/// `{"c":"<base64>","ctx":"<id>"}` (see ENCRYPTION in wtt-connect-protocol(7)).
fn is_envelope(message: &Message) -> bool {
    message.encrypted
        && json::parse::<Value>(&message.content).is_ok_and(|v| {
            v.get("c").is_some_and(Value::is_string) && v.get("ctx").is_some_and(Value::is_string)
        })
}

fn is_set(metadata: &Object, key: &str) -> bool {
    metadata.get(key).is_some_and(|v| !matches!(v, Value::Null | Value::Bool(false)))
}
