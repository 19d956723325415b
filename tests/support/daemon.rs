//! The real binary against the local service: starting, waiting, looking at what it left.

use crossbeam_channel::Receiver;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use wtt_connect::local::service::{MessageAuthor, Observed, Service, ServiceEvent, ServiceOptions};

/// The program under test; long runs can name a release build instead (`WTT_TEST_BINARY`).
pub fn binary() -> PathBuf {
    std::env::var_os("WTT_TEST_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_wtt-connect").into(), PathBuf::from)
}
pub const AGENT: &str = "agent-001";
pub const TOKEN: &str = "CANARY-wtt-tok-001";
/// Far more than anything takes on a loaded machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The same, or what `WTT_TEST_PATIENCE` says in seconds: real CLIs on a busy machine take their time.
fn patience() -> Duration {
    let seconds = std::env::var("WTT_TEST_PATIENCE").ok().and_then(|seconds| seconds.parse().ok());
    seconds.map_or(PATIENCE, Duration::from_secs)
}

/// The local service, and everything that it has seen.
pub struct Wtt {
    pub service: Service,
    seen: Receiver<Observed>,
    log: RefCell<Vec<Observed>>,
}

impl Wtt {
    pub fn start() -> Wtt {
        let service = Service::start(ServiceOptions::default()).unwrap();
        service.add_agent(AGENT, TOKEN, "Alice Codex");
        let seen = service.observe();
        Wtt { service, seen, log: RefCell::new(Vec::new()) }
    }

    pub fn p2p(&self) -> String {
        self.service.create_topic("p2p", "chat", &[AGENT])
    }

    /// A person says something; the message id.
    pub fn say(&self, topic: &str, text: &str) -> String {
        self.service.post_message(topic, MessageAuthor::Human, text, json!({}))
    }

    /// Waits until something is seen (also what was seen before), and returns it.
    pub fn wait<T>(&self, what: &str, mut find: impl FnMut(&Observed) -> Option<T>) -> T {
        for seen in self.log.borrow().iter() {
            if let Some(found) = find(seen) {
                return found;
            }
        }
        let deadline = Instant::now() + patience();
        loop {
            let Ok(seen) = self.seen.recv_deadline(deadline) else {
                panic!("waited in vain for {what}; seen: {:#?}", self.tail());
            };
            let found = find(&seen);
            self.log.borrow_mut().push(seen);
            if let Some(found) = found {
                return found;
            }
        }
    }

    fn tail(&self) -> Vec<ServiceEvent> {
        let log = self.log.borrow();
        log.iter().rev().take(30).rev().map(|o| o.event.clone()).collect()
    }

    /// Forgets what was seen so far.
    pub fn forget(&self) {
        while self.seen.try_recv().is_ok() {}
        self.log.borrow_mut().clear();
    }

    pub fn connected(&self) {
        self.wait("an authenticated connection", |o| (o.event == ServiceEvent::Auth(true)).then_some(()));
    }

    /// The threads of a connector that has nothing to do: also its first look at the tasks is over.
    pub fn idle_threads(&self, pid: u32) -> usize {
        self.wait("the look at the tasks", |o| {
            matches!(o.event, ServiceEvent::HttpRequest { .. }).then_some(())
        });
        let is_asking = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm"))
                .is_ok_and(|name| name.trim() == "follow-ups")
        };
        until("its end", || !std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().any(is_asking));
        resources(pid).1
    }

    /// Waits for a visible answer in a topic that contains `text`.
    pub fn answer(&self, topic: &str, text: &str) -> Value {
        self.wait(&format!("an answer with {text:?}"), |o| {
            let ServiceEvent::Message(row) = &o.event else { return None };
            let ours =
                row["sender_id"] == AGENT && row["semantic_type"] == "post" && row["topic_id"] == topic;
            (ours && row["content"].as_str().unwrap().contains(text)).then(|| row.clone())
        })
    }

    /// Waits for a status in a topic that contains `text`.
    pub fn status(&self, topic: &str, text: &str) -> Value {
        self.wait(&format!("a status with {text:?}"), |o| {
            let ServiceEvent::Typing(frame) = &o.event else { return None };
            let found =
                frame["topic_id"] == topic && frame["status_text"].as_str().unwrap_or("").contains(text);
            found.then(|| frame.clone())
        })
    }

    /// The visible posts of the agent in a topic, oldest first.
    pub fn posts(&self, topic: &str) -> Vec<Map<String, Value>> {
        let rows = self.service.messages(topic);
        rows.into_iter().filter(|m| m["sender_id"] == AGENT && m["semantic_type"] == "post").collect()
    }
}

