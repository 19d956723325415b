//! Images as data: reads the files of a turn for agents that take them within the protocol.

use crate::agent::{PromptImage, TurnRequest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io::{self, Read};
use std::path::Path;

/// One image: what providers take at most (5 MB, in base64).
const MAX_IMAGE: u64 = 3_750_000;
/// All images of a turn: they are held in memory several times over on their way.
const MAX_ALL: u64 = 4 * MAX_IMAGE;

/// The request with the images' bytes. One that cannot be read or is too large goes by its path, as to other agents.
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
            Err(e) => log::debug!("the image {} goes by its path: {e}", path.display()),
        }
    }
    with
}

/// A regular file: a pipe would never end, a device neither.
fn bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() || meta.len() > max {
        return Err(io::Error::other("no regular file, or too large"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
