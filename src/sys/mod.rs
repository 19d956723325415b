//! The operating system: threads, signals, poll, processes, sockets, randomness, clocks, logs. Only this layer uses them directly.
//!
//! Nothing here knows of WTT, agents or configuration.

pub mod child_process;
pub mod fault_injection;
pub mod id;
pub mod line_reader;
pub mod log;
pub mod log_file;
pub mod notify;
pub mod open_beneath;
pub mod os;
pub mod own_executable;
pub mod poll;
pub mod process_tree;
pub mod program_path;
pub mod signal;
pub mod tcp;
pub mod thread;
pub mod time;
pub mod tls;
pub mod transient_line;
pub mod websocket_loop;
pub mod zip;
