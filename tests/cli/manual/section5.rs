//! wtt-connect(5), rendered from the table of settings.

use super::roff::Page;
use super::section1::DATE;
use wtt_connect::config::keys::{self, CONFIG_FILE, ENV_FILE};

/// The page.
pub fn render() -> String {
    let mut page = Page::new("wtt-connect", 5, DATE, "File Formats");
    page.section("NAME");
    page.paragraph("wtt-connect - settings and profiles of wtt-connect");
    page.section("DESCRIPTION");
    page.paragraph(
        "Every setting is a variable. It can be set in the environment, in an env file, in a profile or in a JSON file. \
         Unknown names are ignored. An empty value means the default. `wtt-connect doctor` shows all settings and where each \
         comes from, with `--verbose` including the defaults. Errors are reported all at once, with file, line and the \
         accepted values.",
    );
    page.section("PRECEDENCE");
    page.paragraph("Without a profile, the first of these that has the setting wins:");
    page.entry("1.", "", "the environment;");
    page.entry("2.", "", &format!("the env file of `--env-file`, or of `{ENV_FILE}`;"));
    page.entry("3.", "", "the file `.env` in the current directory;");
    page.entry("4.", "", &format!("the JSON file of `--config`, or of `{CONFIG_FILE}`;"));
    page.entry("5.", "", "the default.");
    page.paragraph("With `--profile`, which must be complete in itself:");
    page.entry("1.", "", "the env file of `--env-file`;");
    page.entry("2.", "", "the profile;");
    page.entry("3.", "", "the JSON file of `--config`;");
    page.entry("4.", "", "the default.");
    page.paragraph(
        "With a profile, `.env` and the `WTT_*` variables of the environment are ignored: a connector that an agent of \
         another connector starts inherits the settings of that one, and a `.env` may belong to the project in the current \
         directory. The one exception is `WTT_CONNECT_LOG`, which the environment can override.",
    );
    page.section("ENV FILES AND PROFILES");
    page.paragraph(
        "A profile is the file `~/.config/wtt-connect/profiles/PROFILE.env`. It holds a token, so only its owner should be \
         able to read it: the connector removes the permissions of others, and does not read a file that another user owns. \
         Its name, PROFILE, has 1 to 100 letters, digits, dots, dashes and underscores, and does not start with a dot or \
         dash. A changed token is used from the next connection on.",
    );
    page.paragraph("For example:");
    page.example(
        "WTT_AGENT_ID=agent-alice\nWTT_TOKEN='wtt-tok-alice'\nWTT_CONNECT_ADAPTER=codex\n\
         WTT_CONNECT_MODE=full-auto\nWTT_CONNECT_WORKDIR=/data/workspaces/alice",
    );
    page.paragraph(
        "Env files have one KEY=value per line, optionally after `export`. Empty lines and comments are ignored; a comment \
         begins with # at the start of a line, or after a blank that follows an unquoted value. In single quotes every \
         character is literal; in double quotes the escapes are \\n, \\\", \\\\ and \\$. Variables are not expanded. If a key \
         occurs twice, the last line wins.",
    );
    page.paragraph(
        "Other variables in these files, such as API keys, are passed on to the agents; proxy variables are used by the \
         connector as well. Variables of the environment take precedence over them.",
    );
    page.section("JSON FILES");
    page.paragraph(
        "One flat object. Keys are spelled like the variables, or in camel case without `WTT_` and `WTT_CONNECT_`. Lists may \
         be JSON arrays, and switches may be true or false.",
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
        "Names an env file, like `--env-file`. Read from the environment only, and ignored with a profile.",
    );
    page.entry(
        CONFIG_FILE,
        "",
        "Names a JSON file, like `--config`. Read from the environment only, and ignored with a profile.",
    );
    page.entry(
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "",
        "The proxy for all connections of the connector. The names may be in lower case, too.",
    );
    page.section("SEE ALSO");
    page.paragraph("wtt-connect(1), wtt-connect-protocol(7)");
    page.finish()
}
