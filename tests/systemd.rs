//! The service under a real `systemd --user` and journald, when `WTT_TEST_SYSTEMD=1` and this machine can do it:
//! `tests/with-user-systemd` makes an ordinary user with both in private namespaces. Needs root and cgroup v2.
//!
//! The outer test runs this same test program inside, once for all tests of [`inside`].

mod inside;

use std::path::Path;
use std::process::Command;

/// Set for the program that runs inside: the base of its home folder.
const INSIDE: &str = "WTT_TEST_SYSTEMD_INSIDE";

#[test]
fn under_a_real_service_manager() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    if std::env::var("WTT_TEST_SYSTEMD").as_deref() != Ok("1") {
        eprintln!("skipped: WTT_TEST_SYSTEMD is not 1");
        return;
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/lib/systemd/systemd").exists() {
        eprintln!("skipped: needs root and systemd");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = tempfile::Builder::new().prefix("wtt-systemd.").tempdir_in("/tmp").unwrap();
    // an ordinary user may not be able to enter this checkout
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let tests = std::env::current_exe().unwrap();
    for (from, name) in [(crate::support::daemon::binary(), "wtt-connect"), (tests, "tests")] {
        std::fs::copy(from, bin.join(name)).unwrap();
    }
    let status = Command::new(root.join("tests/with-user-systemd"))
        .arg(bin.join("tests"))
        .args(["systemd::inside::", "--test-threads=1", "--nocapture"])
        .env("WITH_USER_SYSTEMD_HOME", home.path())
        .env(INSIDE, "1")
        .current_dir("/")
        .status()
        .unwrap();
    assert!(status.success(), "the tests inside failed, see above");
}
