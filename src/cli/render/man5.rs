//! wtt-connect(5), rendered from the key table.

use super::man::DATE;
use super::roff::Page;
use crate::config::keys::{self, CONFIG_FILE, ENV_FILE};

/// The page.
pub fn render() -> String {
    let mut page = Page::new("wtt-connect", 5, DATE, "File Formats");
    page.section("NAME");
    page.paragraph("wtt-connect - settings and profiles of wtt-connect");
    page.section("DESCRIPTION");
    page.paragraph(
        "Every setting is a variable. It may be set in the environment, in an env file, in a profile or in a JSON file. \
         Names that this version does not know are passed over. An empty value stands for the default. `wtt-connect \
         doctor` shows what is set and where it comes from, with `--verbose` also the defaults; what is wrong is reported with file, line and what is \
         accepted, all at once.",
    );
    page.section("PRECEDENCE");
    page.paragraph("Without a profile the first of these that has a setting decides:");
    page.entry("1.", "", "the environment;");
    page.entry("2.", "", &format!("the env file of `--env-file`, or of `{ENV_FILE}`;"));
    page.entry("3.", "", "the file `.env` in the current directory;");
    page.entry("4.", "", &format!("the JSON file of `--config`, or of `{CONFIG_FILE}`;"));
    page.entry("5.", "", "the default.");
    page.paragraph("With `--profile`, where the profile must be complete in itself:");
    page.entry("1.", "", "the env file of `--env-file`;");
    page.entry("2.", "", "the profile;");
    page.entry("3.", "", "the JSON file of `--config`;");
    page.entry("4.", "", "the default.");
    page.paragraph(
        "The `WTT_*` variables of the environment and `.env` do not count beside a profile: a connector that is started \
         by an agent of another connector inherits the settings of that one, and a `.env` may belong to the project in \
         the current directory. Only `WTT_CONNECT_LOG` is read from the environment first.",
    );
    page.section("ENV FILES AND PROFILES");
    page.paragraph(
        "A profile is the file `~/.config/wtt-connect/profiles/PROFILE.env`. It holds a token and is to be readable by its \
         owner alone; the connector takes the rights of others away, and does not read a file of another user. Its \
         name, PROFILE, has 1 to 100 letters, digits, dots, dashes and underscores, and does not start with a dot or \
         dash. A token that changes in it is used from the next connection on.",
    );
    page.paragraph("For example:");
    page.example(
        "WTT_AGENT_ID=agent-alice\nWTT_TOKEN='wtt-tok-alice'\nWTT_CONNECT_ADAPTER=codex\n\
         WTT_CONNECT_MODE=full-auto\nWTT_CONNECT_WORKDIR=/data/workspaces/alice",
    );
    page.paragraph(
        "Env files have one KEY=value per line, perhaps after `export`. Empty lines and what follows a # at the start of \
         a line, or after a blank behind an unquoted value, are left out. In single quotes every character stands for \
         itself; in double quotes a backslash makes \\n, \\\", \\\\ and \\$. Variables are not expanded. Of two lines with one key the last one counts.",
    );
    page.paragraph(
        "Other variables of these files are given to the agents (an API key), and proxies are used by the connector too. \
         What the environment has comes before them.",
    );
    page.section("JSON FILES");
    page.paragraph(
        "One object without further objects in it. Keys are spelt like the variables, or without `WTT_` and `WTT_CONNECT_` \
         in camel case. Lists may be JSON lists, flags may be true and false.",
    );
    page.example(
        "{\"agentId\": \"agent-alice\", \"agentAliases\": [\"alice\", \"al\"], \"turnSeconds\": 3600}",
    );
    page.section("SETTINGS");
    for key in keys::all() {
        page.entry(key.name, "", key.meaning);
        if !key.aliases.is_empty() {
            page.more(&format!("Also read as `{}`.", key.aliases.join("`, `")));
        }
        page.more(&format!(
            "Accepted: {}. Default: {}. Example: `{}`",
            key.kind.accepts(),
            key.default,
            key.example
        ));
    }
    page.section("OTHER VARIABLES");
    page.entry(
        ENV_FILE,
        "",
        "Names an env file, like `--env-file`. Only in the environment, and not with a profile.",
    );
    page.entry(
        CONFIG_FILE,
        "",
        "Names a JSON file, like `--config`. Only in the environment, and not with a profile.",
    );
    page.entry(
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "",
        "The proxy for all connections of the connector, also in lower case.",
    );
    page.section("SEE ALSO");
    page.paragraph("wtt-connect(1), wtt-connect-protocol(7)");
    page.finish()
}
