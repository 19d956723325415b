//! `up`: makes an id and a token into a service that is connected. It checks everything, then writes the profile, then
//! starts the service, then waits for the connection.
//!
//! `plan.rs` decides what to do, this file does it and prints each step, and `startup.rs` waits for the daemon.

mod plan;
mod startup;

use super::doctor::{Finding, Severity, agents, finding, format, machine, service};
use super::running_pid;
use crate::agent::discovery::locate;
use crate::cli::output;
use crate::cli::service::{ServiceAction, ServiceManager, executable_path};
use crate::cli::table::CommandArgs;
use crate::config::keys;
use crate::daemon::control::{self, Request};
use crate::error::{EXIT_UNAVAILABLE, Error, Result, cannot};
use crate::store::atomic;
use crate::sys::thread;
use plan::ProfilePlan;
use startup::Startup;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// Binds an agent to a CLI.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let mut plan = plan::make(args)?;
    let (id, title, profile) = (&plan.config.agent_id, plan.adapter.title, &plan.profile);
    output::print_and_continue(&match plan.old {
        Some(_) => format!("Updating profile {profile}: {id} with {title}\n"),
        None => format!("Binding {id} to {title} as profile {profile}\n"),
    })?;
    if args.operands.get(2).is_some_and(|word| word != "-") && std::io::stdin().is_terminal() {
        plan.notes
            .push("the token is now in your shell's history; use `-` to read it from stdin instead".into());
    }
    let offline = check(&plan, args)?;
    let service = prepare_service(&plan, args)?;
    if args.dry_run {
        print_dry_run(&plan, args, &service)?;
        // the code that it would end with
        return Ok(service.map_or(ExitCode::from(EXIT_UNAVAILABLE), |_| ExitCode::SUCCESS));
    }
    let outcome = write(&mut plan).and_then(|()| match &service {
        Ok(Some(service)) => start(&plan, args, service, offline),
        Ok(None) => explain_start(&plan, None),
        Err(why) => explain_start(&plan, Some(why)),
    });
    outcome.map_err(|error| match error {
        Error::Silent(code) => Error::Silent(code),
        // keeps the exit code and the message of the failed step
        Error::Config(why) => Error::Config(with_retry_hint(why)),
        Error::Unavailable(why) => Error::Unavailable(why),
        other => Error::Failed(with_retry_hint(other.to_string())),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn with_retry_hint(why: String) -> String {
    format!("{why}\nThe steps above have been done; fix this, and run the same command again to do the rest")
}

/// The folder where systemd records the users whose services run without a login.
const LINGER: &str = "/var/lib/systemd/linger";

/// What is needed to start the service.
struct ServicePlan {
    manager: ServiceManager,
    /// The content of its file.
    text: String,
    is_active: bool,
    /// Whether the running program differs from the program file.
    is_outdated: bool,
    /// The number of running turns.
    turns: usize,
}

fn print_done(what: &str, text: String) -> Result<()> {
    output::print_and_continue(&format::line(&finding("", what, Severity::Ok, text), output::use_color()))
}

fn print_note(text: String) -> Result<()> {
    output::print_and_continue(&format::line(&finding("", "", Severity::Note, text), output::use_color()))
}

/// Checks the CLI, the directories and the service. Refuses what cannot work, and asks about what may not work. Returns
/// whether the service is unreachable at the moment.
fn check(plan: &ProfilePlan, args: &CommandArgs) -> Result<bool> {
    let config = Arc::new(plan.config.clone());
    let (for_thread, answer) = (config.clone(), Arc::new(OnceLock::new()));
    let to = answer.clone();
    // in parallel: a CLI takes a second to print its version, and a distant service may take as long
    let service_check = thread::spawn("service", move || drop(to.set(service::check(&for_thread, false))));
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(agents::enabled(&config));
    machine::directories(&config, &mut findings);
    if let Ok(thread) = service_check {
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
    output::print_and_continue(&findings.iter().map(|f| format::line(f, colors)).collect::<String>())?;

    let bad = |f: &&Finding| f.severity == Severity::Problem;
    let refused = findings.iter().find(|f| bad(f) && f.area != "Agents");
    if let Some(problem) = refused {
        return Err(Error::Config(match problem.name.as_str() {
            "token" => format!(
                "the service refused this token; nothing was written. Take the current token of {} from the web page",
                config.agent_id
            ),
            _ => format!("{}; nothing was written", problem.text),
        }));
    }
    let is_doubtful =
        findings.iter().any(|f| f.severity == Severity::Problem || f.text.contains("it belongs to"));
    if is_doubtful && !args.yes && !args.dry_run && !confirm()? {
        return Err(Error::Failed("cancelled; nothing was written".into()));
    }
    Ok(findings.iter().any(|f| f.name == "answer" && f.severity == Severity::Note))
}

/// Asks the user whether to continue. Without a terminal the answer is yes, because a script cannot answer.
fn confirm() -> Result<bool> {
    if !std::io::stdin().is_terminal() || !output::is_terminal() {
        return Ok(true);
    }
    output::print_and_continue("Continue anyway? [y/N] ")?;
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Finds the service manager and checks that nothing conflicts with the service. Returns none with `--no-start`; the
/// inner error says why no service can run.
fn prepare_service(
    plan: &ProfilePlan,
    args: &CommandArgs,
) -> Result<std::result::Result<Option<ServicePlan>, String>> {
    let holder = running_pid(&plan.config.state_dir);
    if args.no_start {
        if let Some(pid) = holder {
            print_note(format!(
                "process {pid} runs this profile; it will use a new token at once, and other changes after a restart"
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
    let is_active = manager.is_active(&plan.profile);
    if let (Some(pid), false) = (holder, is_active) {
        return Err(Error::TryAgain(format!(
            "process {pid} already runs this profile without the service; {} stops it. Nothing was written",
            match plan.old {
                Some(_) => format!("`wtt-connect down {}`", plan.profile),
                // there is no such profile yet; another process uses its state directory
                None => format!("`kill {pid}`"),
            }
        )));
    }
    let status = control::ask(&plan.config.state_dir, &Request::Status).unwrap_or_default();
    let is_outdated = status["replaced"].as_bool().unwrap_or_default()
        || status["version"].as_str().is_some_and(|version| version != env!("CARGO_PKG_VERSION"));
    let turns = status["running"].as_array().map_or(0, Vec::len);
    Ok(Ok(Some(ServicePlan { manager, text, is_active, is_outdated, turns })))
}

/// `--dry-run`: prints what would be done. No secret is shown.
fn print_dry_run(
    plan: &ProfilePlan,
    args: &CommandArgs,
    service: &std::result::Result<Option<ServicePlan>, String>,
) -> Result<()> {
    let mut text = format!("Would write {}:\n", plan.path.display());
    for (name, value) in plan.settings() {
        // variables for agents may be API keys, and proxy URLs may have passwords
        let ours = name.starts_with("WTT_CONNECT_") && !name.contains("TOKEN");
        let shown = keys::find(&name).map_or(ours, |key| !key.secret);
        text.push_str(&format!("  {name}='{}'\n", if shown { &value } else { "***" }));
    }
    match service {
        Ok(Some(s)) => {
            text.push_str(&format!("Would write {}\n", s.manager.file(&plan.profile).display()));
            for step in
                s.manager.steps(&plan.profile, ServiceAction::Up { reload: true, restart: s.is_active })
            {
                text.push_str(&format!("Would run {}\n", s.manager.words(&step)));
            }
        }
        Ok(None) => {}
        Err(why) => text.push_str(&format!("Would not start a service: {why}\n")),
    }
    if args.enable_linger {
        text.push_str("Would run loginctl enable-linger\n");
    }
    output::print_and_continue(&(text + "Nothing was changed.\n"))
}

/// Writes the profile, reads it back, and creates the directories.
fn write(plan: &mut ProfilePlan) -> Result<()> {
    let (path, text) = (&plan.path, plan.text.expose());
    let failed = cannot("write", path);
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    atomic::make_private_folder(&folder).map_err(failed)?;
    if !plan.is_unchanged() || plan.old.is_none() {
        atomic::write(path, text.as_bytes()).map_err(failed)?;
    }
    let read = std::fs::read_to_string(path).map_err(failed)?;
    if read != text {
        return Err(Error::Failed(format!(
            "{} does not contain what was written; is the disk full?",
            path.display()
        )));
    }
    let words = if plan.is_unchanged() { "unchanged" } else { "written" };
    print_done("profile", format!("{} {words}", path.display()))?;
    plan.config.prepare()
}

/// Installs, enables and starts the service, and waits until it is connected or the reason why not is known.
fn start(plan: &ProfilePlan, args: &CommandArgs, service: &ServicePlan, offline: bool) -> Result<()> {
    let (manager, profile) = (&service.manager, &plan.profile);
    let reload = manager.install(profile, &service.text).map_err(Error::Failed)?;
    // a connector that runs with these settings is left alone
    let restart = service.is_active && (reload || service.is_outdated || !plan.is_unchanged());
    // new settings do not interrupt running turns
    let later = restart && service.turns > 0;
    let started = std::time::Instant::now();
    manager.act(profile, ServiceAction::Up { reload, restart: restart && !later }).map_err(|why| {
        let words = manager.last_log_lines(profile);
        let indented: String = words.lines().map(|line| format!("\n  {line}")).collect();
        Error::Failed(format!("the service did not start: {why}{indented}"))
    })?;
    let words = match (service.is_active, restart) {
        (true, false) => "is already running".into(),
        (true, true) if later => {
            format!(
                "restarts when {} running turn(s) have ended; `wtt-connect restart {profile} --now` does not wait",
                service.turns
            )
        }
        (true, true) => "restarted".into(),
        (false, _) => String::from("enabled and started"),
    };
    print_done("service", format!("{} {words}", manager.name(profile)))?;
    if args.enable_linger {
        enable_linger(manager)?;
    }
    if later {
        return control::ask(&plan.config.state_dir, &Request::Restart { now: false }).map(drop).map_err(
            |_| Error::TryAgain(format!("it could not be restarted; try `wtt-connect restart {profile}`")),
        );
    }
    let connected = startup::wait_until_connected(&plan.config.state_dir, started, offline);
    let is_connected = matches!(connected, Startup::Connected(_));
    match connected {
        Startup::Connected(after) => {
            print_done(
                "connection",
                format!("connected to {} after {:.1} s", plan.config.base_url, after.as_secs_f64()),
            )?;
        }
        Startup::Offline(why) => print_note(format!("not connected yet: {why}; the service keeps trying"))?,
        Startup::Refused(why) => {
            return Err(Error::Config(format!(
                "the service refused the token ({why}); take the current token of {} from the web page",
                plan.config.agent_id
            )));
        }
    }
    output::print_and_continue(&next_steps(plan, args, is_connected))
}

/// Enables the service at boot.
fn enable_linger(manager: &ServiceManager) -> Result<()> {
    if cfg!(target_os = "macos") {
        return print_note(
            "--enable-linger has no effect on macOS: the service starts when you log in".into(),
        );
    }
    match manager.enable_linger() {
        Ok(()) => print_done("linger", "the service starts at boot".into()),
        Err(why) => print_note(format!(
            "this machine does not permit it ({why}); an administrator can run `loginctl enable-linger {}`",
            std::env::var("USER").unwrap_or_else(|_| "USER".into())
        )),
    }
}

/// The text about what to do next.
fn next_steps(plan: &ProfilePlan, args: &CommandArgs, is_connected: bool) -> String {
    let (p, config) = (&plan.profile, &plan.config);
    let missing =
        locate::locate(plan.adapter, config.commands.get(plan.adapter.name).map_or(&[], Vec::as_slice));
    let first = match (missing.is_err(), is_connected) {
        (true, _) => format!("Now {}.", plan.adapter.install_hint),
        (false, true) => format!("Write to {} on WTT's web page, and it will answer.", config.agent_id),
        (false, false) => {
            format!("Once it is connected, {} answers on WTT's web page.", config.agent_id)
        }
    };
    let user = std::env::var("USER").unwrap_or_default();
    let starts_at_boot = args.enable_linger || std::path::Path::new(LINGER).join(user).exists();
    let start = if starts_at_boot || cfg!(target_os = "macos") {
        ""
    } else {
        "It starts when you log in; with --enable-linger it starts at boot.\n"
    };
    let rows = [
        (format!("status {p}"), "show its state"),
        (format!("logs {p} --follow"), "follow its log"),
        (format!("down {p}"), "stop it and remove the service"),
    ];
    let rows = rows.map(|(command, what)| [format!("wtt-connect {command}"), what.to_owned()]);
    format!(
        "\n{first}\nIt works in {} in mode {}.\n{start}{}",
        config.workdir.display(),
        config.mode.name(),
        output::align_columns(&rows, 2),
    )
}

/// Tells how to run the connector without a service. `why`: the reason if that was not requested.
fn explain_start(plan: &ProfilePlan, why: Option<&String>) -> Result<()> {
    let command = format!("wtt-connect start --profile {}", plan.profile);
    if let (Some(why), Some(pid)) = (why, running_pid(&plan.config.state_dir)) {
        return Err(Error::Unavailable(format!(
            "the profile was written, but no service can be started: {why}. Process {pid} already runs it; to apply the changes:\n  wtt-connect restart {}",
            plan.profile
        )));
    }
    match why {
        None => output::print_and_continue(&format!("\nRun it with\n  {command}\n")),
        Some(why) => Err(Error::Unavailable(format!(
            "the profile was written, but no service can be started: {why}. Run it in the foreground, or in the background without a service:\n  {command}\n  nohup {command} --log-to-file >/dev/null 2>&1 &"
        ))),
    }
}
