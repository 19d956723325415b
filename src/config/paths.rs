//! Standard directories by the XDG rules, `~` in paths, and the creation of private directories.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The directories from which paths are derived.
#[derive(Debug, Clone)]
pub struct Places {
    /// `HOME`, if it is set and absolute.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, if it is absolute: the specification tells programs to ignore relative ones.
    pub xdg_config: Option<PathBuf>,
    /// `XDG_STATE_HOME`, if it is absolute.
    pub xdg_state: Option<PathBuf>,
    /// The current directory.
    pub cwd: PathBuf,
}

/// The name of the control socket in the state directory. It is a link if the path of the socket would be longer than
/// 100 bytes.
pub const SOCKET: &str = "control.sock";

/// The error if there is no home directory.
pub const NO_HOME: &str =
    "HOME is not set to an absolute path; set it, or give absolute paths for everything";

impl Places {
    /// Determines them from environment variables.
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

    /// Makes the path of a setting absolute. No shell expands `~/` in env files, so that is done here.
    pub fn absolute(&self, value: &str) -> Result<PathBuf, String> {
        if value == "~" || value.starts_with("~/") {
            let home = self.home.as_ref().ok_or(NO_HOME)?;
            return Ok(home.join(value[1..].trim_start_matches('/')));
        }
        if value.starts_with('~') {
            return Err("uses ~user, which is not supported".into());
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

/// Removes `.` components and trailing slashes; `..` is kept, because a symbolic link may precede it.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Creates a directory and its missing parents with mode 700. One that exists is not changed.
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
