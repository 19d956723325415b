//! `logs`: shows the journal of a profile's service, or the log files of a connector that logs to files.

use super::profiles::{self, ConnectorState, Profile};
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::daemon::control::Request;
use crate::error::{Error, Result, cannot, reason};
use crate::sys::{child_process, log_file, own_executable, program_path};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// The default of `--lines`.
const LINES: usize = 100;
/// How often a followed file is read: faster than a person reads.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Shows the log.
pub fn run(args: &CommandArgs) -> Result<()> {
    let profile = profiles::find(&args.operand(0).unwrap_or_default())?;
    let (lines, newest) = (args.lines.unwrap_or(LINES), profile.config.state_dir.join(log_file::FILE_NAME));
    // files in the state directory may be left over from a connector that was run by hand
    let in_journal =
        matches!(profile.ask(&Request::Status), ConnectorState::Answering(a) if a["service"] == "systemd");
    if newest.exists() && !in_journal {
        return show(&newest, lines, args.follow);
    }
    Err(journal(&profile, lines, args.follow, in_journal))
}

/// Replaces this process by journalctl, so that Ctrl-C and a pager work as usual. Returns only if that fails.
fn journal(profile: &Profile, lines: usize, follow: bool, is_service: bool) -> Error {
    let Some(tool) = program_path::find_program(OsStr::new("journalctl")) else {
        return Error::Unavailable(format!(
            "{} has no log yet: this machine has no journal, and {} does not exist; `wtt-connect start` logs to stderr, or with --log-to-file to that file",
            profile.name,
            profile.config.state_dir.join(log_file::FILE_NAME).display()
        ));
    };
    let mut words = vec!["--user".to_owned(), format!("--unit=wtt-connect@{}.service", profile.name)];
    // The first start creates the lock file, which is never removed. Without it, the journal may still hold the reason
    // why the first start failed.
    let started = profile.config.state_dir.join("lock").exists();
    let mut query = child_process::command(&tool, Path::new("/"));
    query.args(&words).args(["--quiet", "--lines=1"]);
    let empty = !is_service && query.output().is_ok_and(|said| said.stdout.is_empty());
    if started && empty {
        return Error::Unavailable(format!(
            "{0} was started by hand, so its log went to stderr; with `wtt-connect start --profile {0} --log-to-file` this command can show it",
            profile.name
        ));
    }
    if empty {
        return Error::Unavailable(format!(
            "{} has never been started and has no log; `{}` starts it",
            profile.name,
            super::up_command(&profile.name, &profile.config)
        ));
    }
    words.extend([format!("--lines={lines}"), "--no-pager".to_owned(), "--output=short-iso".to_owned()]);
    words.extend(follow.then(|| "--follow".to_owned()));
    let why = own_executable::exec_program(&tool, &words);
    Error::Unavailable(format!("cannot run {}: {}", tool.display(), reason(&why)))
}

fn show(newest: &Path, lines: usize, follow: bool) -> Result<()> {
    let failed = cannot("read", newest);
    let mut text = Vec::new();
    let mut file = File::open(newest).map_err(failed)?;
    file.read_to_end(&mut text).map_err(failed)?;
    for older in &log_file::paths(newest)[1..] {
        if count(&text) >= lines {
            break;
        }
        // an older file that is missing, or was just renamed, contributes nothing
        let mut before = std::fs::read(older).unwrap_or_default();
        before.extend_from_slice(&text);
        text = before;
    }
    print(tail(&text, lines))?;
    if !follow {
        return Ok(());
    }
    loop {
        crate::sys::thread::sleep(POLL_INTERVAL);
        let mut news = Vec::new();
        file.read_to_end(&mut news).map_err(failed)?;
        let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        if let Ok(meta) = std::fs::metadata(newest)
            && Some(id(meta)) != file.metadata().ok().map(id)
        {
            // the file was renamed: print its last lines first
            file.read_to_end(&mut news).map_err(failed)?;
            file = File::open(newest).map_err(failed)?;
            file.read_to_end(&mut news).map_err(failed)?;
        }
        print(&news)?;
    }
}

fn print(bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() { Ok(()) } else { output::write_stdout(&String::from_utf8_lossy(bytes)) }
}

fn count(text: &[u8]) -> usize {
    text.iter().filter(|b| **b == b'\n').count()
}

/// The last `lines` lines of a text.
fn tail(text: &[u8], lines: usize) -> &[u8] {
    let skip = count(text).saturating_sub(lines);
    let start = text
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .nth(skip.wrapping_sub(1))
        .map_or(0, |(at, _)| at + 1);
    &text[if skip == 0 { 0 } else { start }..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails() {
        for (lines, expect) in [(1, "c\n"), (2, "b\nc\n"), (3, "a\nb\nc\n"), (9, "a\nb\nc\n")] {
            assert_eq!(tail(b"a\nb\nc\n", lines), expect.as_bytes());
        }
        assert_eq!((tail(b"", 3), tail(b"half", 1)), (&b""[..], &b"half"[..]));
    }
}
