//! Speech to text: a program, or an address that speaks OpenAI's transcription interface (by ourselves or through curl).

use crate::agent::helper_command::HelperError;
use crate::agent::runner::Control;
use crate::config::voice::{SpeechEndpoint, Transcriber};
use crate::http::HttpError;
use crate::http::multipart::{self, FormPost};
use crate::json;
use crate::session::interruptible::{StoppedWhileWaiting, receive_or_stop};
use crate::session::messages::{Lang, Msg};
use crate::session::shared::Shared;
use crate::session::user_program::{self, COMPLAINT_CHARS};
use crate::sys::{id, program_path, thread};
use crate::text;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A recogniser on a small machine needs about as long as the speech lasts.
const TRANSCRIPTION_TIMEOUT: Duration = Duration::from_secs(300);
/// What providers take; a longer recording is for the agent to cut.
const MAX_RECORDING_BYTES: u64 = 25_000_000;
/// An hour of speech.
const MAX_TRANSCRIPT_BYTES: u64 = 256 << 10;

/// The words of a sound file; `None` when nothing is configured to hear them.
pub(crate) fn transcribe_file(
    shared: &Shared,
    sound: &Path,
    lang: Lang,
    control: &Receiver<Control>,
    tell: &mut dyn FnMut(String),
) -> Result<Result<Option<String>, String>, StoppedWhileWaiting> {
    let config = &shared.config;
    let Some(transcriber) = &config.speech.transcriber else { return Ok(Ok(None)) };
    tell(Msg::Listens.to(lang, &[]));
    let language = config.speech.language.as_deref().unwrap_or_default();
    let heard = match transcriber {
        Transcriber::Command(words) => by_command(shared, words, sound, language, control),
        Transcriber::Endpoint(..)
            if std::fs::metadata(sound).is_ok_and(|meta| meta.len() > MAX_RECORDING_BYTES) =>
        {
            return Ok(Err("the recording is too large for it".to_owned()));
        }
        Transcriber::Endpoint(endpoint, how) => {
            let own = if *how == "curl" {
                Err(HttpError::Offline(String::new()))
            } else {
                by_fetch(shared, endpoint, sound, language, control)?
            };
            match own {
                // curl may know a way that we do not
                Err(HttpError::Offline(why)) if *how != "fetch" => {
                    by_curl(shared, endpoint, sound, language, control, why)
                }
                other => other.map_err(|e| HelperError::CannotRun(e.to_string())),
            }
        }
    };
    Ok(match heard.as_deref().map(str::trim) {
        Err(HelperError::Stopped) => return Err(StoppedWhileWaiting),
        Err(error) => Err(error.to_string()),
        Ok("") => Err("no words were heard".to_owned()),
        Ok(words) => Ok(Some(words.to_owned())),
    })
}

/// Fills values into the words of a command; each word stays one argument.
pub(crate) fn fill_placeholders(words: &[String], values: &[(&str, &OsStr)]) -> Vec<OsString> {
    let mut out = Vec::new();
    for word in words {
        let mut filled = OsString::new();
        let mut rest = word.as_str();
        // what was filled in is not looked at again
        while let Some((at, (name, value))) =
            values.iter().filter_map(|pair| Some((rest.find(pair.0)?, pair))).min_by_key(|(at, _)| *at)
        {
            filled.push(&rest[..at]);
            filled.push(value);
            rest = &rest[at + name.len()..];
        }
        filled.push(rest);
        out.push(filled);
    }
    out
}

fn by_command(
    shared: &Shared,
    words: &[String],
    sound: &Path,
    language: &str,
    control: &Receiver<Control>,
) -> Result<String, HelperError> {
    let language = if language.is_empty() { "auto" } else { language };
    let mut all =
        fill_placeholders(words, &[("{file}", sound.as_os_str()), ("{language}", language.as_ref())]);
    if !words.iter().any(|word| word.contains("{file}")) {
        all.push(sound.into());
    }
    user_program::run(shared, &all, "", TRANSCRIPTION_TIMEOUT, Some(control))
}

/// By our own client, in a thread of its own: a stop does not wait for the server.
fn by_fetch(
    shared: &Shared,
    endpoint: &SpeechEndpoint,
    sound: &Path,
    language: &str,
    control: &Receiver<Control>,
) -> Result<Result<String, HttpError>, StoppedWhileWaiting> {
    let (tx, heard) = bounded(1);
    let (endpoint, sound, language) = (endpoint.clone(), sound.to_owned(), language.to_owned());
    let ca_file = shared.config.ca_file.clone();
    let started =
        thread::spawn("hear", move || drop(tx.send(transcribe(&endpoint, &sound, &language, ca_file))));
    if let Err(e) = started {
        return Ok(Err(HttpError::Offline(format!("no thread could be started: {e}"))));
    }
    Ok(receive_or_stop(&heard, control, TRANSCRIPTION_TIMEOUT + Duration::from_secs(1))?
        .unwrap_or_else(|e: RecvTimeoutError| Err(HttpError::Status(408, e.to_string()))))
}

