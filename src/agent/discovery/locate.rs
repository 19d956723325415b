//! Locates the program of an adapter: the user's command, or else a program on PATH or in the usual places. Behind an npm
//! launcher it finds the native program.

use crate::agent::adapter::{AdapterSpec, Launcher};
use crate::agent::adapters::acp::quirks::PRESETS;
use crate::sys::program_path;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Absolute path.
    pub path: PathBuf,
    /// Arguments before those of the adapter (`ccr code`).
    pub leading: Vec<String>,
}

/// Locates the program. `command` is the user's command; if it is empty, the spec's programs are searched. The error says
/// what was searched for.
pub fn locate(spec: &AdapterSpec, command: &[String]) -> Result<Program, String> {
    if let Some((program, leading)) = command.split_first() {
        let path = program_path::find_program(OsStr::new(program))
            .ok_or_else(|| format!("`{program}` of the configured command is not an executable program"))?;
        let leading = if leading.is_empty() { preset(spec, &path) } else { leading.to_vec() };
        return Ok(Program { path, leading });
    }
    let found = spec.programs.iter().find_map(|name| {
        program_path::find_program(OsStr::new(name)).filter(|found| is_genuine(name, found))
    });
    let path = found
        .ok_or_else(|| format!("no `{}` on PATH or in the usual places", spec.programs.join("` or `")))?;
    let native = spec.launcher.and_then(|launcher| native_program(launcher, &path));
    Ok(Program { path: native.unwrap_or(path), leading: Vec::new() })
}

/// The arguments that make a known program speak ACP, for the adapter that runs any such program.
fn preset(spec: &AdapterSpec, path: &Path) -> Vec<String> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let known = PRESETS.iter().filter(|row| spec.name == "acp" && row.0 == name);
    known.map(|row| row.1.to_owned()).collect()
}

/// Names that other programs have too, with a word that the real path of the right program contains. A wrong program must
/// not even be started: nobody knows what it does with a prompt.
const SHARED_NAMES: &[(&str, &str)] = &[("agent", "cursor")];

fn is_genuine(name: &str, found: &Path) -> bool {
    let Some((_, word)) = SHARED_NAMES.iter().find(|(shared, _)| *shared == name) else { return true };
    std::fs::canonicalize(found).is_ok_and(|real| real.to_string_lossy().to_lowercase().contains(word))
}

/// What to do when [`locate`] finds nothing; follows a semicolon.
pub fn remedy(spec: &AdapterSpec, command: &[String]) -> String {
    if command.is_empty() {
        return spec.install_hint.to_owned();
    }
    let name = spec.name.replace('-', "_").to_ascii_uppercase();
    format!("correct WTT_CONNECT_{name}_COMMAND")
}

/// Whether the path is the launcher script of the adapter and not its native program.
pub fn is_launcher(spec: &AdapterSpec, path: &Path) -> bool {
    spec.launcher.is_some_and(|launcher| {
        std::fs::canonicalize(path).is_ok_and(|script| script.ends_with(launcher.script))
    })
}

/// The native program behind a launcher script, if `found` is that script and the program exists.
fn native_program(launcher: Launcher, found: &Path) -> Option<PathBuf> {
    let script = std::fs::canonicalize(found).ok().filter(|script| script.ends_with(launcher.script))?;
    // <modules>/@scope/package/bin/script.js
    let package = script.parent()?.parent()?;
    let modules = package.parent()?.parent()?;
    let roots = [modules.to_owned(), package.join("node_modules"), package.to_owned()];
    let candidates =
        launcher.native_programs.iter().flat_map(|native| roots.iter().map(move |root| root.join(native)));
    candidates.into_iter().find(|file| program_path::is_executable(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{OpenOptionsExt, symlink};

    fn executable(file: &Path) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(file).unwrap();
    }

    #[test]
    fn a_launcher_leads_to_the_native_program() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let launcher = crate::agent::adapters::codex::SPEC.launcher.unwrap();
        let script = root.join("lib/node_modules/@openai/codex/bin/codex.js");
        executable(&script);
        let link = root.join("codex");
        symlink(&script, &link).unwrap();
        assert_eq!(native_program(launcher, &link), None, "the optional dependency is not there");
        assert!(is_launcher(&crate::agent::adapters::codex::SPEC, &link), "which is worth a warning");
        let native = root.join("lib/node_modules").join(launcher.native_programs[0]);
        executable(&native);
        assert!(!is_launcher(&crate::agent::adapters::codex::SPEC, &native));
        assert_eq!(native_program(launcher, &link), Some(native));
        assert_eq!(native_program(launcher, Path::new("/bin/sh")), None);
    }

    #[test]
    fn the_name_of_a_known_agent_is_enough_for_acp() {
        let dir = tempfile::tempdir().unwrap();
        let qwen = dir.path().canonicalize().unwrap().join("qwen");
        executable(&qwen);
        let command = [qwen.to_str().unwrap().to_owned()];
        let leading = |spec, command: &[String]| locate(spec, command).unwrap().leading;
        assert_eq!(leading(&crate::agent::adapters::acp::SPEC, &command), ["--acp"]);
        assert!(leading(&crate::agent::adapters::devin::SPEC, &command).is_empty());
        let own = [command[0].clone(), "--experimental".to_owned()];
        assert_eq!(leading(&crate::agent::adapters::acp::SPEC, &own), ["--experimental"]);
    }

    #[test]
    fn a_shared_name_counts_only_with_the_right_path() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let real = root.join("share/cursor-agent/versions/2026.10.01/cursor-agent");
        executable(&real);
        let link = root.join("agent");
        symlink(&real, &link).unwrap();
        let other = root.join("other/agent");
        executable(&other);
        assert!(is_genuine("agent", &link) && is_genuine("codex", &other));
        assert!(!is_genuine("agent", &other));
    }

    #[test]
    fn the_users_command_wins() {
        let command = ["sh".to_owned(), "-c".to_owned()];
        let program = locate(&crate::agent::adapters::codex::SPEC, &command).unwrap();
        assert!(program.path.is_absolute() && program.leading == ["-c"]);
        let missing =
            locate(&crate::agent::adapters::codex::SPEC, &["/no/such/agent".to_owned()]).unwrap_err();
        assert!(missing.contains("/no/such/agent"), "{missing}");
    }
}
