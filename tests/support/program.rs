//! Programs that tests write and start, and what a started one inherits of the test program.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

/// Writes a program. A child does it: what is open for writing cannot be executed ("Text file busy"), and whatever another
/// test is starting at this moment has a copy of our open files until its own exec.
pub fn program(file: &Path, text: impl AsRef<[u8]>) {
    let _ = std::fs::remove_file(file);
    let mut writer = Command::new("/bin/sh");
    writer.args(["-c", r#"cat >"$0" && chmod 755 "$0""#]).arg(file).stdin(Stdio::piped());
    let mut writer = writer.spawn().unwrap();
    writer.stdin.take().unwrap().write_all(text.as_ref()).unwrap();
    assert!(writer.wait().unwrap().success());
}

/// Copies a program; by a child, as above.
pub fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// Agents that are started without a connector can be interrupted. Who started us may have had SIGINT ignored, as a shell
/// does with what it runs in the background, and who is ignored at the start stays so; a handler is not inherited.
pub fn can_be_interrupted() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let as_usual = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, as_usual).unwrap();
    });
}