fn transcribe(
    endpoint: &SpeechEndpoint,
    sound: &Path,
    language: &str,
    ca_file: Option<PathBuf>,
) -> Result<String, HttpError> {
    let lost = |e: std::io::Error| HttpError::Status(0, format!("the recording cannot be read: {e}"));
    let file = File::open(sound).map_err(lost)?;
    let size = file.metadata().map_err(lost)?.len();
    let name = sound.file_name().and_then(OsStr::to_str).unwrap_or("audio");
    let fields = [("model", endpoint.model.as_str()), ("response_format", "json"), ("language", language)];
    let (content_type, before, after) = multipart::form(&id::hex(), &fields, name);
    let length = before.len() as u64 + size + after.len() as u64;
    let body = std::io::Cursor::new(before).chain(file.take(size)).chain(std::io::Cursor::new(after));
    let answer = multipart::post(FormPost {
        url: &format!("{}/audio/transcriptions", endpoint.base_url),
        key: &endpoint.key,
        ca_file: ca_file.as_deref(),
        total: TRANSCRIPTION_TIMEOUT,
        content_type: &content_type,
        body: Box::new(body),
        length,
    })?;
    let mut said = String::new();
    answer
        .body
        .take(MAX_TRANSCRIPT_BYTES)
        .read_to_string(&mut said)
        .map_err(|e| HttpError::Status(0, e.to_string()))?;
    parse_transcript(&said).map_err(|why| HttpError::Status(0, why))
}

/// The text of an answer: `{"text": …}`, or the text itself.
fn parse_transcript(answer: &str) -> Result<String, String> {
    match json::parse(answer) {
        Ok(Value::Object(fields)) => match fields.get("text").and_then(Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!(
                "no text in the answer {}",
                text::truncate(&text::one_line(answer), COMPLAINT_CHARS)
            )),
        },
        _ => Ok(answer.to_owned()),
    }
}

/// Through curl. The key goes to its standard input, where nobody else can read it.
fn by_curl(
    shared: &Shared,
    endpoint: &SpeechEndpoint,
    sound: &Path,
    language: &str,
    control: &Receiver<Control>,
    why: String,
) -> Result<String, HelperError> {
    if !why.is_empty() && program_path::find_program(OsStr::new("curl")).is_none() {
        return Err(HelperError::CannotRun(why));
    }
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut lines = vec![
        format!("url = \"{}/audio/transcriptions\"", quoted(&endpoint.base_url)),
        format!("form-string = \"model={}\"", quoted(&endpoint.model)),
        "form-string = \"response_format=json\"".to_owned(),
        format!("form = \"file=@{}\"", quoted(&format!("\"{}\"", quoted(&sound.to_string_lossy())))),
        format!("max-time = {}", TRANSCRIPTION_TIMEOUT.as_secs()),
        "silent\nshow-error\nfail-with-body".to_owned(),
    ];
    if !language.is_empty() {
        lines.push(format!("form-string = \"language={}\"", quoted(language)));
    }
    if !endpoint.key.is_empty() {
        lines.push(format!("header = \"Authorization: Bearer {}\"", quoted(endpoint.key.expose())));
    }
    if let Some(file) = &shared.config.ca_file {
        lines.push(format!("cacert = \"{}\"", quoted(&file.to_string_lossy())));
    }
    lines.push(String::new());
    let curl: Vec<OsString> = ["curl", "--config", "-"].iter().map(OsString::from).collect();
    let answer = user_program::run(shared, &curl, &lines.join("\n"), TRANSCRIPTION_TIMEOUT, Some(control))
        .and_then(|answer| parse_transcript(&answer).map_err(HelperError::CannotRun));
    answer.map_err(|error| match error {
        HelperError::CannotRun(why) if !endpoint.key.is_empty() => {
            HelperError::CannotRun(why.replace(endpoint.key.expose(), "***"))
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_once_and_stay_one_argument() {
        let words: Vec<String> = ["x", "--f={file}", "{language}{file}", "{other}"].map(str::to_owned).into();
        let filled =
            fill_placeholders(&words, &[("{file}", "/a {language}".as_ref()), ("{language}", "de".as_ref())]);
        assert_eq!(filled, ["x", "--f=/a {language}", "de/a {language}", "{other}"]);
    }

    #[test]
    fn answers_are_read_as_json_or_text() {
        assert_eq!(parse_transcript(r#"{"text":"hello","language":"en"}"#).as_deref(), Ok("hello"));
        assert_eq!(parse_transcript("hello\n").as_deref(), Ok("hello\n"));
        assert!(parse_transcript(r#"{"error":"no"}"#).is_err());
    }
}
