//! The names of profiles, the list of existing ones, and whether the file of one is private to its owner.

use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Longest name, which becomes part of longer names of files and units.
const MAX_NAME: usize = 100;

/// The rule for names, for messages.
pub const RULE: &str =
    "1 to 100 letters, digits, dots, dashes and underscores, not starting with a dot or dash, and not `all`";

/// The word for all profiles on the command line.
pub const ALL: &str = "all";

/// Whether this is a profile name. No such name leads out of the folder of profiles.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name != ALL
        && name.len() <= MAX_NAME
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The profile name that an identity gets: `<agent id>-<adapter>`, with unsuitable characters replaced by
/// dashes.
pub fn default_name(agent_id: &str, adapter: &str) -> String {
    let id: String = agent_id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .collect();
    format!("{}-{adapter}", id.trim_start_matches(['.', '-']))
}

/// Names of the profiles in their folder, sorted.
pub fn names(folder: Option<&Path>) -> Vec<String> {
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let file_names = entries.into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<String> = file_names
        .filter_map(|file| file.strip_suffix(".env").map(str::to_owned))
        .filter(|name| is_name(name))
        .collect();
    names.sort();
    names
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Only its owner, who is this user (or this user is root).
    Private,
    /// Other users, too.
    Readable,
    /// It belongs to another user.
    Foreign,
}

/// Who may read the file with this metadata.
pub fn privacy(meta: &Metadata) -> Privacy {
    let me = rustix::process::geteuid().as_raw();
    if me != 0 && meta.uid() != me {
        Privacy::Foreign
    } else if meta.mode() & 0o077 != 0 {
        Privacy::Readable
    } else {
        Privacy::Private
    }
}

/// Removes the permissions of other users. False if that fails.
pub fn make_private(path: &Path) -> bool {
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["agent-001-codex", "a", "A_b.c-1", &"x".repeat(100)] {
            assert!(is_name(good), "{good}");
        }
        for bad in
            ["", "../x", "-x", ".x", "a b", "a/b", "ä", "a\n", "all", &"x".repeat(101), &"x".repeat(300)]
        {
            assert!(!is_name(bad), "{bad}");
        }
        assert_eq!(default_name("agent-alice", "codex"), "agent-alice-codex");
        assert!(is_name(&default_name("-a@b:c", "codex")));
    }
}
