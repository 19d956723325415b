//! Versions of the agent CLIs, cached by program file, because a Node CLI takes a second to print its version.

use crate::agent::adapters;
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::discovery::login;
use crate::config::Config;
use crate::json;
use crate::store::atomic;
use serde_json::{Map, Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The cache, in the state directory.
const FILE_NAME: &str = "versions.json";

/// The enabled adapters, each with its version or the reason why it cannot answer. `answer` is that of a running
/// connector; it names the programs that the connector would start, because its PATH may differ from ours.
pub fn of(config: &Config, answer: Option<&Value>) -> Vec<(String, Result<String, String>)> {
    let file = config.state_dir.join(FILE_NAME);
    let old = std::fs::read(&file).ok().and_then(|bytes| json::parse::<Value>(&bytes).ok());
    let mut cached = old.and_then(|old| old.as_object().cloned()).unwrap_or_default();
    let before = cached.clone();
    let found = config
        .adapters
        .iter()
        .map(|name| {
            let theirs = answer.and_then(|answer| answer["agents"].as_array());
            let row = theirs.and_then(|rows| rows.iter().find(|row| row["adapter"].as_str() == Some(name)));
            (name.clone(), version(name, config, row, &mut cached))
        })
        .collect();
    // a missing state directory is left to `start`
    if cached != before && config.state_dir.is_dir() {
        let _ = atomic::write(&file, Value::Object(cached).to_string().as_bytes());
    }
    found
}

fn version(
    name: &str,
    config: &Config,
    row: Option<&Value>,
    cached: &mut Map<String, Value>,
) -> Result<String, String> {
    let Some(spec) = adapters::find(name) else { return Ok(String::new()) };
    let command = config.commands.get(name).map(Vec::as_slice).unwrap_or_default();
    let leading = command.get(1..).unwrap_or_default().to_vec();
    let theirs = row.map(|row| (row["path"].as_str(), row["problem"].as_str().unwrap_or_default()));
    let program = match theirs {
        Some((Some(path), _)) => Program { path: path.into(), leading },
        Some((None, problem)) => return Err(problem.to_owned()),
        None => locate::locate(spec, command)
            .map_err(|why| format!("{why}; {}", locate::remedy(spec, command)))?,
    };
    let stamp = format!("{} {}", stamp(&program.path), program.leading.join(" "));
    if let Some(row) = cached.get(name)
        && row["stamp"].as_str() == Some(&stamp)
        && let Some(version) = row["version"].as_str()
    {
        return Ok(version.to_owned());
    }
    let version = crate::text::one_line(&login::version(&program, &config.extra_env)?.unwrap_or_default());
    let version = crate::text::truncate(&version, 60);
    cached.insert(name.to_owned(), json!({ "stamp": stamp, "version": version }));
    Ok(version)
}

/// A text that changes whenever the program file does. Links are followed, because updates often replace only the link.
fn stamp(path: &Path) -> String {
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    std::fs::metadata(&file).map_or_else(
        |_| String::new(),
        |meta| format!("{} {} {}.{}", file.display(), meta.len(), meta.mtime(), meta.mtime_nsec()),
    )
}
