//! The demonstration agent: a child process of our own binary with the protocol of `claude -p --output-format stream-json`.
//!
//! It has no model. With it `wtt-connect try` shows the whole path of a message on a machine without an agent CLI, and
//! benchmarks and tests have an agent that starts in a millisecond. Its answers say what it is.

mod intent;
mod stream_reader;
mod stream_writer;
mod tool;
mod transcript;

use crate::sys::signal::{self, Signal};
use crate::sys::{id, time};
use crossbeam_channel::{Receiver, never, select};
use intent::Intent;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use stream_reader::InputLine;
use stream_writer::{DemoEnding, StreamWriter};
use tool::StopRequest;
use transcript::Transcript;

/// Largest prompt in bytes; the real CLI takes a few MB, too.
const PROMPT_MAX: u64 = 16 * 1024 * 1024;
/// Time between two numbers of `count to N slowly`: long enough to watch and to stop it.
const COUNT_PAUSE: Duration = Duration::from_millis(400);
/// Longest wait for an answer to a permission request: the connector gives up long before.
const PERMISSION_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The version of the real CLI whose protocol this is, in the form in which it prints it.
const VERSION: &str = "2.1.330 (wtt-connect demonstration agent)";
/// Exit code after SIGTERM, as the real CLI's.
const TERMINATED: u8 = 143;

/// The options that have an effect.
#[derive(Debug, Default, PartialEq, Eq)]
struct DemoArgs {
    is_stream_json: bool,
    is_verbose: bool,
    has_partial_messages: bool,
    is_two_way: bool,
    session_id: Option<String>,
    resume: Option<String>,
    model: Option<String>,
    permission_mode: Option<String>,
    memory: Option<PathBuf>,
    prompt: Option<String>,
}

/// Options of the real CLI that are accepted without effect.
const IGNORED_SWITCHES: &[&str] =
    &["-p", "--print", "--dangerously-skip-permissions", "--fork-session", "--replay-user-messages"];
const IGNORED_VALUES: &[&str] = &[
    "--effort",
    "--append-system-prompt",
    "--system-prompt-snapshot",
    "--settings",
    "--mcp-config",
    "--add-dir",
    "--allowedTools",
    "--disallowedTools",
    "--max-turns",
    "--permission-prompt-tool",
];

fn parse_args(args: impl Iterator<Item = OsString>) -> Result<DemoArgs, String> {
    let mut out = DemoArgs::default();
    let mut args = args.map(|a| a.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (arg.clone(), None),
        };
        let mut value = || {
            inline
                .clone()
                .or_else(|| args.next())
                .ok_or_else(|| format!("error: option '{name}' argument missing"))
        };
        match name.as_str() {
            "--verbose" => out.is_verbose = true,
            "--include-partial-messages" => out.has_partial_messages = true,
            "--output-format" => out.is_stream_json = value()? == "stream-json",
            "--input-format" => out.is_two_way = value()? == "stream-json",
            "--session-id" => out.session_id = Some(value()?),
            "--resume" | "-r" => out.resume = Some(value()?),
            "--model" => out.model = Some(value()?),
            "--permission-mode" => out.permission_mode = Some(value()?),
            "--memory" => out.memory = Some(PathBuf::from(value()?)),
            switch if IGNORED_SWITCHES.contains(&switch) => {}
            option if IGNORED_VALUES.contains(&option) => drop(value()?),
            option if option.starts_with('-') && option.len() > 1 => {
                return Err(format!("error: unknown option '{option}'"));
            }
            prompt => out.prompt = Some(prompt.to_owned()),
        }
    }
    Ok(out)
}

