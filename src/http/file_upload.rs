//! Uploads a file to the service in three steps (see FILES in wtt-connect-protocol(7)): sign, PUT, commit. The file is
//! streamed, so a large one takes no memory. The PUT has no token, follows no redirect, and never goes to a private
//! address except that of the service itself ([`crate::http::address_guard`]).

use crate::http::fetch::{FILE_TOTAL, Fetcher};
use crate::http::{Client, HttpError, reason};
use crate::text;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::time::Duration;
use ureq::SendBody;
use ureq::http::Request;

/// Most attempts of a commit while the service does not see the file yet (confirmed, see FILES in
/// wtt-connect-protocol(7)).
const COMMITS: u32 = 4;
/// The delay after the first attempt; it grows by as much with each further one.
const COMMIT_AFTER: Duration = Duration::from_millis(350);
/// The error of the service until then.
const NOT_YET: &str = "not uploaded yet";

/// A file to send.
#[derive(Debug)]
pub struct FileUpload<'a> {
    /// The open file, which is read from the beginning.
    pub file: &'a File,
    /// Its size in bytes.
    pub size: u64,
    /// Its name on the service.
    pub name: &'a str,
    /// Its MIME type.
    pub mime: &'a str,
}

/// Why a file was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadFailure {
    /// Whether another attempt would fail, too.
    pub is_final: bool,
    /// The reason in one line.
    pub why: String,
}

impl UploadFailure {
    /// A final failure.
    pub fn last(why: impl Into<String>) -> UploadFailure {
        UploadFailure { is_final: true, why: why.into() }
    }

    fn passing(why: impl Into<String>) -> UploadFailure {
        UploadFailure { is_final: false, why: why.into() }
    }
}

impl From<HttpError> for UploadFailure {
    fn from(error: HttpError) -> UploadFailure {
        let passing = match &error {
            HttpError::Offline(_) => true,
            HttpError::Status(status, _) => *status >= 500 || matches!(status, 408 | 425 | 429),
        };
        UploadFailure { is_final: !passing, why: error.to_string() }
    }
}

/// Uploads a file and returns its absolute URL. `on` is called with the number of bytes that have been sent.
pub fn upload(
    client: &Client,
    fetcher: &Fetcher,
    out: &FileUpload<'_>,
    on: &mut dyn FnMut(u64),
) -> Result<String, UploadFailure> {
    let wish = json!({ "filename": out.name, "mime_type": out.mime, "size": out.size });
    let (_, signed) = client.post_json("/media/sign", &wish)?;
    let token = field(&signed, "upload_token", "/media/sign")?;
    let to = complete(&client.base, field(&signed, "upload_url", "/media/sign")?);
    fetcher.put(&to, out, on)?;
    let url = complete(&client.base, &commit(client, token, out.size)?);
    // it becomes a link that people click
    match url.starts_with("https://") || url.starts_with("http://") {
        true => Ok(url),
        false => Err(UploadFailure::last("the service returned an address that is not an http or https URL")),
    }
}

/// A text field of an answer.
fn field<'a>(answer: &'a Value, name: &str, of: &str) -> Result<&'a str, UploadFailure> {
    let text = answer[name].as_str().map(str::trim).filter(|text| !text.is_empty());
    text.ok_or_else(|| UploadFailure::passing(format!("the answer of the service to {of} has no `{name}`")))
}

fn commit(client: &Client, token: &str, size: u64) -> Result<String, UploadFailure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.post_json("/media/commit", &json!({ "upload_token": token })) {
            Ok((_, answer)) => {
                if let Some(there) = answer["size"].as_u64().filter(|there| *there != size) {
                    let why = format!("the service has {there} bytes of the file instead of {size}");
                    return Err(UploadFailure::passing(why));
                }
                return field(&answer, "url", "/media/commit").map(str::to_owned);
            }
            Err(HttpError::Status(status, why)) if why.to_ascii_lowercase().contains(NOT_YET) => {
                if tries == COMMITS {
                    // the upload was accepted, so the cause is the service
                    return Err(UploadFailure::passing(format!("HTTP {status}: {why}")));
                }
                crate::sys::thread::sleep(COMMIT_AFTER * tries);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The absolute form of a URL of the service.
fn complete(base: &str, url: &str) -> String {
    let Some((scheme, rest)) = base.split_once("://").filter(|_| !url.contains("://")) else {
        return url.to_owned();
    };
    let host = rest.split('/').next().unwrap_or_default();
    match url.strip_prefix("//") {
        Some(elsewhere) => format!("{scheme}://{elsewhere}"),
        None => format!("{scheme}://{host}/{}", url.trim_start_matches('/')),
    }
}

impl Fetcher {
    /// Sends the bytes to the upload URL of the service.
    fn put(&self, url: &str, out: &FileUpload<'_>, on: &mut dyn FnMut(u64)) -> Result<(), UploadFailure> {
        let bad = |error: HttpError| UploadFailure::last(format!("the address for the upload: {error}"));
        let (agent, origin) = self.agent(url, FILE_TOTAL).map_err(bad)?;
        let mut file = out.file;
        file.seek(SeekFrom::Start(0)).map_err(|e| {
            UploadFailure::passing(format!("the file cannot be read: {}", crate::error::reason(&e)))
        })?;
        let mut counted = Counted { file: file.take(out.size), sent: 0, on };
        let request = Request::builder()
            .method("PUT")
            .uri(url)
            .header("Content-Type", out.mime)
            // storage services refuse a body without a length
            .header("Content-Length", out.size)
            .body(SendBody::from_reader(&mut counted))
            .map_err(|_| UploadFailure::last("the address for the upload is not a URL"))?;
        let mut response = agent.run(request).map_err(|e| {
            // a private address remains one
            let is_final = matches!(&e, ureq::Error::Io(e) if e.kind() == ErrorKind::PermissionDenied);
            UploadFailure { is_final, why: format!("{}: {}", origin.host, reason(&e)) }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let said = response.body_mut().with_config().limit(4096).lossy_utf8(true).read_to_string();
        let said = text::truncate(&text::one_line(&said.unwrap_or_default()), 200);
        Err(HttpError::Status(status.as_u16(), format!("{} did not take the file: {said}", origin.host))
            .into())
    }
}

/// A reader that reports how much has been read.
struct Counted<'a, R: Read> {
    file: R,
    sent: u64,
    on: &'a mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.sent += n as u64;
        (self.on)(self.sent);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_absolute() {
        for (base, url, want) in [
            ("https://wtt.example", "/media/1", "https://wtt.example/media/1"),
            ("https://wtt.example/api", "media/1", "https://wtt.example/media/1"),
            ("http://h:80", "//cdn/x", "http://cdn/x"),
            ("http://h", "https://cdn/x?y=/z", "https://cdn/x?y=/z"),
        ] {
            assert_eq!(complete(base, url), want);
        }
    }
}
