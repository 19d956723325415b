//! A POST with a file to an address that the user has configured: OpenAI's audio API. Bodies are streamed.

use crate::http::address_guard::{AddressGuard, Origin};
use crate::http::fetch::{Download, incoming};
use crate::http::proxy::Proxies;
use crate::http::{ERROR_MAX_CHARS, HttpError, agent, error_text, reason, tls_config};
use crate::json;
use crate::secret::Secret;
use crate::text;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use ureq::SendBody;
use ureq::http::Request;

/// Longest part of an error that is read, in bytes.
const ERROR_BYTES: u64 = 64 << 10;

/// A POST with a streamed body.
pub struct FormPost<'a> {
    /// The address.
    pub url: &'a str,
    /// Sent as a bearer token; empty for none.
    pub key: &'a Secret,
    /// Extra CA bundle.
    pub ca_file: Option<&'a Path>,
    /// Its time limit.
    pub total: Duration,
    /// The type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: Box<dyn Read>,
    /// Its length.
    pub length: u64,
}

/// Sends the request. Blocks until the headers of the response have arrived.
pub fn post(post: FormPost<'_>) -> Result<Download, HttpError> {
    let tls = tls_config(post.ca_file)?;
    let origin = Origin::of(post.url).ok_or_else(|| HttpError::Offline("its address is not a URL".into()))?;
    let agent = agent(&tls, &Proxies::from_env(), &origin.url(), post.total, AddressGuard::off())?;
    let mut request = Request::builder()
        .method("POST")
        .uri(post.url)
        .header("Accept", "*/*")
        .header("Content-Type", post.content_type)
        .header("Content-Length", post.length);
    if !post.key.is_empty() {
        request = request.header("Authorization", format!("Bearer {}", post.key.expose()));
    }
    let request = request
        .body(SendBody::from_owned_reader(post.body))
        .map_err(|_| HttpError::Offline("its address is not a URL, or its key is not plain text".into()))?;
    let response = agent
        .run(request)
        .map_err(|e| HttpError::Offline(format!("cannot reach {}: {}", origin.host, reason(&e))))?;
    let status = response.status();
    if status.is_success() {
        return incoming(response);
    }
    let mut said = String::new();
    let _ = response.into_body().into_reader().take(ERROR_BYTES).read_to_string(&mut said);
    let said = match json::parse(&said) {
        Ok(value) => error_text(&value).unwrap_or_default(),
        Err(_) => said,
    };
    let said = if post.key.is_empty() { said } else { said.replace(post.key.expose(), "***") };
    Err(HttpError::Status(status.as_u16(), text::truncate(&text::one_line(&said), ERROR_MAX_CHARS)))
}

/// A form with fields and one file, as `multipart/form-data`: its content type, the text before the bytes of the file
/// and the text after them. `name` has neither quotes nor control characters.
pub fn form(boundary: &str, fields: &[(&str, &str)], name: &str) -> (String, String, String) {
    let mut before = String::new();
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        before.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
        ));
    }
    before.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    ));
    (format!("multipart/form-data; boundary={boundary}"), before, format!("\r\n--{boundary}--\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_its_fields_and_its_file() {
        let (kind, before, after) = form("B", &[("model", "whisper-1"), ("language", "")], "a.ogg");
        assert_eq!(kind, "multipart/form-data; boundary=B");
        assert_eq!(
            before,
            "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--B\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"a.ogg\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        assert_eq!(after, "\r\n--B--\r\n");
    }
}
