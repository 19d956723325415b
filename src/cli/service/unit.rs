//! The service files: the systemd template unit and the LaunchAgent. Pure.
//!
//! The unit has no hardening directives, because agents would inherit them: in a user unit most of these imply
//! NoNewPrivileges, which would break `sudo` in every agent, and others break the sandboxes and JIT compilers of agent
//! CLIs. The daemon protects itself in code instead (see RELIABILITY in wtt-connect(1)).

use std::path::Path;

/// The template unit; `%i` is the profile. `variables` are the standard directories that the user has changed. The unit
/// contains no secret: the daemon reads the profile.
pub fn systemd(exe: &Path, variables: &[(&str, String)]) -> Result<String, String> {
    let exe = systemd_word(exe)?;
    let mut environment = String::new();
    for (name, value) in variables {
        environment
            .push_str(&format!("Environment={}\n", systemd_word(Path::new(&format!("{name}={value}")))?));
    }
    Ok(format!(
        "# Written by `wtt-connect up` for all profiles. Put your own changes into a drop-in:\n\
         # systemctl --user edit wtt-connect@\n\
         [Unit]\n\
         Description=WTT connector (%i)\n\
         Documentation=man:wtt-connect(1)\n\
         After=network-online.target\n\
         # By default systemd gives up after five failures in ten seconds.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         # Ready means that it runs; being offline is not a failure.\n\
         Type=notify\n\
         NotifyAccess=main\n\
         {environment}\
         ExecStart={exe} start --profile %i\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         # The settings are wrong: a restart does not help.\n\
         RestartPreventExitStatus=78\n\
         TimeoutStartSec=30\n\
         TimeoutStopSec=30\n\
         WatchdogSec=60\n\
         # The connector terminates its agents in order; what is left after that is killed.\n\
         KillMode=mixed\n\
         # If the kernel kills one agent for its memory use, the others must go on.\n\
         OOMPolicy=continue\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    ))
}

/// One word of a unit file: quoted if needed, and with specifiers of systemd escaped.
fn systemd_word(word: &Path) -> Result<String, String> {
    let text = printable(word)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")))
}

/// The LaunchAgent of one profile. The daemon writes and rotates its own log files, because launchd does not rotate them.
pub fn launchd(
    label: &str,
    exe: &Path,
    profile: &str,
    variables: &[(&str, String)],
) -> Result<String, String> {
    let exe = xml(printable(exe)?);
    let mut environment = String::new();
    if !variables.is_empty() {
        environment.push_str("\t<key>EnvironmentVariables</key>\n\t<dict>\n");
        for (name, value) in variables {
            let value = xml(printable(Path::new(value))?);
            environment.push_str(&format!("\t\t<key>{name}</key>\n\t\t<string>{value}</string>\n"));
        }
        environment.push_str("\t</dict>\n");
    }
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Written by `wtt-connect up`. -->\n\
         <plist version=\"1.0\">\n<dict>\n\
         \t<key>Label</key>\n\t<string>{label}</string>\n\
         \t<key>ProgramArguments</key>\n\t<array>\n\
         \t\t<string>{exe}</string>\n\t\t<string>start</string>\n\t\t<string>--profile</string>\n\t\t<string>{profile}</string>\n\
         \t\t<string>--log-to-file</string>\n\
         \t</array>\n\
         {environment}\
         \t<key>RunAtLoad</key>\n\t<true/>\n\
         \t<key>KeepAlive</key>\n\t<dict>\n\t\t<key>SuccessfulExit</key>\n\t\t<false/>\n\t</dict>\n\
         \t<key>ThrottleInterval</key>\n\t<integer>5</integer>\n\
         \t<key>ExitTimeOut</key>\n\t<integer>30</integer>\n\
         \t<key>ProcessType</key>\n\t<string>Background</string>\n\
         \t<key>StandardOutPath</key>\n\t<string>/dev/null</string>\n\
         \t<key>StandardErrorPath</key>\n\t<string>/dev/null</string>\n\
         </dict>\n</plist>\n"
    ))
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn printable(path: &Path) -> Result<&str, String> {
    path.to_str().filter(|text| !text.chars().any(char::is_control)).ok_or_else(|| {
        format!("{} has a name that service managers do not accept; install it elsewhere", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_literally() {
        let word = |text: &str| systemd_word(Path::new(text)).unwrap();
        assert_eq!(word("/usr/bin/wtt-connect"), "/usr/bin/wtt-connect");
        assert_eq!(word("/home/a b/50%/$x\"\\"), r#""/home/a b/50%%/$x\"\\""#);
        assert!(systemd_word(Path::new("/a\nb")).is_err());
        assert_eq!(xml("a<b>&c"), "a&lt;b&gt;&amp;c");
    }

    /// All of these would be inherited by every agent (`sudo`, sandboxes, JIT compilers, caches, modes of files).
    #[test]
    fn the_unit_does_not_restrict_the_agents() {
        let text = systemd(Path::new("/x"), &[("XDG_CONFIG_HOME", "/c d".into())]).unwrap();
        assert!(text.contains("Environment=\"XDG_CONFIG_HOME=/c d\"\nExecStart=/x start --profile %i\n"));
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        for word in [
            "NoNewPrivileges",
            "Protect",
            "Private",
            "Restrict",
            "SystemCall",
            "MemoryDeny",
            "LockPersonality",
            "UMask",
            "Limit",
            "Capabilit",
            "DynamicUser",
            "TOKEN",
            "EnvironmentFile",
        ] {
            assert!(!lines.iter().any(|l| l.starts_with(word)), "{word}");
        }
    }
}
