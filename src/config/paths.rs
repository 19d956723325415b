//! Where things lie: the XDG rules, `~`, and directories that only their owner may enter.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folders that names are resolved against.
#[derive(Debug, Clone)]
pub struct Places {
    /// `HOME`, when it is set and absolute.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, when absolute: the specification says that relative ones are to be ignored.
    pub xdg_config: Option<PathBuf>,
    /// `XDG_STATE_HOME`, when absolute.
    pub xdg_state: Option<PathBuf>,
    /// The current directory.
    pub cwd: PathBuf,
}

/// The control socket's name in the state directory. A link where the socket itself lies elsewhere: its path may have 100
/// bytes.
pub const SOCKET: &str = "control.sock";

/// What to do when there is no home directory.
pub const NO_HOME: &str =
    "HOME is not set to an absolute path; set it, or give absolute paths for everything";

impl Places {
    /// Takes them from variables.
    pub fn new(variable: impl Fn(&str) -> Option<String>, cwd: PathBuf) -> Self {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|p| p.is_absolute());
        Places {
            home: absolute("HOME"),
            xdg_config: absolute("XDG_CONFIG_HOME"),
            xdg_state: absolute("XDG_STATE_HOME"),
            cwd,
        }
    }

    /// `~/.config/wtt-connect/profiles`
    pub fn profiles(&self) -> Result<PathBuf, &'static str> {
        Ok(self.under_home(&self.xdg_config, ".config")?.join("wtt-connect/profiles"))
    }

    /// `~/.config/wtt-connect/profiles/<name>.env`
    pub fn profile_file(&self, name: &str) -> Result<PathBuf, &'static str> {
        Ok(self.profiles()?.join(format!("{name}.env")))
    }

    /// `~/.local/state/wtt-connect/<name>`
    pub fn state_dir(&self, name: &str) -> Result<PathBuf, &'static str> {
        Ok(self.under_home(&self.xdg_state, ".local/state")?.join("wtt-connect").join(name))
    }

    /// `~/.wtt-connect/<agent id>`
    pub fn workdir(&self, agent_id: &str) -> Result<PathBuf, &'static str> {
        Ok(self.home.as_ref().ok_or(NO_HOME)?.join(".wtt-connect").join(agent_id))
    }

    /// Makes a path of a setting absolute: env files know no shell, so `~/` is understood here.
    pub fn absolute(&self, value: &str) -> Result<PathBuf, String> {
        if value == "~" || value.starts_with("~/") {
            let home = self.home.as_ref().ok_or(NO_HOME)?;
            return Ok(home.join(value[1..].trim_start_matches('/')));
        }
        if value.starts_with('~') {
            return Err("uses ~user, which is not understood".into());
        }
        Ok(tidy(&self.cwd.join(value)))
    }

    fn under_home(&self, xdg: &Option<PathBuf>, fallback: &str) -> Result<PathBuf, &'static str> {
        match (xdg, &self.home) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(home)) => Ok(home.join(fallback)),
            (None, None) => Err(NO_HOME),
        }
    }
}

/// Drops `.` components and trailing slashes; `..` stays, because a symbolic link may lie before it.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Creates a directory and its missing parents, entered by the owner only. One that exists is left as it is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(vars: &[(&str, &str)]) -> Places {
        let find = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Places::new(find, PathBuf::from("/cwd"))
    }

    #[test]
    fn xdg_rules() {
        let p = places(&[("HOME", "/home/a b")]);
        assert_eq!(p.profile_file("x").unwrap(), Path::new("/home/a b/.config/wtt-connect/profiles/x.env"));
        assert_eq!(p.state_dir("x").unwrap(), Path::new("/home/a b/.local/state/wtt-connect/x"));
        assert_eq!(p.workdir("agent-1").unwrap(), Path::new("/home/a b/.wtt-connect/agent-1"));
        let p = places(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "relative")]);
        assert_eq!(p.profile_file("x").unwrap(), Path::new("/c/wtt-connect/profiles/x.env"));
        assert_eq!(p.state_dir("x").unwrap(), Path::new("/h/.local/state/wtt-connect/x"));
        for vars in [&[][..], &[("HOME", "")], &[("HOME", "rel")]] {
            assert_eq!(places(vars).workdir("a"), Err(NO_HOME));
        }
    }

    #[test]
    fn paths_of_settings() {
        let p = places(&[("HOME", "/h")]);
        assert_eq!(p.absolute("~/x/").unwrap(), Path::new("/h/x/"));
        assert_eq!(p.absolute(".wtt-connect-codex").unwrap(), Path::new("/cwd/.wtt-connect-codex"));
        assert_eq!(p.absolute("./a/").unwrap(), Path::new("/cwd/a"));
        assert_eq!(p.absolute("/a").unwrap(), Path::new("/a"));
        assert!(p.absolute("~bob/x").is_err());
        assert!(places(&[]).absolute("~/x").is_err());
    }
}
