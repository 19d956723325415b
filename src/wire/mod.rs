//! The WTT protocol as pure functions: frames in, decisions and frames out. No IO, no clock, no threads.
//!
//! What public clients confirm is in the other files; everything that is only assumed about the service is in
//! [`assumed`] and [`host_frames`], so that it can be changed in one place.

pub mod artifact;
pub mod assumed;
pub mod attachment;
pub mod e2e;
pub mod frame;
pub mod host_frames;
pub mod identity;
pub mod inbound_text;
pub mod intake;
pub mod lenient_json;
pub mod mention;
pub mod message;
pub mod outbound_text;
pub mod outgoing;
pub mod spoken_text;
pub mod task;
pub mod timestamp;
pub mod topic;
