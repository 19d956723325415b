//! The demonstration agent: a child process of our own binary that speaks like `claude -p --output-format stream-json`.
//!
//! It has no model. It exists so that `wtt-connect try` shows the whole way of a message on a machine without an agent
//! CLI, and so that benchmarks and tests have an agent that starts in a millisecond. It says what it is.

mod intent;
mod stream_reader;
mod stream_writer;
mod tool;
mod transcript;

use crate::sys::signal::{self, Signal};
use crate::sys::{id, time};
use crossbeam_channel::{Receiver, never, select};
use intent::Wish;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use stream_reader::Heard;
use stream_writer::{Ending, Voice};
use transcript::Memory;

/// Largest prompt taken; the real CLI takes a few MB as well.
const PROMPT_MAX: u64 = 16 * 1024 * 1024;
/// Pace of `count to N slowly`: slow enough to be watched and stopped.
const SLOW: Duration = Duration::from_millis(400);
/// Longest wait for an answer: the connector gives up long before.
const ASKS: Duration = Duration::from_secs(24 * 60 * 60);
/// Version of the protocol that is spoken, as the real CLI prints it.
const VERSION: &str = "2.1.330 (wtt-connect demonstration agent)";
/// Exit code after SIGTERM, as the real CLI's.
const TERMINATED: u8 = 143;

/// The options that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Args {
    stream_json: bool,
    verbose: bool,
    partial: bool,
    two_way: bool,
    session_id: Option<String>,
    resume: Option<String>,
    model: Option<String>,
    permission_mode: Option<String>,
    memory: Option<PathBuf>,
    prompt: Option<String>,
}

/// Options of the real CLI that are taken without effect.
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

