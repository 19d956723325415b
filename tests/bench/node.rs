//! The floor of a Node connector, measured in the same run: see `node-floor/client.js`.

use crate::process::pss_kib;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What it needs.
pub(crate) struct Floor {
    pub(crate) pss_kib: f64,
    pub(crate) start_ms: f64,
}

/// Measures it, or says why not (no Node, or its packages cannot be installed).
pub(crate) fn floor(settle: Duration) -> Result<Floor, String> {
    let folder = install()?;
    let mut runs = (0..3).map(|_| once(&folder, settle / 3)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by(|a, b| a.pss_kib.total_cmp(&b.pss_kib));
    Ok(runs.swap_remove(1))
}

fn install() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/node-floor");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-floor");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    for file in ["client.js", "package.json"] {
        std::fs::copy(source.join(file), folder.join(file)).map_err(|e| e.to_string())?;
    }
    if !folder.join("node_modules/ws").is_dir() {
        let done = Command::new("npm")
            .args(["install", "--omit=dev", "--no-audit", "--no-fund", "--silent"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(
                "it needs Node with npm, and the packages ws and node-pty (which needs a C++ compiler)"
                    .to_owned(),
            );
        }
    }
    Ok(folder)
}

fn once(folder: &Path, settle: Duration) -> Result<Floor, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    let url = format!("ws://{}/", listener.local_addr().map_err(|e| e.to_string())?);
    let at = Instant::now();
    let mut child = Command::new("node")
        .arg("client.js")
        .current_dir(folder)
        .env("WS_URL", url)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|_| "node is not here".to_owned())?;
    let (socket, _) = listener.accept().map_err(|e| e.to_string())?;
    let socket = tungstenite::accept(socket).map_err(|e| e.to_string());
    let start_ms = at.elapsed().as_secs_f64() * 1e3;
    std::thread::sleep(settle);
    let floor = Floor { pss_kib: pss_kib(child.id()), start_ms };
    drop(socket);
    let _ = child.kill();
    let _ = child.wait();
    Ok(floor)
}
