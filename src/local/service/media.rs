//! Uploads in three steps (sign, PUT, commit) and downloads, see FILES in wtt-connect-protocol(7).

use super::Service;
use super::event_loop::ServiceLoop;
use super::http::{Body, RequestHead, ServiceResponse};
use super::state::{JsonObject, StoredFile, text};
use crate::error::reason;
use crate::sys::id;
use crate::wire::attachment::safe_name;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

impl Service {
    /// Stores a copy of a file, as if it had been uploaded. Returns its path on the service; the error is for people.
    pub fn store_file(&self, file: &Path, name: &str) -> Result<String, String> {
        let (token, name) = (id::hex(), name.to_owned());
        let uploads = self.run_in_loop(|service| service.uploads.clone()).unwrap_or_default();
        let path = uploads.join(unique_file_name(&name));
        let size = std::fs::copy(file, &path).map_err(|e| reason(&e))?;
        if size == 0 || size > super::http::UPLOAD_BYTES_MAX {
            let _ = std::fs::remove_file(&path);
            let most = super::http::UPLOAD_BYTES_MAX >> 20;
            return Err(if size == 0 {
                "it is empty".to_owned()
            } else {
                format!("it is larger than {most} MiB")
            });
        }
        let url = format!("/media/{token}");
        let mime_type = "application/octet-stream".to_owned();
        let media = StoredFile { filename: name, mime_type, file: Some((path, size)), is_public: true };
        self.run_in_loop(move |service| service.state.media.insert(token, media));
        Ok(url)
    }

    /// Where a stored file is, and its length in bytes.
    pub fn stored_file(&self, media_id: &str) -> Option<(PathBuf, u64)> {
        let media_id = media_id.to_owned();
        self.run_in_loop(move |service| {
            service.state.media.get(&media_id).and_then(|media| media.file.clone())
        })
        .flatten()
    }
}

/// A unique file name with the extension of `filename`, by which viewers know the type.
fn unique_file_name(filename: &str) -> String {
    format!("{}-{}", &id::hex()[..12], safe_name(filename, ""))
}

impl ServiceLoop {
    /// Routes `sign` and `commit`.
    pub fn route_media(
        &mut self,
        method: &str,
        path: &[&str],
        body: &JsonObject,
    ) -> Result<Value, ServiceResponse> {
        match (method, path) {
            ("POST", ["sign"]) => {
                let filename = text(body, "filename").unwrap_or("file");
                if body.get("size").and_then(Value::as_u64).is_some_and(|s| s > super::http::UPLOAD_BYTES_MAX)
                {
                    return Err(ServiceResponse::error(413, "the file is too large"));
                }
                let mime_type = text(body, "mime_type").unwrap_or("application/octet-stream").to_owned();
                let media =
                    StoredFile { filename: filename.to_owned(), mime_type, file: None, is_public: false };
                let token = id::hex();
                self.state.media.insert(token.clone(), media);
                let host = if self.faults.absolute_upload_url { self.base_url.as_str() } else { "" };
                Ok(
                    json!({ "upload_token": token, "upload_url": format!("{host}/media/upload-direct/{token}") }),
                )
            }
            ("POST", ["commit"]) => {
                let token = text(body, "upload_token").unwrap_or_default();
                let not_found = || ServiceResponse::error(404, "unknown upload_token");
                let media = self.state.media.get_mut(token).ok_or_else(not_found)?;
                let is_late = self.faults.late_uploads > 0;
                self.faults.late_uploads = self.faults.late_uploads.saturating_sub(1);
                let Some((_, size)) = media.file.as_ref().filter(|_| !is_late) else {
                    return Err(ServiceResponse::error(400, "File not uploaded yet"));
                };
                media.is_public = true;
                Ok(json!({ "url": format!("/media/{token}"), "filename": media.filename, "size": size,
                    "mime_type": media.mime_type }))
            }
            _ => Err(ServiceResponse::error(404, "Not Found")),
        }
    }

    /// Moves the bytes of a PUT to their place.
    pub fn store_upload(&mut self, token: &str, body: &Body) -> ServiceResponse {
        let Some(media) = self.state.media.get_mut(token) else {
            return ServiceResponse::error(404, "unknown upload");
        };
        let Body::File(part, size) = body else {
            return ServiceResponse::error(400, "no file");
        };
        let path = self.uploads.join(unique_file_name(&media.filename));
        if let Err(e) = std::fs::rename(part, &path) {
            return ServiceResponse::error(500, &e.to_string());
        }
        media.file = Some((path, *size));
        ServiceResponse::json(200, &json!({}))
    }

    /// Returns a stored file. The token comes in a header or, for links in a terminal, as `?access=`.
    pub fn fetch_media(&self, media_id: &str, head: &RequestHead) -> ServiceResponse {
        let by_link = head.query("access").is_some_and(|t| t == self.user_token);
        if !by_link && self.caller(head).is_none() {
            return ServiceResponse::error(401, "invalid or missing token");
        }
        let found = self.state.media.get(media_id).filter(|m| m.is_public);
        match found.and_then(|m| m.file.as_ref().map(|(path, size)| (m, path, size))) {
            Some((media, path, size)) => ServiceResponse {
                status: 200,
                content_type: media.mime_type.clone(),
                body: Body::File(path.clone(), *size),
            },
            None => ServiceResponse::error(404, "media not found"),
        }
    }
}