fn parse(args: impl Iterator<Item = OsString>) -> Result<Args, String> {
    let mut out = Args::default();
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
            "--verbose" => out.verbose = true,
            "--include-partial-messages" => out.partial = true,
            "--output-format" => out.stream_json = value()? == "stream-json",
            "--input-format" => out.two_way = value()? == "stream-json",
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

/// Runs the agent for one turn. `args` are those after `demo-agent`.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let words: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if words.iter().any(|w| matches!(*w, "--version" | "-v")) {
        return say_plain(VERSION);
    }
    if words.ends_with(&["auth", "status"]) {
        return say_plain(r#"{"loggedIn": true, "authMethod": "none", "apiProvider": "demonstration"}"#);
    }
    match parse(args.into_iter()).and_then(turn) {
        Ok(code) => ExitCode::from(code),
        Err(complaint) => {
            let _ = writeln!(io::stderr(), "{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn say_plain(line: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}

fn turn(args: Args) -> Result<u8, String> {
    if args.stream_json && !args.verbose {
        return Err("Error: When using --print, --output-format=stream-json requires --verbose".to_owned());
    }
    if args.two_way {
        return converse(&args);
    }
    let prompt = match args.prompt.clone() {
        Some(prompt) => prompt,
        None => read_prompt(),
    };
    if prompt.trim().is_empty() {
        let complaint =
            "Error: Input must be provided either through stdin or as a prompt argument when using --print";
        return Err(complaint.to_owned());
    }
    let stop = signal::listen().map_err(|e| format!("Error: {e}"))?;
    let Some((session_id, memory)) = open(&args)? else { return unknown_session(&args) };
    Ok(Turn::new(&args, session_id, memory, stop, never()).run(&prompt))
}

/// Turn after turn in one process, with questions, until stdin is closed.
fn converse(args: &Args) -> Result<u8, String> {
    let failed = |e: io::Error| format!("Error: {e}");
    let (stop, heard) = (signal::listen().map_err(failed)?, stream_reader::listen().map_err(failed)?);
    let Some((session_id, mut memory)) = open(args)? else { return unknown_session(args) };
    let mut later: Vec<Value> = Vec::new();
    loop {
        let mut message = if later.is_empty() {
            select! {
                recv(stop) -> _ => return Ok(TERMINATED),
                recv(heard) -> said => match said {
                    Ok(Heard::Said(message)) => message,
                    // it comes too late: the turn is over
                    Ok(_) => continue,
                    Err(_) => return Ok(0),
                },
            }
        } else {
            later.remove(0)
        };
        let mut turn = Turn::new(args, session_id.clone(), memory, stop.clone(), heard.clone());
        turn.later = later;
        message["isReplay"] = true.into();
        let prompt = stream_reader::words(&message);
        turn.voice.line(message);
        if turn.run(&prompt) == TERMINATED {
            return Ok(TERMINATED);
        }
        later = turn.later;
        let Some(next) = Memory::resume(&folder(args), &session_id) else { return unknown_session(args) };
        memory = next;
    }
}

fn folder(args: &Args) -> PathBuf {
    args.memory.clone().unwrap_or_else(transcript::default_folder)
}

/// The session: the one to resume, None when that is not known, or a new one.
fn open(args: &Args) -> Result<Option<(String, Memory)>, String> {
    if let Some(old) = &args.resume {
        return Ok(Memory::resume(&folder(args), old).map(|memory| (old.clone(), memory)));
    }
    let new = args.session_id.clone().unwrap_or_else(id::uuid_v4);
    let memory = Memory::start(&folder(args), &new)?;
    Ok(Some((new, memory)))
}

fn read_prompt() -> String {
    let mut bytes = Vec::new();
    let _ = io::stdin().lock().take(PROMPT_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unknown_session(args: &Args) -> Result<u8, String> {
    let session_id = args.resume.as_deref().unwrap_or_default();
    let complaint = format!("No conversation found with session ID: {session_id}");
    if args.stream_json {
        let mut voice = Voice::new(session_id.to_owned(), String::new(), true, false);
        voice.end(Instant::now(), &Ending::NoSession(&complaint));
    }
    Err(complaint)
}

/// Somebody wants the turn to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// SIGINT: end in order, with an aborted result.
    Interrupted,
    /// SIGTERM: end at once.
    Terminated,
}

struct Turn {
    voice: Voice,
    memory: Memory,
    stop: Receiver<Signal>,
    /// The connector, where both sides talk.
    heard: Receiver<Heard>,
    /// What was said meanwhile: for turns of its own.
    later: Vec<Value>,
    mode: String,
    /// Whether it asks before it uses its tool.
    asks: bool,
    asked: Instant,
}

impl Turn {
    fn new(
        args: &Args,
        session_id: String,
        memory: Memory,
        stop: Receiver<Signal>,
        heard: Receiver<Heard>,
    ) -> Self {
        let model = args.model.clone().unwrap_or_else(|| "demonstration".to_owned());
        let voice = Voice::new(session_id, model, args.stream_json, args.partial);
        let mode = args.permission_mode.clone().unwrap_or_else(|| "default".to_owned());
        let asks = args.two_way && mode != "bypassPermissions";
        Self { voice, memory, stop, heard, later: Vec::new(), mode, asks, asked: Instant::now() }
    }

    fn run(&mut self, prompt: &str) -> u8 {
        self.voice.init(&self.mode);
        let wish = intent::read(prompt);
        let before = self.memory.said();
        self.memory.add(prompt);
        match self.grant(&wish, &before) {
            Ok(ending) => {
                self.voice.end(self.asked, &ending);
                u8::from(matches!(ending, Ending::Failed(_)))
            }
            Err(Halt::Interrupted) => {
                let ending = self.voice.interrupted();
                self.voice.end(self.asked, &ending);
                0
            }
            Err(Halt::Terminated) => TERMINATED,
        }
    }

    /// Waits, unless somebody wants the turn to end. An answer to the open question ends it too.
    fn pause(&mut self, time: Duration) -> Result<Option<Result<(), String>>, Halt> {
        let until = Instant::now() + time;
        loop {
            select! {
                recv(self.stop) -> signal => match signal {
                    Ok(Signal::Stop(number)) if number == signal_hook::consts::SIGINT => return Err(Halt::Interrupted),
                    Ok(Signal::Stop(_)) => return Err(Halt::Terminated),
                    _ => {}
                },
                recv(self.heard) -> heard => match heard {
                    Ok(Heard::Said(message)) => self.later.push(message),
                    Ok(Heard::Answer(answer)) => return Ok(Some(answer)),
                    Ok(Heard::Interrupt) => return Err(Halt::Interrupted),
                    // nobody is left to answer to
                    Err(_) => return Err(Halt::Terminated),
                },
                default(until.saturating_duration_since(Instant::now())) => return Ok(None),
            }
        }
    }

    fn grant(&mut self, wish: &Wish, before: &[Wish]) -> Result<Ending<'static>, Halt> {
        match wish {
            Wish::Fail => {
                let text = "API Error: 500 The demonstration agent fails because it was asked to.";
                self.voice.api_error(text);
                Ok(Ending::Failed(text))
            }
            Wish::Count { to, slowly } => {
                self.voice.open_text();
                for number in 1..=*to {
                    self.pause(if *slowly { SLOW } else { Duration::ZERO })?;
                    self.voice.piece(&format!("{number} "));
                }
                self.voice.piece("– done.");
                self.voice.close_text();
                Ok(Ending::Completed)
            }
            Wish::List => {
                self.voice.say("I look at the files here.");
                let listing = self.list()?;
                self.voice.say(&intent::listing(&listing));
                Ok(Ending::Completed)
            }
            other => {
                self.voice.say(&intent::answer(other, before, time::now_ms()));
                Ok(Ending::Completed)
            }
        }
    }

    /// Runs a real `ls` as a tool of the agent.
    fn list(&mut self) -> Result<Result<String, String>, Halt> {
        let (command, about) = ("ls -1", "List the files of the working directory");
        self.voice.tool_call("Bash", command, about);
        let mut answer = Some(Ok(()));
        if self.asks {
            self.voice.ask("Bash", command, about);
            answer = self.pause(ASKS)?;
        }
        let output = match answer {
            Some(Ok(())) => tool::run("ls", &["-1"], &self.stop)?,
            Some(Err(refused)) => Err(refused),
            None => Err("nobody answered".to_owned()),
        };
        self.voice.tool_end(&output);
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn takes_the_command_line_of_the_real_cli() {
        let line = "-p --output-format stream-json --verbose --include-partial-messages --model=m --effort high \
                    --dangerously-skip-permissions --resume abc";
        let expected = Args {
            stream_json: true,
            verbose: true,
            partial: true,
            resume: Some("abc".into()),
            model: Some("m".into()),
            ..Args::default()
        };
        assert_eq!(args(line), Ok(expected));
    }

    #[test]
    fn refuses_what_the_real_cli_refuses() {
        assert_eq!(args("--nonsense"), Err("error: unknown option '--nonsense'".into()));
        assert_eq!(args("--model"), Err("error: option '--model' argument missing".into()));
    }
}
