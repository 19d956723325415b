//! Model ids: who makes a model, which adapter is at home with it, what its CLI wants to hear, and the user's map. Pure.

use crate::config::model_switch::MapRow;

/// Makers of models, as far as routing knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Claude,
    DeepSeek,
    Kimi,
    Gemini,
}

/// `provider/` prefixes of the web's model ids.
const PROVIDERS: [(&str, Family); 12] = [
    ("openai", Family::OpenAi),
    ("openai-codex", Family::OpenAi),
    ("codex", Family::OpenAi),
    ("anthropic", Family::Claude),
    ("claude", Family::Claude),
    ("claude-code", Family::Claude),
    ("deepseek", Family::DeepSeek),
    ("moonshot", Family::Kimi),
    ("moonshotai", Family::Kimi),
    ("kimi", Family::Kimi),
    ("google", Family::Gemini),
    ("gemini", Family::Gemini),
];

/// How model ids begin that carry no prefix.
const MODELS: [(&str, Family); 14] = [
    ("gpt", Family::OpenAi),
    ("chatgpt", Family::OpenAi),
    ("codex", Family::OpenAi),
    ("o1", Family::OpenAi),
    ("o3", Family::OpenAi),
    ("o4", Family::OpenAi),
    ("claude", Family::Claude),
    ("opus", Family::Claude),
    ("sonnet", Family::Claude),
    ("haiku", Family::Claude),
    ("deepseek", Family::DeepSeek),
    ("kimi", Family::Kimi),
    ("moonshot", Family::Kimi),
    ("gemini", Family::Gemini),
];

/// No model id is longer; it also ends up in file names and process arguments.
const MODEL_CHARS: usize = 128;

/// Whether a text can be the name of a model, or why not.
pub fn check_model(id: &str) -> Result<(), String> {
    Model::parse(id).map(drop)
}

/// A usual model as an adapter's CLI wants it, when it is one that it can know.
pub fn usual(id: &str, adapter: &str) -> Option<String> {
    Model::parse(id).ok()?.filter(|model| model.is_known_to(adapter)).map(|model| model.id_for(adapter))
}

/// The adapter that is at home with a model, if that is known.
pub fn maker(id: &str) -> Option<&'static str> {
    Model::parse(id).ok()??.family.map(home)
}

/// The adapter that a family of models is routed to.
pub(super) fn home(family: Family) -> &'static str {
    match family {
        Family::OpenAi => "codex",
        Family::Claude | Family::DeepSeek | Family::Kimi => "claude-code",
        Family::Gemini => "gemini",
    }
}

/// Adapters whose CLI reaches the models of many makers.
fn takes_any(adapter: &str) -> bool {
    !matches!(adapter, "codex" | "claude-code" | "gemini" | "kimi")
}

/// A model id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// As it was asked for.
    id: String,
    pub(super) provider: Option<String>,
    name: String,
    pub(super) family: Option<Family>,
}

impl Model {
    /// None for the words that mean "whatever is the default"; an error for what cannot be a model id, because it
    /// becomes an argument of a program.
    pub(super) fn parse(id: &str) -> Result<Option<Model>, String> {
        let id = id.trim();
        if id.is_empty() || id.eq_ignore_ascii_case("default") || id.eq_ignore_ascii_case("auto") {
            return Ok(None);
        }
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
        if id.starts_with(['-', '/', '@']) || !id.chars().all(is_plain) || id.chars().count() > MODEL_CHARS {
            let shown = crate::text::truncate(&crate::text::one_line(id), 40).replace('`', "");
            return Err(format!("`{shown}` cannot be the name of a model; choose another one"));
        }
        let known =
            |word: &str| PROVIDERS.iter().find(|(p, _)| word.eq_ignore_ascii_case(p)).map(|(_, f)| *f);
        if let Some((provider, name)) = id.split_once('/') {
            if let Some(family) = known(provider).filter(|_| !name.is_empty() && !name.starts_with('-')) {
                let (provider, name) = (Some(provider.to_lowercase()), name.to_owned());
                return Ok(Some(Model { id: id.to_owned(), provider, name, family: Some(family) }));
            }
            return Ok(Some(Model { id: id.to_owned(), provider: None, name: id.to_owned(), family: None }));
        }
        let lower = id.to_lowercase();
        let family = MODELS.iter().find(|(start, _)| lower.starts_with(start)).map(|(_, f)| *f);
        Ok(Some(Model { id: id.to_owned(), provider: None, name: id.to_owned(), family }))
    }

    /// The row of the map that is for this model.
    pub(super) fn row<'m>(&self, map: &'m [MapRow]) -> Option<&'m MapRow> {
        map.iter().find(|row| fits(&row.pattern, &self.id))
    }

    /// As a row of the map has it: whoever named the adapter or provider knows that it has this model.
    pub(super) fn mapped(mut self, row: &MapRow) -> Model {
        let prefix = row.pattern.split_once('/').map(|(prefix, _)| prefix);
        if let (Some(prefix), Some((own, name))) = (prefix, self.id.split_once('/'))
            && prefix.eq_ignore_ascii_case(own)
            && !name.is_empty()
        {
            self.name = name.to_owned();
            self.provider.get_or_insert_with(|| own.to_lowercase());
        }
        self.family = self.family.filter(|_| row.adapter.is_none());
        self
    }

    /// Whether this adapter's CLI can know the model: passing a foreign one would only make the turn fail.
    pub(super) fn is_known_to(&self, adapter: &str) -> bool {
        match (adapter, self.family) {
            (_, None) => true,
            ("kimi", Some(family)) => family == Family::Kimi,
            (_, Some(family)) => takes_any(adapter) || home(family) == adapter,
        }
    }

    /// As the CLI wants it: `provider/model` for the ones that choose among providers, else the bare name.
    pub(super) fn id_for(self, adapter: &str) -> String {
        match self.provider {
            Some(provider) if matches!(adapter, "opencode" | "crush" | "pi") => {
                format!("{provider}/{}", self.name)
            }
            _ => self.name,
        }
    }
}

/// Whether a text fits a pattern with `*` (any text) and `?` (any character), in any letter case.
fn fits(pattern: &str, text: &str) -> bool {
    let lower = |s: &str| -> Vec<char> { s.chars().flat_map(char::to_lowercase).collect() };
    let (pattern, text) = (lower(pattern), lower(text));
    let (mut p, mut t) = (0, 0);
    // where the last star stands, and how much of the text it has taken
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(c), _) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            (_, Some((at, taken))) => {
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("deepseek/*", "deepseek/v4", true),
            ("deepseek/*", "DeepSeek/", true),
            ("deepseek/*", "x/deepseek/v4", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("gpt-?.5", "gpt-5.5", true),
            ("gpt-?.5", "gpt-15.5", false),
            ("*-codex*-x", "gpt-codex-codex-x-x", true),
            ("a*b", "ab-c", false),
            ("a[b]", "a[b]", true),
        ] {
            assert_eq!(fits(pattern, text), want, "{pattern} {text}");
        }
    }
}
