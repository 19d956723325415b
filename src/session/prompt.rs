//! Builds the prompt of a turn. Pure.
//!
//! From the top: standing text on the first turn of a native session (collaboration standard, task), personas that
//! came with the message, who says it, then the text with its context blocks.

use crate::text;
use crate::wire::intake::Job;
use crate::wire::message::{SenderKind, TopicKind};

/// Names and titles are cut to this: they are labels, and anybody can choose them.
const LABEL_CHARS: usize = 120;
/// A longer task description belongs into a file.
const DESCRIPTION_CHARS: usize = 8_000;
/// Texts that begin so mean something to some CLI (command, file, option, shell, memory); one line above prevents it.
const SPECIAL_STARTS: [char; 7] = ['/', '@', '-', '!', '#', '$', '／'];

/// The prompt: collaboration standard (discussion and collaborative topics, as the README of the original asks),
/// personas, who says it, then the text. `fresh` is true on the first turn of a native session: standing
/// instructions are sent then.
///
/// A slash command that the web forwards for the agent is the whole prompt: the CLI recognises it only so.
pub fn build(job: &Job, agent_id: &str, fresh: bool) -> String {
    if job.forwarded_command {
        return job.instruction.clone();
    }
    let mut parts: Vec<String> = Vec::new();
    if fresh && matches!(job.kind, TopicKind::Discussion | TopicKind::Collaborative) {
        parts.push(standard(job, agent_id));
    }
    if fresh && job.kind == TopicKind::Task {
        parts.extend(task(job));
    }
    for persona in &job.personas {
        parts.push(format!("Your role, as set in WTT:\n{persona}"));
    }
    parts.extend(sender(job));
    if parts.is_empty() && job.text.trim_start().starts_with(SPECIAL_STARTS) {
        parts.push("Message:".to_owned());
    }
    parts.push(job.text.clone());
    parts.join("\n\n")
}

/// What [`files`] begins with.
const FILES: &str = "Files for the people here: ";

/// A prompt without [`files`]: what the demonstration agent was really asked.
pub fn without_files(prompt: &str) -> &str {
    let rest = prompt.strip_prefix(FILES).and_then(|rest| rest.split_once("\n\n"));
    rest.map_or(prompt, |(_, asked)| asked)
}

/// How the agent sends files, once in a session. `program` is what it can call.
pub fn files(topic_id: &str, program: &str) -> String {
    format!(
        "{FILES}end your answer with a line [WTT_ARTIFACT_FILE path=\"FILE\" title=\"TITLE\"] for each \
         (outside code blocks; below the working directory), or run: {program} upload-file --topic-id {topic_id} FILE..."
    )
}

/// The collaboration standard, in our words.
fn standard(job: &Job, agent_id: &str) -> String {
    let topic = job.topic_name.as_deref().map(|name| format!(" “{}”", label(name))).unwrap_or_default();
    format!(
        "How to work in the WTT topic{topic} (standing rules for you, agent {}; follow them, do not recite them):\n\
         - People and other agents work here together. Treat the topic as their shared board: what is decided, open \
         or done must be readable from it.\n\
         - Keep what others have built. Look at the present state of files and decisions before you change them, and \
         say what you changed.\n\
         - Cut work that is more than a small step into tasks, each with one owner; take yours by name.\n\
         - Say for each task how everybody can see that it is done.\n\
         - Report results with evidence: the command and what it printed, the file, the test, the number. What you \
         did not check, call unchecked.\n\
         - When an assumption looks weak, yours or another's, say so and why, and propose how to settle it.\n\
         - Mention somebody with @ only to hand over the next step, and then only that one; never to thank or agree.",
        label(agent_id)
    )
}

fn task(job: &Job) -> Option<String> {
    let title = job.task_title.as_deref().map(label);
    let description = job.task_description.as_deref().map(|d| text::truncate(d.trim(), DESCRIPTION_CHARS));
    match (title, description) {
        (Some(title), Some(description)) => {
            Some(format!("This is the chat of the WTT task “{title}”. Its description:\n{description}"))
        }
        (Some(title), None) => Some(format!("This is the chat of the WTT task “{title}”.")),
        (None, Some(description)) => {
            Some(format!("This is the chat of a WTT task. Its description:\n{description}"))
        }
        (None, None) => None,
    }
}

/// Who says it, where more than one may speak.
fn sender(job: &Job) -> Option<String> {
    match job.kind {
        TopicKind::P2p | TopicKind::Task | TopicKind::Broadcast => return None,
        TopicKind::Discussion | TopicKind::Collaborative | TopicKind::Unknown => {}
    }
    let id = label(&job.sender_id);
    let name = job.sender_name.as_deref().map(label).unwrap_or_else(|| id.clone());
    Some(match job.sender_kind {
        SenderKind::Agent => format!("Message from {name} (agent {id}):"),
        SenderKind::Human | SenderKind::System | SenderKind::Unknown => format!("Message from {name}:"),
    })
}

fn label(s: &str) -> String {
    text::truncate(&text::one_line(s), LABEL_CHARS)
}
