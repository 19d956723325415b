//! Speech: what people say becomes text, and answers become sound.

pub mod synthesize;
pub(crate) mod transcribe;
