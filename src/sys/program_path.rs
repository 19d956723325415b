//! Finds programs: on PATH, then in the directories into which installers put agent CLIs. A service manager's PATH rarely
//! contains those.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Directories below the home directory, in the order of the search.
const HOME_DIRS: &[&str] = &[
    ".local/bin",
    ".npm-global/bin",
    ".claude/local",
    ".bun/bin",
    ".volta/bin",
    ".local/share/pnpm",
    "Library/pnpm",
    ".cargo/bin",
    ".opencode/bin",
    ".yarn/bin",
    ".deno/bin",
    "go/bin",
    ".asdf/shims",
    ".local/share/mise/shims",
    ".nodenv/shims",
    ".linuxbrew/bin",
];

/// Directories elsewhere, searched last.
const SYSTEM_DIRS: &[&str] =
    &["/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin", "/snap/bin"];

/// The first executable regular file of that name, as an absolute path. A name with a slash is a path itself.
pub fn find_program(name: &OsStr) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let as_path = Path::new(name);
    if as_path.components().count() > 1 || as_path.is_absolute() {
        return is_executable(as_path)
            .then(|| std::path::absolute(as_path).unwrap_or_else(|_| as_path.into()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .chain(install_dirs(home().as_deref()))
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

/// The home directory according to the environment, like that of the CLIs themselves.
fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

fn install_dirs(home: Option<&Path>) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    for name in ["npm_config_prefix", "NPM_CONFIG_PREFIX"] {
        dirs.extend(std::env::var_os(name).map(|prefix| PathBuf::from(prefix).join("bin")));
    }
    if let Some(home) = home {
        dirs.extend(npmrc_prefix(home).map(|prefix| prefix.join("bin")));
        dirs.extend(HOME_DIRS.iter().map(|dir| home.join(dir)));
        dirs.extend(nvm_dirs(home));
    }
    dirs.extend(SYSTEM_DIRS.iter().map(PathBuf::from));
    dirs
}

/// The value of `prefix=…` in `~/.npmrc`.
fn npmrc_prefix(home: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(home.join(".npmrc")).ok()?;
    let value = text.lines().find_map(|line| line.trim().strip_prefix("prefix")?.trim().strip_prefix('='))?;
    let value = value.trim().trim_matches('"');
    Some(match value.strip_prefix("~/").or_else(|| value.strip_prefix("${HOME}/")) {
        Some(rest) => home.join(rest),
        None => PathBuf::from(value),
    })
}

/// The `bin` directories of nvm's Node versions, newest first.
fn nvm_dirs(home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(home.join(".nvm/versions/node")) else { return Vec::new() };
    let mut dirs: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    dirs.sort_by_cached_key(|dir| std::cmp::Reverse(version(dir)));
    dirs.into_iter().map(|dir| dir.join("bin")).collect()
}

/// Parses `v20.11.1` into numbers, for sorting.
fn version(dir: &Path) -> Vec<u32> {
    let name = dir.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.trim_start_matches('v').split('.').filter_map(|part| part.parse().ok()).collect()
}

/// Whether this is a regular file with an execute bit.
pub fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_only_executable_files() {
        assert!(find_program(OsStr::new("sh")).is_some_and(|p| p.is_absolute()));
        assert_eq!(find_program(OsStr::new("no-such-program-here")), None);
        assert_eq!(find_program(OsStr::new("/etc/passwd")), None, "not executable");
        assert_eq!(find_program(OsStr::new("/etc")), None, "a directory");
        assert_eq!(find_program(OsStr::new("")), None);
    }

    #[test]
    fn directories_of_installers_are_searched() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".nvm/versions/node/v9.1.0/bin")).unwrap();
        std::fs::create_dir_all(home.path().join(".nvm/versions/node/v20.3.0/bin")).unwrap();
        #[allow(clippy::disallowed_methods)]
        std::fs::write(home.path().join(".npmrc"), "registry=x\nprefix = ~/np\n").unwrap();
        let dirs = install_dirs(Some(home.path()));
        let at = |tail: &str| dirs.iter().position(|d| *d == home.path().join(tail)).unwrap();
        assert!(at("np/bin") < at(".local/bin"));
        assert!(at(".nvm/versions/node/v20.3.0/bin") < at(".nvm/versions/node/v9.1.0/bin"), "newest first");
        assert!(dirs.contains(&PathBuf::from("/usr/local/bin")));
    }
}
