//! Reads the image files of a turn for agents that take images as data within their protocol.

use crate::agent::{PromptImage, TurnRequest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of one image: providers take at most 5 MB of base64.
const MAX_IMAGE: u64 = 3_750_000;
/// Bytes of all images of a turn: each is in memory several times on its way to the agent.
const MAX_ALL: u64 = 4 * MAX_IMAGE;

/// The request with the contents of its images. An image that cannot be read or is too large is passed by its path, as
/// for other agents.
pub(crate) fn read(request: &TurnRequest) -> TurnRequest {
    let mut left = MAX_ALL;
    let mut with = request.clone();
    for image in with.images.iter_mut().filter(|image| image.data.is_none()) {
        let PromptImage { path, data, .. } = image;
        match bytes(path, MAX_IMAGE.min(left)) {
            Ok(bytes) => {
                left -= bytes.len() as u64;
                *data = Some(BASE64_STANDARD.encode(bytes));
            }
            Err(e) => log::debug!("the image {} is passed by its path: {e}", path.display()),
        }
    }
    with
}

/// Reads a regular file; a pipe or a device might never end.
fn bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() || meta.len() > max {
        return Err(io::Error::other("not a regular file, or too large"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
