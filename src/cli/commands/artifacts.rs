//! `artifacts`: lists the files that the profiles have sent.

use super::profiles;
use crate::cli::output::{self, Color};
use crate::cli::table::CommandArgs;
use crate::error::{Error, Result};
use crate::store::sent_files::{SentFileRecord, SentFiles};
use crate::sys::time;
use crate::text;
use serde_json::{Value, json};

/// Longest title and path in the table.
const CELL_CHARS: usize = 40;

/// Prints the list.
pub fn run(args: &CommandArgs) -> Result<()> {
    let mut rows: Vec<(String, SentFileRecord)> = Vec::new();
    for profile in profiles::select(args.operand(0).as_deref())? {
        let sent = SentFiles::new(&profile.config.state_dir).rows();
        let sent =
            sent.map_err(|why| Error::Failed(format!("cannot read the list of {}: {why}", profile.name)))?;
        rows.extend(sent.into_iter().map(|row| (profile.name.clone(), row)));
    }
    let text = if args.json { as_json(&rows) } else { as_text(&rows) };
    output::write_stdout(&text)
}

fn as_json(rows: &[(String, SentFileRecord)]) -> String {
    let rows = rows.iter().map(|(profile, row)| {
        json!({ "profile": profile, "at": time::rfc3339(row.sent_at), "from": row.origin, "name": row.name, "title": row.title,
            "size": row.size, "sha256": row.sha256, "mime_type": row.mime, "url": row.url, "topic_id": row.topic_id,
            "task_id": row.task_id })
    });
    let mut list: Vec<Value> = Vec::new();
    list.extend(rows);
    format!("{:#}\n", json!({ "artifacts": list }))
}

fn as_text(rows: &[(String, SentFileRecord)]) -> String {
    if rows.is_empty() {
        return "No files have been sent yet.\n".to_owned();
    }
    let mut lines = vec![["WHEN", "PROFILE", "SIZE", "TITLE", "FROM", "URL"].map(str::to_owned)];
    for (profile, row) in rows {
        let cell = |long: &str| text::truncate(&text::one_line(long), CELL_CHARS);
        lines.push([
            time::rfc3339(row.sent_at),
            profile.clone(),
            size(row.size),
            cell(&row.title),
            cell(&row.origin),
            text::one_line(&row.url),
        ]);
    }
    let table = output::align_columns(&lines, 0);
    let (head, rest) = table.split_once('\n').unwrap_or_default();
    format!("{}\n{rest}", output::paint(head, Color::Bold, output::use_color()))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
