//! `up`: from an id and a token to a service that is connected. Checks everything, then writes, then starts, then waits.
//!
//! [`plan`] decides, [`startup`] watches the daemon come up; here it is carried out, and each step is said as it is done.

mod plan;
mod startup;

use super::doctor::{Finding, Severity, agents, finding, format, machine, service};
use super::print_and_continue;
use crate::agent::discovery::locate;
use crate::cli::output;
use crate::cli::service::{ServiceAction, ServiceManager, executable_path};
use crate::cli::table::CommandArgs;
use crate::config::keys;
use crate::daemon::control::{self, Request};
use crate::error::{Error, Result, reason};
use crate::store::{atomic, lock};
use crate::sys::thread;
use plan::ProfilePlan;
use startup::Startup;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// Binds an identity.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let mut plan = plan::make(args)?;
    let (id, title, profile) = (&plan.config.agent_id, plan.adapter.title, &plan.profile);
    print_and_continue(&match plan.old {
        Some(_) => format!("Updating profile {profile}: {id} with {title}\n"),
        None => format!("Binding {id} to {title} as profile {profile}\n"),
    })?;
    if args.operands.get(2).is_some_and(|word| word != "-") && std::io::stdin().is_terminal() {
        plan.notes.push("the token is in your shell's history now; `-` reads it from stdin instead".into());
    }
    let offline = check(&plan, args)?;
    let service = ready(&plan, args)?;
    if args.dry_run {
        rehearse(&plan, args, &service)?;
        // what it would end with
        return Ok(service.map_or(ExitCode::from(NO_MANAGER), |_| ExitCode::SUCCESS));
    }
    let outcome = write(&mut plan).and_then(|()| match &service {
        Ok(Some(service)) => start(&plan, args, service, offline),
        Ok(None) => by_hand(&plan, None),
        Err(why) => by_hand(&plan, Some(why)),
    });
    outcome.map_err(|error| match error {
        Error::Silent(code) => Error::Silent(code),
        // exit code and words of the failed step, and how to go on
        Error::Config(why) => Error::Config(again(why)),
        Error::Unavailable(why) => Error::Unavailable(why),
        other => Error::Failed(again(other.to_string())),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn again(why: String) -> String {
    format!("{why}\nWhat is said above has been done; when this is put right, the same command does the rest")
}

/// Exit code where the profile is written, but no service can run: that of [`Error::Unavailable`].
const NO_MANAGER: u8 = 69;

/// Where systemd notes whose services run without a login.
const LINGER: &str = "/var/lib/systemd/linger";

/// What is needed to run the service.
struct Service {
    manager: ServiceManager,
    /// The text of its file.
    text: String,
    active: bool,
    /// Another version of the program runs than lies there now.
    outdated: bool,
    /// Agents at work.
    turns: usize,
}

fn done(what: &str, text: String) -> Result<()> {
    print_and_continue(&format::line(&finding("", what, Severity::Ok, text), output::use_color()))
}

fn note(text: String) -> Result<()> {
    print_and_continue(&format::line(&finding("", "", Severity::Note, text), output::use_color()))
}

/// Looks at the CLI, the directories and the service; refuses what cannot work, and asks about what may not. Whether the
/// service is out of reach for now.
fn check(plan: &ProfilePlan, args: &CommandArgs) -> Result<bool> {
    let config = Arc::new(plan.config.clone());
    let (asked, answer) = (config.clone(), Arc::new(OnceLock::new()));
    let to = answer.clone();
    // beside each other: CLIs need a second to say their version, and so may a far service
    let asking = thread::spawn("service", move || drop(to.set(service::look(&asked, false))));
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(agents::enabled(&config));
    machine::directories(&config, &mut findings);
    if let Ok(thread) = asking {
        let _ = thread.join();
    }
    findings.extend(
        answer
            .get()
            .into_iter()
            .flatten()
            .filter(|f| f.name != "proxy" || f.severity == Severity::Problem)
            .cloned(),
    );
    findings.extend(plan.notes.iter().map(|text| finding("", "", Severity::Note, text.clone())));
    let colors = output::use_color();
    print_and_continue(&findings.iter().map(|f| format::line(f, colors)).collect::<String>())?;

    let bad = |f: &&Finding| f.severity == Severity::Problem;
    let refused = findings.iter().find(|f| bad(f) && f.area != "Agents");
    if let Some(problem) = refused {
        return Err(Error::Config(match problem.name.as_str() {
            "token" => format!(
                "the service refuses this token; nothing was written. Take the current token of {} from the web page",
                config.agent_id
            ),
            _ => format!("{}; nothing was written", problem.text),
        }));
    }
    let doubtful =
        findings.iter().any(|f| f.severity == Severity::Problem || f.text.contains("it belongs to"));
    if doubtful && !args.yes && !args.dry_run && !agreed()? {
        return Err(Error::Failed("stopped; nothing was written".into()));
    }
    Ok(findings.iter().any(|f| f.name == "answer" && f.severity == Severity::Note))
}

/// Asks a person whether to go on. Without one the answer is yes: a script has decided already.
fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() || !output::is_terminal() {
        return Ok(true);
    }
    print_and_continue("Go on all the same? [y/N] ")?;
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Whether there is a service manager, and nothing in the way of the service. The inner error says why there is none.
fn ready(plan: &ProfilePlan, args: &CommandArgs) -> Result<std::result::Result<Option<Service>, String>> {
    let holder = lock::holder(&plan.config.state_dir.join("lock"));
    if args.no_start {
        if let Some(pid) = holder {
            note(format!(
                "process {pid} runs this profile; it takes a new token by itself, all else at its next start"
            ))?;
        }
        return Ok(Ok(None));
    }
    let manager = match ServiceManager::find(&plan.places) {
        Ok(manager) => manager,
        Err(why) => return Ok(Err(why)),
    };
    let exe = executable_path::stable_path().map_err(Error::Failed)?;
    let text = manager.text(&plan.profile, &exe, &plan.places).map_err(Error::Config)?;
    let active = manager.is_active(&plan.profile);
    if let (Some(pid), false) = (holder, active) {
        return Err(Error::TryAgain(format!(
            "process {pid} runs this profile already, without the service; {} stops it. Nothing was written",
            match plan.old {
                Some(_) => format!("`wtt-connect down {}`", plan.profile),
                // there is no such profile yet, only somebody in its state directory
                None => format!("`kill {pid}`"),
            }
        )));
    }
    let status = control::ask(&plan.config.state_dir, &Request::Status).unwrap_or_default();
    let outdated = status["replaced"].as_bool().unwrap_or_default()
        || status["version"].as_str().is_some_and(|version| version != env!("CARGO_PKG_VERSION"));
    let turns = status["running"].as_array().map_or(0, Vec::len);
    Ok(Ok(Some(Service { manager, text, active, outdated, turns })))
}

/// `--dry-run`: what would be done. No secret is shown.
fn rehearse(
    plan: &ProfilePlan,
    args: &CommandArgs,
    service: &std::result::Result<Option<Service>, String>,
) -> Result<()> {
    let mut text = format!("Would write {}:\n", plan.path.display());
    for (name, value) in plan.settings() {
        // settings of the agents may be their keys, and proxies have passwords
        let ours = name.starts_with("WTT_CONNECT_") && !name.contains("TOKEN");
        let shown = keys::find(&name).map_or(ours, |key| !key.secret);
        text.push_str(&format!("  {name}='{}'\n", if shown { &value } else { "***" }));
    }
    match service {
        Ok(Some(s)) => {
            text.push_str(&format!("Would write {}\n", s.manager.file(&plan.profile).display()));
            for step in s.manager.steps(&plan.profile, ServiceAction::Up { reload: true, restart: s.active })
            {
                text.push_str(&format!("Would run {}\n", s.manager.words(&step)));
            }
        }
        Ok(None) => {}
        Err(why) => text.push_str(&format!("Would start no service: {why}\n")),
    }
    if args.enable_linger {
        text.push_str("Would run loginctl enable-linger\n");
    }
    print_and_continue(&(text + "Nothing was changed.\n"))
}

/// The profile, read back, and the folders.
fn write(plan: &mut ProfilePlan) -> Result<()> {
    let (path, text) = (&plan.path, plan.text.expose());
    let failed =
        |e: std::io::Error| Error::Failed(format!("cannot write {}: {}", path.display(), reason(&e)));
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    atomic::make_private_folder(&folder).map_err(failed)?;
    if !plan.is_unchanged() || plan.old.is_none() {
        atomic::write(path, text.as_bytes()).map_err(failed)?;
    }
    let read = std::fs::read_to_string(path).map_err(failed)?;
    if read != text {
        return Err(Error::Failed(format!(
            "{} does not hold what was written; is the disk full?",
            path.display()
        )));
    }
    let words = if plan.is_unchanged() { "is as it was" } else { "written" };
    done("profile", format!("{} {words}", path.display()))?;
    plan.config.prepare()
}

/// Installs, enables and starts, and waits until it is connected or can say why not.
fn start(plan: &ProfilePlan, args: &CommandArgs, service: &Service, offline: bool) -> Result<()> {
    let (manager, profile) = (&service.manager, &plan.profile);
    let reload = manager.install(profile, &service.text).map_err(Error::Failed)?;
    // what runs with these very settings goes on
    let restart = service.active && (reload || service.outdated || !plan.is_unchanged());
    // nobody's work is cut off for a new setting
    let later = restart && service.turns > 0;
    let started = std::time::Instant::now();
    manager.act(profile, ServiceAction::Up { reload, restart: restart && !later }).map_err(|why| {
        let words = manager.last_words(profile);
        let indented: String = words.lines().map(|line| format!("\n  {line}")).collect();
        Error::Failed(format!("the service does not start: {why}{indented}"))
    })?;
    let words = match (service.active, restart) {
        (true, false) => "runs already".into(),
        (true, true) if later => {
            format!(
                "restarts when {} running turn(s) are over; `wtt-connect restart {profile} --now` does not wait",
                service.turns
            )
        }
        (true, true) => "restarted".into(),
        (false, _) => String::from("enabled and started"),
    };
    done("service", format!("{} {words}", manager.name(profile)))?;
    if args.enable_linger {
        linger(manager)?;
    }
    if later {
        return control::ask(&plan.config.state_dir, &Request::Restart { now: false }).map(drop).map_err(
            |_| {
                Error::TryAgain(format!("it could not be restarted; `wtt-connect restart {profile}` does it"))
            },
        );
    }
    let connected = startup::wait_until_connected(&plan.config.state_dir, started, offline);
    let is_connected = matches!(connected, Startup::Connected(_));
    match connected {
        Startup::Connected(after) => {
            done(
                "connection",
                format!("connected to {} after {:.1} s", plan.config.base_url, after.as_secs_f64()),
            )?;
        }
        Startup::Offline(why) => note(format!("not connected yet: {why}; the service goes on trying"))?,
        Startup::Refused(why) => {
            return Err(Error::Config(format!(
                "the service refuses the token ({why}); take the current token of {} from the web page",
                plan.config.agent_id
            )));
        }
    }
    print_and_continue(&next(plan, args, is_connected))
}

fn linger(manager: &ServiceManager) -> Result<()> {
    if cfg!(target_os = "macos") {
        return note("--enable-linger does nothing on macOS: the service starts when you log in".into());
    }
    match manager.linger() {
        Ok(()) => done("linger", "the service starts with the machine".into()),
        Err(why) => note(format!(
            "linger is not permitted here ({why}); an administrator can run `loginctl enable-linger {}`",
            std::env::var("USER").unwrap_or_else(|_| "USER".into())
        )),
    }
}

/// What to do next.
fn next(plan: &ProfilePlan, args: &CommandArgs, connected: bool) -> String {
    let (p, config) = (&plan.profile, &plan.config);
    let missing =
        locate::locate(plan.adapter, config.commands.get(plan.adapter.name).map_or(&[], Vec::as_slice));
    let first = match (missing.is_err(), connected) {
        (true, _) => format!("Now {}.", plan.adapter.install_hint),
        (false, true) => format!("Write to {} on WTT's web page: it answers.", config.agent_id),
        (false, false) => {
            format!("As soon as it is connected, {} answers on WTT's web page.", config.agent_id)
        }
    };
    let user = std::env::var("USER").unwrap_or_default();
    let lingers = args.enable_linger || std::path::Path::new(LINGER).join(user).exists();
    let start = if lingers || cfg!(target_os = "macos") {
        ""
    } else {
        "It starts when you log in; with --enable-linger it starts with the machine.\n"
    };
    let rows = [
        (format!("status {p}"), "how it is"),
        (format!("logs {p} --follow"), "what it does"),
        (format!("down {p}"), "stop it for good"),
    ];
    let rows = rows.map(|(command, what)| [format!("wtt-connect {command}"), what.to_owned()]);
    format!(
        "\n{first}\nIt works in {}, in mode {}.\n{start}{}",
        config.workdir.display(),
        config.mode.name(),
        output::align_columns(&rows, 2),
    )
}

/// There is no service, by wish or for want of a manager: how to run it all the same.
fn by_hand(plan: &ProfilePlan, why: Option<&String>) -> Result<()> {
    let command = format!("wtt-connect start --profile {}", plan.profile);
    if let (Some(why), Some(pid)) = (why, lock::holder(&plan.config.state_dir.join("lock"))) {
        return Err(Error::Unavailable(format!(
            "the profile is written, but no service can be started: {why}. Process {pid} runs it already; to have it take what is new:\n  wtt-connect restart {}",
            plan.profile
        )));
    }
    match why {
        None => print_and_continue(&format!("\nRun it with\n  {command}\n")),
        Some(why) => Err(Error::Unavailable(format!(
            "the profile is written, but no service can be started: {why}. Run it in the foreground, or in the background without a service:\n  {command}\n  nohup {command} --log-to-file >/dev/null 2>&1 &"
        ))),
    }
}
