//! The connector as a child process, and the kernel's own numbers about it.

use crate::{AGENT_ID, TOKEN};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use wtt_connect::local::service::Service;

/// The program under test; another build can be named (`WTT_TEST_BINARY`).
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("WTT_TEST_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_wtt-connect").into(), PathBuf::from)
}

/// Numbers of an idle process.
pub(crate) struct Idle {
    pub(crate) pss_kib: f64,
    pub(crate) threads: usize,
    pub(crate) switches_per_minute: f64,
}

pub(crate) struct Connector {
    child: Child,
    _home: tempfile::TempDir,
}

impl Connector {
    pub(crate) fn start(service: &Service, env: &[(&str, &str)]) -> Connector {
        let home = tempfile::tempdir().unwrap();
        let child = Command::new(binary())
            .arg("start")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("WTT_BASE_URL", service.base_url())
            .env("WTT_AGENT_ID", AGENT_ID)
            .env("WTT_TOKEN", TOKEN)
            .env("WTT_CONNECT_ADAPTER", "claude-code")
            .env("WTT_CONNECT_LOG", "error")
            .envs(env.iter().copied())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Connector { child, _home: home }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn idle(&self, window: Duration) -> Idle {
        let pid = self.child.id();
        // let the start-up settle
        std::thread::sleep(Duration::from_secs(1));
        let before = switches(pid);
        std::thread::sleep(window);
        let switched = switches(pid) - before;
        Idle {
            pss_kib: pss_kib(pid),
            threads: std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(),
            switches_per_minute: switched as f64 * 60.0 / window.as_secs_f64(),
        }
    }

    pub(crate) fn watch_peak(&self) -> Peak {
        let pid = self.child.id();
        let (stop, stopped): (Sender<()>, Receiver<()>) = bounded(0);
        let thread = std::thread::spawn(move || {
            let mut peak = 0.0_f64;
            while stopped.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
                peak = peak.max(pss_kib(pid));
            }
            peak
        });
        Peak { stop, thread }
    }

    pub(crate) fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) struct Peak {
    stop: Sender<()>,
    thread: std::thread::JoinHandle<f64>,
}

impl Peak {
    pub(crate) fn stop(self) -> f64 {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

pub(crate) fn pss_kib(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find(|l| l.starts_with("Pss:")).unwrap_or("Pss: 0 kB");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

fn switches(pid: u32) -> u64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let line = status.lines().find(|l| l.starts_with("voluntary_ctxt_switches"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .sum()
}
