//! Model ids: who makes a model, which adapter is at home with it, what its CLI wants to hear, and the user's map. Pure.

use crate::config::model_switch::MapRow;

/// Makers of models, as far as routing knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelFamily {
    OpenAi,
    Claude,
    DeepSeek,
    Kimi,
    Gemini,
}

/// `provider/` prefixes of the web's model ids.
const PROVIDERS: [(&str, ModelFamily); 12] = [
    ("openai", ModelFamily::OpenAi),
    ("openai-codex", ModelFamily::OpenAi),
    ("codex", ModelFamily::OpenAi),
    ("anthropic", ModelFamily::Claude),
    ("claude", ModelFamily::Claude),
    ("claude-code", ModelFamily::Claude),
    ("deepseek", ModelFamily::DeepSeek),
    ("moonshot", ModelFamily::Kimi),
    ("moonshotai", ModelFamily::Kimi),
    ("kimi", ModelFamily::Kimi),
    ("google", ModelFamily::Gemini),
    ("gemini", ModelFamily::Gemini),
];

/// How model ids begin that carry no prefix.
const MODELS: [(&str, ModelFamily); 14] = [
    ("gpt", ModelFamily::OpenAi),
    ("chatgpt", ModelFamily::OpenAi),
    ("codex", ModelFamily::OpenAi),
    ("o1", ModelFamily::OpenAi),
    ("o3", ModelFamily::OpenAi),
    ("o4", ModelFamily::OpenAi),
    ("claude", ModelFamily::Claude),
    ("opus", ModelFamily::Claude),
    ("sonnet", ModelFamily::Claude),
    ("haiku", ModelFamily::Claude),
    ("deepseek", ModelFamily::DeepSeek),
    ("kimi", ModelFamily::Kimi),
    ("moonshot", ModelFamily::Kimi),
    ("gemini", ModelFamily::Gemini),
];

/// No model id is longer; it also ends up in file names and process arguments.
const MODEL_CHARS: usize = 128;

/// Whether a text can be the name of a model, or why not.
pub fn check_model(id: &str) -> Result<(), String> {
    ParsedModel::parse(id).map(drop)
}

/// A usual model as an adapter's CLI wants it, when it is one that it can know.
pub fn usual_model(id: &str, adapter: &str) -> Option<String> {
    ParsedModel::parse(id).ok()?.filter(|model| model.is_known_to(adapter)).map(|model| model.id_for(adapter))
}

/// The adapter that is at home with a model, if that is known.
pub fn maker_of(id: &str) -> Option<&'static str> {
    ParsedModel::parse(id).ok()??.family.map(home_adapter)
}

/// The adapter that a family of models is routed to.
pub(super) fn home_adapter(family: ModelFamily) -> &'static str {
    match family {
        ModelFamily::OpenAi => "codex",
        ModelFamily::Claude | ModelFamily::DeepSeek | ModelFamily::Kimi => "claude-code",
        ModelFamily::Gemini => "gemini",
    }
}

/// Adapters whose CLI reaches the models of many makers.
fn takes_any(adapter: &str) -> bool {
    !matches!(adapter, "codex" | "claude-code" | "gemini" | "kimi")
}

/// A model id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParsedModel {
    /// As it was asked for.
    id: String,
    pub(super) provider: Option<String>,
    name: String,
    pub(super) family: Option<ModelFamily>,
}

impl ParsedModel {
    /// None for the words that mean "whatever is the default"; an error for what cannot be a model id, because it
    /// becomes an argument of a program.
    pub(super) fn parse(id: &str) -> Result<Option<ParsedModel>, String> {
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
                return Ok(Some(ParsedModel { id: id.to_owned(), provider, name, family: Some(family) }));
            }
            return Ok(Some(ParsedModel {
                id: id.to_owned(),
                provider: None,
                name: id.to_owned(),
                family: None,
            }));
        }
        let lower = id.to_lowercase();
        let family = MODELS.iter().find(|(start, _)| lower.starts_with(start)).map(|(_, f)| *f);
        Ok(Some(ParsedModel { id: id.to_owned(), provider: None, name: id.to_owned(), family }))
    }

    /// The row of the map that is for this model.
    pub(super) fn row<'m>(&self, map: &'m [MapRow]) -> Option<&'m MapRow> {
        map.iter().find(|row| fits(&row.pattern, &self.id))
    }

    /// As a row of the map has it: whoever named the adapter or provider knows that it has this model.
    pub(super) fn mapped(mut self, row: &MapRow) -> ParsedModel {
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
            ("kimi", Some(family)) => family == ModelFamily::Kimi,
            (_, Some(family)) => takes_any(adapter) || home_adapter(family) == adapter,
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
