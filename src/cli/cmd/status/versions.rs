//! Versions of the agent CLIs, asked once for each program file: a Node CLI takes a second to say its own.

use crate::agent::{probe, program, spec};
use crate::config::Config;
use crate::json::object;
use crate::store::atomic;
use serde_json::{Map, Value};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// In the state directory.
const FILE: &str = "versions.json";

/// The enabled adapters, each with its version or why there is none.
pub fn of(config: &Config) -> Vec<(String, Result<String, String>)> {
    let file = config.state_dir.join(FILE);
    let old = std::fs::read(&file).ok().and_then(|bytes| crate::json::parse(&bytes).ok());
    let mut known = old.and_then(|old| old.as_object().cloned()).unwrap_or_default();
    let before = known.clone();
    let found =
        config.adapters.iter().map(|name| (name.clone(), version(name, config, &mut known))).collect();
    // a state directory that is not there yet is made by `start`
    if known != before && config.state_dir.is_dir() {
        let _ = atomic::write(&file, Value::Object(known).to_string().as_bytes());
    }
    found
}

fn version(name: &str, config: &Config, known: &mut Map<String, Value>) -> Result<String, String> {
    let Some(spec) = spec::find(name) else { return Ok(String::new()) };
    let command = config.commands.get(name).map(Vec::as_slice).unwrap_or_default();
    let program =
        program::locate(spec, command).map_err(|why| format!("{why}; {}", program::remedy(spec, command)))?;
    let stamp = format!("{} {}", stamp(&program.path), program.leading.join(" "));
    if let Some(row) = known.get(name)
        && row["stamp"].as_str() == Some(&stamp)
        && let Some(version) = row["version"].as_str()
    {
        return Ok(version.to_owned());
    }
    let version = crate::text::one_line(&probe::version(&program)?.unwrap_or_default());
    let version = crate::text::truncate(&version, 60);
    known.insert(name.to_owned(), object!({ "stamp": stamp, "version": version }));
    Ok(version)
}

/// Changes with the file. A link is followed: updates make it point elsewhere.
fn stamp(path: &Path) -> String {
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    std::fs::metadata(&file).map_or_else(
        |_| String::new(),
        |meta| format!("{} {} {}.{}", file.display(), meta.len(), meta.mtime(), meta.mtime_nsec()),
    )
}