/// A home folder that survives restarts of the connector.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    pub fn state_dir(&self) -> PathBuf {
        self.path().join("state")
    }
    /// One line for each start of the scripted agent: `id|fresh or 1|model|line`.
    pub fn runs(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
    pub fn touch(&self, name: &str) {
        std::fs::write(self.path().join(name), "").unwrap();
    }
    /// Waits until a file exists.
    pub fn wait_for(&self, name: &str) {
        until(&format!("the file {name}"), || self.path().join(name).exists());
    }
    /// What the journal and the state file hold, as text. The journal is read first: what is folded in between is in both.
    pub fn stored(&self) -> String {
        let read = |name| std::fs::read_to_string(self.state_dir().join(name)).unwrap_or_default();
        read("state.json.journal") + &read("state.json")
    }
    /// Whether the state file alone holds everything.
    pub fn is_folded(&self) -> bool {
        std::fs::metadata(self.state_dir().join("state.json.journal")).is_ok_and(|meta| meta.len() == 0)
    }
    /// Replies on disk.
    pub fn outbox(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.state_dir().join("outbox")) else { return Vec::new() };
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| n.ends_with(".json"))
            .collect()
    }
}

/// Waits for a fact that nothing announces. The only place that looks again and again.
pub fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience();
    let (_keep, tick) = crossbeam_channel::bounded::<()>(0);
    while !fact() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        let _ = tick.recv_timeout(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that nobody has reaped yet does not.
pub fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// Open descriptors, threads and resident KiB of a process.
pub fn resources(pid: u32) -> (usize, usize, usize) {
    // the connector's descriptors are shown to nobody but root; to others there are always none
    let count = |what: &str| match std::fs::read_dir(format!("/proc/{pid}/{what}")) {
        Err(e) if what == "fd" && e.kind() == std::io::ErrorKind::PermissionDenied => 0,
        entries => entries.unwrap().count(),
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let rss = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    (count("fd"), count("task"), rss.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// The connector as a child process. Killed (only it) when dropped; its log is printed when the test fails.
pub struct Connector {
    child: Option<Child>,
    /// Kept open: it is read also when the home folder is gone before the connector. A panic while this is dropped after
    /// a failure would end the whole test program.
    log: File,
}

impl Connector {
    /// Starts it with the scripted agent as Claude Code.
    pub fn start(wtt: &Wtt, home: &Home, env: &[(&str, &str)]) -> Connector {
        let connector = Connector::spawn(&wtt.service.base_url(), home, env);
        wtt.connected();
        connector
    }

    /// Starts it against any address, without waiting.
    pub fn spawn(base_url: &str, home: &Home, env: &[(&str, &str)]) -> Connector {
        let name = home.path().join(format!("log-{}", wtt_connect::sys::id::hex()));
        let log = File::options().create_new(true).read(true).append(true).open(name).unwrap();
        let child = command(base_url, home, env).stderr(log.try_clone().unwrap()).spawn().unwrap();
        Connector { child: Some(child), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn log(&self) -> String {
        let mut log = vec![0; self.log.metadata().map_or(0, |meta| meta.len() as usize)];
        let read = self.log.read_exact_at(&mut log, 0);
        format!(
            "{}{}",
            String::from_utf8_lossy(&log),
            read.map_or_else(|e| e.to_string(), |()| String::new())
        )
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.take().unwrap().wait().unwrap()
    }

    /// SIGTERM and wait.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    /// kill -9 and wait.
    pub fn kill(mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.wait();
    }
}

/// The storage steps at which a kill loop kills: some, or with `WTT_TEST_KILL_POINTS=all` each of 1 to `most`.
pub fn kill_points(short: &[usize], most: usize) -> Vec<usize> {
    let all = std::env::var("WTT_TEST_KILL_POINTS").is_ok_and(|v| v == "all");
    if all { (1..most).collect() } else { short.to_vec() }
}

/// The command that starts the connector.
pub fn command(base_url: &str, home: &Home, env: &[(&str, &str)]) -> Command {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/scripted.sh");
    let mut command = Command::new(binary());
    command
        .arg("start")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home.path())
        .env("WTT_BASE_URL", base_url)
        .env("WTT_AGENT_ID", AGENT)
        .env("WTT_TOKEN", TOKEN)
        .env("WTT_CONNECT_ADAPTER", "claude-code")
        .env("WTT_CONNECT_ADAPTERS", "claude-code,codex")
        .env("WTT_CONNECT_CLAUDE_CODE_COMMAND", agent)
        .env("WTT_CONNECT_STATE_DIR", home.state_dir())
        .env("WTT_CONNECT_WORKDIR", home.path().join("work"))
        .env("WTT_CONNECT_LOG", "debug")
        .envs(env.iter().copied())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

impl Drop for Connector {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the connector ---\n{}---", self.log());
        }
    }
}
