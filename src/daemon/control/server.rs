//! The daemon's side of the control socket: listens, reads requests, lets the hub answer. It decides nothing.
//!
//! One thread blocks in accept(2), one small thread serves each client: no wake-ups without requests.

use super::reply::{ControlRequest, reply};
use super::{ANSWER_TIMEOUT, MAX_REQUEST, Request, SOCKET, is_ours, read_line};
use crate::daemon::event::Event;
use crate::store::atomic;
use crate::sys::thread;
use crossbeam_channel::Sender;
use serde_json::json;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// People and agents ask one thing at a time; more at once than this are turned away.
const CLIENTS: usize = 8;
/// After an accept(2) that failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_secs(1);

/// The socket as long as the daemon runs; its files go when this is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    files: Vec<PathBuf>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.files.iter().for_each(|file| drop(fs::remove_file(file)));
    }
}

/// Starts to listen. The caller holds the lock of the state directory, so a socket in it is left over.
pub(crate) fn listen(state_dir: &Path, mark: &str, events: Sender<Event>) -> io::Result<Socket> {
    let (listener, files) = bind(state_dir, mark)?;
    thread::spawn_small("control", move || accept(&listener, &events))?;
    Ok(Socket { files })
}

/// In the state directory, with a link in the user's folder for such things, where there is one; where that path is too
/// long, or its file system has no sockets, the other way round.
fn bind(state_dir: &Path, mark: &str) -> io::Result<(UnixListener, Vec<PathBuf>)> {
    let path = state_dir.join(SOCKET);
    let name = format!("{mark}.sock");
    if let Ok(listener) = bind_at(&path) {
        let wanted = std::env::var_os("XDG_RUNTIME_DIR").and_then(|_| runtime_folder().ok());
        let linked = |link: &PathBuf| {
            remove(link)?;
            std::os::unix::fs::symlink(&path, link)
        };
        let link = wanted.map(|folder| folder.join(&name)).filter(|link| linked(link).is_ok());
        return Ok((listener, [path].into_iter().chain(link).collect()));
    }
    let elsewhere = runtime_folder()?.join(name);
    let listener = bind_at(&elsewhere)?;
    remove(&path)?;
    std::os::unix::fs::symlink(&elsewhere, &path)?;
    Ok((listener, vec![path, elsewhere]))
}

/// The user's own folder for sockets, or one in the temporary folder; private, or an error.
fn runtime_folder() -> io::Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let me = rustix::process::geteuid().as_raw();
    let folder = match runtime {
        Some(runtime) => runtime.join("wtt-connect"),
        None => std::env::temp_dir().join(format!("wtt-connect-{me}")),
    };
    atomic::make_private_folder(&folder)?;
    let meta = fs::symlink_metadata(&folder)?;
    if !meta.is_dir() || meta.uid() != me || meta.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("{} is not private", folder.display())));
    }
    Ok(folder)
}

fn bind_at(path: &Path) -> io::Result<UnixListener> {
    remove(path)?;
    let listener = UnixListener::bind(path)?;
    // a connection made before this is refused by its user id
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Until the process ends.
fn accept(listener: &UnixListener, events: &Sender<Event>) {
    let places = Arc::new(());
    loop {
        match listener.accept() {
            Ok((stream, _)) if is_ours(&stream) && Arc::strong_count(&places) <= CLIENTS => {
                let (place, events) = (places.clone(), events.clone());
                let served = thread::spawn_small("control/client", move || {
                    serve(stream, &events);
                    drop(place);
                });
                if let Err(error) = served {
                    log::warn!(target: "control", "cannot serve a request: {error}");
                }
            }
            Ok(_) => log::warn!(target: "control", "turned a client away: another user, or too many at once"),
            Err(error) => {
                log::warn!(target: "control", "cannot accept requests: {error}");
                crate::sys::thread::sleep(PAUSE);
            }
        }
    }
}

fn serve(mut stream: UnixStream, events: &Sender<Event>) {
    let line = read_line(&mut stream, MAX_REQUEST, Instant::now() + ANSWER_TIMEOUT);
    let request = match line {
        Ok(line) => Request::read(&line),
        Err(_) => Err("the request did not come as one line in time".to_owned()),
    };
    match request {
        Ok(request) => {
            log::debug!(target: "control", "asked: {request:?}");
            let _ = events.send(Event::Control(ControlRequest { request, back: stream }));
        }
        Err(why) => {
            reply(stream, &json!({ "error": why }));
        }
    }
}
