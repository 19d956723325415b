//! The policy for a token that the service refuses: which statuses are refusals, one retry with the token that the
//! profile has now, and one report until a token is accepted again. The caller reads the token.

use super::{Client, HttpError};
use crate::secret::Secret;
use std::sync::atomic::Ordering;

/// Whether an HTTP status, of an endpoint or of the WebSocket upgrade, means that the token was refused (see
/// AUTHENTICATION in wtt-connect-protocol(7); assumed).
pub fn status_refuses_token(status: u16) -> bool {
    matches!(status, UNAUTHORIZED | FORBIDDEN)
}

const UNAUTHORIZED: u16 = 401;
/// It may also mean that a valid token lacks the permission for this request.
const FORBIDDEN: u16 = 403;

impl HttpError {
    /// Whether the service refuses the token.
    pub fn is_token_refused(&self) -> bool {
        matches!(self, HttpError::Status(status, _) if status_refuses_token(*status))
    }
}

impl Client {
    /// Performs a call; if the token is refused, and `current_token` returns another one, once more with that.
    /// An error is that of the last attempt.
    pub fn retry_with_current_token<T>(
        &self,
        current_token: impl FnOnce() -> Secret,
        call: impl Fn(&Client) -> Result<T, HttpError>,
    ) -> Result<T, HttpError> {
        match call(self) {
            Err(refusal) if refusal.is_token_refused() && self.replace_token(current_token()) => call(self),
            result => result,
        }
    }

    /// Records the result of a call. True if it is the first of several refusals of the token; a 403 alone
    /// does not prove a bad token and is not counted.
    pub fn is_first_refusal<T>(&self, result: &Result<T, HttpError>) -> bool {
        let is_refused = matches!(result, Err(HttpError::Status(UNAUTHORIZED, _)));
        !self.refused.swap(is_refused, Ordering::Relaxed) && is_refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_differs_from_other_failures() {
        assert!(status_refuses_token(401) && status_refuses_token(403) && !status_refuses_token(502));
        assert!(!HttpError::Offline("no route".into()).is_token_refused());
    }

    #[test]
    fn a_refused_call_is_repeated_only_with_another_token() {
        let client = Client::new("http://127.0.0.1:9", Secret::new("old"), None).unwrap();
        let calls = std::cell::Cell::new(0);
        let refuse = |_: &Client| -> Result<(), HttpError> {
            calls.set(calls.get() + 1);
            Err(HttpError::Status(401, String::new()))
        };
        let result = client.retry_with_current_token(|| Secret::new("old"), refuse);
        assert!(result.is_err() && calls.get() == 1);
        assert!(client.is_first_refusal(&result) && !client.is_first_refusal(&result));
        let result = client.retry_with_current_token(|| Secret::new("new"), refuse);
        assert!(result.is_err() && calls.get() == 3);
    }
}
