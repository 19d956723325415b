//! A TCP proxy between a client and a server that can freeze, cut, or cut after so many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What the proxy does with the connections that it has.
#[derive(Default)]
struct State {
    /// Connections opened before this number (exclusive) forward nothing.
    frozen_below: usize,
    opened: usize,
    open: Vec<TcpStream>,
    /// Bytes that may still go from the server to the client until all is cut.
    budget: Option<usize>,
    /// Bytes per second from the client to the server; what is above waits, as in a box with a large buffer.
    rate: Option<usize>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// A running proxy; it ends with the process.
pub struct Proxy {
    pub port: u16,
    shared: Shared,
}

impl Proxy {
    /// Forwards to a port of this machine.
    pub fn start(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::default();
        let theirs = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", target))) else {
                    continue;
                };
                // what is forwarded in small pieces must not wait for acknowledgements
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let number = {
                    let mut state = theirs.0.lock().unwrap();
                    state.opened += 1;
                    state.open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                    state.opened
                };
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (up, down) = (theirs.clone(), theirs.clone());
                std::thread::spawn(move || copy(from, to, number, &up, false));
                std::thread::spawn(move || copy(server, client, number, &down, true));
            }
        });
        Proxy { port, shared }
    }

    /// From now on the client's side gets through so many bytes per second.
    pub fn slow_down(&self, rate: Option<usize>) {
        self.shared.0.lock().unwrap().rate = rate;
    }

    /// Stops forwarding on the connections that exist, without closing them (a NAT entry that was lost).
    pub fn freeze(&self) {
        let mut state = self.shared.0.lock().unwrap();
        state.frozen_below = state.opened + 1;
    }

    /// Lets everything flow again.
    pub fn thaw(&self) {
        self.shared.0.lock().unwrap().frozen_below = 0;
        self.shared.1.notify_all();
    }

    /// Closes all connections.
    pub fn cut(&self) {
        for socket in self.shared.0.lock().unwrap().open.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Cuts once, as soon as the server has sent this many bytes more.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.0.lock().unwrap().budget = Some(bytes);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, number: usize, shared: &Shared, down: bool) {
    let mut buf = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buf) {
        let mut state = shared.0.lock().unwrap();
        while number < state.frozen_below {
            state = shared.1.wait(state).unwrap();
        }
        let mut n = n;
        let mut cut = false;
        if let (true, Some(budget)) = (down, state.budget.as_mut()) {
            cut = n >= *budget;
            n = n.min(*budget);
            *budget -= n;
        }
        if cut {
            state.budget = None;
        }
        let rate = state.rate.filter(|_| !down);
        drop(state);
        // a slow link delivers bit by bit
        let bit = if rate.is_some() { 1024 } else { buf.len() };
        let written = buf[..n].chunks(bit).try_for_each(|bit| {
            if let Some(rate) = rate {
                std::thread::sleep(std::time::Duration::from_secs_f64(bit.len() as f64 / rate as f64));
            }
            to.write_all(bit)
        });
        if written.is_err() || cut {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