/// Runs the agent. `args` are those after `demo-agent`.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let words: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if words.iter().any(|w| matches!(*w, "--version" | "-v")) {
        return print_line(VERSION);
    }
    if words.ends_with(&["auth", "status"]) {
        return print_line(r#"{"loggedIn": true, "authMethod": "none", "apiProvider": "demonstration"}"#);
    }
    match parse_args(args.into_iter()).and_then(run_turn) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn print_line(line: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}

fn run_turn(args: DemoArgs) -> Result<u8, String> {
    if args.is_stream_json && !args.is_verbose {
        return Err("Error: When using --print, --output-format=stream-json requires --verbose".to_owned());
    }
    if args.is_two_way {
        return run_turns(&args);
    }
    let prompt = args.prompt.clone().unwrap_or_else(read_prompt);
    if prompt.trim().is_empty() {
        let message =
            "Error: Input must be provided either through stdin or as a prompt argument when using --print";
        return Err(message.to_owned());
    }
    let stop = signal::listen().map_err(|e| format!("Error: {e}"))?;
    let Some((session_id, transcript)) = open_session(&args)? else { return unknown_session(&args) };
    Ok(DemoTurn::new(&args, session_id, transcript, stop, never()).run(&prompt))
}

/// Runs turn after turn, with permission requests, until stdin is closed. Returns the exit code.
fn run_turns(args: &DemoArgs) -> Result<u8, String> {
    let failed = |e: io::Error| format!("Error: {e}");
    let (stop, input) = (signal::listen().map_err(failed)?, stream_reader::read_stdin().map_err(failed)?);
    let Some((session_id, mut transcript)) = open_session(args)? else { return unknown_session(args) };
    let mut queued: Vec<Value> = Vec::new();
    loop {
        let mut message = if queued.is_empty() {
            select! {
                recv(stop) -> _ => return Ok(TERMINATED),
                recv(input) -> line => match line {
                    Ok(InputLine::Message(message)) => message,
                    // too late: the turn is over
                    Ok(_) => continue,
                    Err(_) => return Ok(0),
                },
            }
        } else {
            queued.remove(0)
        };
        let mut turn = DemoTurn::new(args, session_id.clone(), transcript, stop.clone(), input.clone());
        turn.queued = queued;
        message["isReplay"] = true.into();
        let prompt = stream_reader::message_text(&message);
        turn.writer.write_line(message);
        if turn.run(&prompt) == TERMINATED {
            return Ok(TERMINATED);
        }
        queued = turn.queued;
        let Some(next) = Transcript::open(&session_folder(args), &session_id) else {
            return unknown_session(args);
        };
        transcript = next;
    }
}

fn session_folder(args: &DemoArgs) -> PathBuf {
    args.memory.clone().unwrap_or_else(transcript::default_folder)
}

/// Opens the session to resume, or creates one. None if the one to resume does not exist.
fn open_session(args: &DemoArgs) -> Result<Option<(String, Transcript)>, String> {
    if let Some(old) = &args.resume {
        return Ok(Transcript::open(&session_folder(args), old).map(|transcript| (old.clone(), transcript)));
    }
    let new = args.session_id.clone().unwrap_or_else(id::uuid_v4);
    let transcript = Transcript::create(&session_folder(args), &new)?;
    Ok(Some((new, transcript)))
}

fn read_prompt() -> String {
    let mut bytes = Vec::new();
    let _ = io::stdin().lock().take(PROMPT_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unknown_session(args: &DemoArgs) -> Result<u8, String> {
    let session_id = args.resume.as_deref().unwrap_or_default();
    let message = format!("No conversation found with session ID: {session_id}");
    if args.is_stream_json {
        let mut writer = StreamWriter::new(session_id.to_owned(), String::new(), true, false);
        writer.end_turn(Instant::now(), &DemoEnding::NoSession(&message));
    }
    Err(message)
}

struct DemoTurn {
    writer: StreamWriter,
    transcript: Transcript,
    stop: Receiver<Signal>,
    /// Lines of the connector, in the two-way form.
    input: Receiver<InputLine>,
    /// Messages that arrived meanwhile; each gets a turn of its own.
    queued: Vec<Value>,
    permission_mode: String,
    /// It requests permission before it uses its tool.
    requests_permission: bool,
    start: Instant,
}

impl DemoTurn {
    fn new(
        args: &DemoArgs,
        session_id: String,
        transcript: Transcript,
        stop: Receiver<Signal>,
        input: Receiver<InputLine>,
    ) -> Self {
        let model = args.model.clone().unwrap_or_else(|| "demonstration".to_owned());
        let writer = StreamWriter::new(session_id, model, args.is_stream_json, args.has_partial_messages);
        let permission_mode = args.permission_mode.clone().unwrap_or_else(|| "default".to_owned());
        let requests_permission = args.is_two_way && permission_mode != "bypassPermissions";
        Self {
            writer,
            transcript,
            stop,
            input,
            queued: Vec::new(),
            permission_mode,
            requests_permission,
            start: Instant::now(),
        }
    }

    fn run(&mut self, prompt: &str) -> u8 {
        self.writer.write_init(&self.permission_mode);
        let intent = intent::parse(prompt);
        let earlier = self.transcript.earlier();
        self.transcript.append(prompt);
        match self.perform(&intent, &earlier) {
            Ok(ending) => {
                self.writer.end_turn(self.start, &ending);
                u8::from(matches!(ending, DemoEnding::Failed(_)))
            }
            Err(StopRequest::Interrupted) => {
                let ending = self.writer.interrupt();
                self.writer.end_turn(self.start, &ending);
                0
            }
            Err(StopRequest::Terminated) => TERMINATED,
        }
    }

    /// Waits. Ends early with the decision about an open permission request, or with an error if the turn has to stop.
    fn pause(&mut self, time: Duration) -> Result<Option<Result<(), String>>, StopRequest> {
        let deadline = Instant::now() + time;
        loop {
            select! {
                recv(self.stop) -> signal => match signal {
                    Ok(Signal::Stop(number)) if number == signal_hook::consts::SIGINT => return Err(StopRequest::Interrupted),
                    Ok(Signal::Stop(_)) => return Err(StopRequest::Terminated),
                    _ => {}
                },
                recv(self.input) -> line => match line {
                    Ok(InputLine::Message(message)) => self.queued.push(message),
                    Ok(InputLine::Decision(decision)) => return Ok(Some(decision)),
                    Ok(InputLine::Interrupt) => return Err(StopRequest::Interrupted),
                    // the connector is gone
                    Err(_) => return Err(StopRequest::Terminated),
                },
                default(deadline.saturating_duration_since(Instant::now())) => return Ok(None),
            }
        }
    }

    fn perform(&mut self, intent: &Intent, earlier: &[Intent]) -> Result<DemoEnding<'static>, StopRequest> {
        match intent {
            Intent::Fail => {
                let text = "API Error: 500 The demonstration agent fails because it was asked to.";
                self.writer.write_api_error(text);
                Ok(DemoEnding::Failed(text))
            }
            Intent::Count { to, slowly } => {
                self.writer.begin_text();
                for number in 1..=*to {
                    self.pause(if *slowly { COUNT_PAUSE } else { Duration::ZERO })?;
                    self.writer.write_piece(&format!("{number} "));
                }
                self.writer.write_piece("– done.");
                self.writer.end_text();
                Ok(DemoEnding::Completed)
            }
            Intent::List => {
                self.writer.write_text("I am looking at the files here.");
                let listing = self.list_files()?;
                self.writer.write_text(&intent::listing(&listing));
                Ok(DemoEnding::Completed)
            }
            other => {
                self.writer.write_text(&intent::answer(other, earlier, time::now_ms()));
                Ok(DemoEnding::Completed)
            }
        }
    }

    /// Runs a real `ls` as a tool of the agent.
    fn list_files(&mut self) -> Result<Result<String, String>, StopRequest> {
        let (command, about) = ("ls -1", "List the files of the working directory");
        self.writer.begin_tool_call("Bash", command, about);
        let mut decision = Some(Ok(()));
        if self.requests_permission {
            self.writer.request_permission("Bash", command, about);
            decision = self.pause(PERMISSION_TIME)?;
        }
        let output = match decision {
            Some(Ok(())) => tool::run("ls", &["-1"], &self.stop)?,
            Some(Err(reason)) => Err(reason),
            None => Err("nobody answered".to_owned()),
        };
        self.writer.end_tool_call(&output);
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<DemoArgs, String> {
        parse_args(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn takes_the_command_line_of_the_real_cli() {
        let line = "-p --output-format stream-json --verbose --include-partial-messages --model=m --effort high \
                    --dangerously-skip-permissions --resume abc";
        let expected = DemoArgs {
            is_stream_json: true,
            is_verbose: true,
            has_partial_messages: true,
            resume: Some("abc".into()),
            model: Some("m".into()),
            ..DemoArgs::default()
        };
        assert_eq!(args(line), Ok(expected));
    }

    #[test]
    fn refuses_what_the_real_cli_refuses() {
        assert_eq!(args("--nonsense"), Err("error: unknown option '--nonsense'".into()));
        assert_eq!(args("--model"), Err("error: option '--model' argument missing".into()));
    }
}
