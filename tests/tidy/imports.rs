//! Which file uses which, by the paths in the code: no circles, and the hub is the only one that knows all parts.
//!
//! A path is followed to the deepest file that exists on it; an item that a `mod.rs` only re-exports counts as that of the
//! file that defines it. Declarations (`mod x;`) and re-exports are no use of what they name.

use super::{Source, none, sources};
use std::collections::{BTreeMap, BTreeSet};

/// A file as a module of the crate.
struct Module {
    file: String,
    /// `["wire", "frame"]`; empty for lib.rs.
    path: Vec<String>,
    /// Paths that the code uses, as written: `["crate", "wire", "frame", "Frame"]`.
    uses: Vec<Vec<String>>,
    /// What it re-exports, by the name under which others know it.
    exports: BTreeMap<String, Vec<String>>,
    /// Paths of which everything is re-exported.
    globs: Vec<Vec<String>>,
}

fn module_path(file: &str) -> Option<Vec<String>> {
    let path = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "main" => None,
        "lib" => Some(Vec::new()),
        path => Some(path.split('/').map(str::to_owned).collect()),
    }
}

/// Words, `::`, braces, commas, `*`, `;`, and `"` where a text was.
fn tokens(code: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                out.push("\"".to_owned());
            }
            // a character, or a lifetime
            '\'' => {
                let first = chars.next();
                if first == Some('\\') {
                    chars.next();
                }
                if first == Some('\\') || chars.peek() == Some(&'\'') {
                    chars.by_ref().find(|c| *c == '\'');
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                if matches!(word.as_str(), "r" | "br") && matches!(chars.peek(), Some('"' | '#')) {
                    skip_raw_string(&mut chars);
                } else {
                    out.push(word);
                }
            }
            ':' if chars.next_if_eq(&':').is_some() => out.push("::".to_owned()),
            c if c.is_whitespace() => {}
            c => out.push(c.to_string()),
        }
    }
    out
}

/// A raw string from behind its `r`; a raw name has no quote behind its `#`.
fn skip_raw_string(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut hashes = 0;
    while chars.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if chars.next_if_eq(&'"').is_none() {
        return;
    }
    while let Some(c) = chars.next() {
        if c == '"' && (0..hashes).all(|_| chars.next_if_eq(&'#').is_some()) {
            return;
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// All paths of a tree such as `a::{b, c::{self, D as E}}`, from `at` on; with the names that they get. Returns where it
/// ends.
fn read_tree(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    out: &mut Vec<(String, Vec<String>)>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = read_tree(tokens, at, &path, out);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some("*") => {
                out.push(("*".to_owned(), path));
                return at + 1;
            }
            Some(word) if is_word(word) => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                at += 1;
            }
            _ => return at + 1,
        }
        match tokens.get(at).map(String::as_str) {
            Some("::") => at += 1,
            Some("as") => {
                let name = tokens.get(at + 1).cloned().unwrap_or_default();
                out.push((name, path));
                return at + 2;
            }
            _ => {
                out.push((path.last().cloned().unwrap_or_default(), path));
                return at;
            }
        }
    }
}

impl Module {
    fn of(source: &Source) -> Option<Module> {
        let path = module_path(&source.path)?;
        let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
        let tokens = tokens(&code.join("\n"));
        let mut module = Module {
            file: source.path.clone(),
            path,
            uses: Vec::new(),
            exports: BTreeMap::new(),
            globs: Vec::new(),
        };
        let mut at = 0;
        while at < tokens.len() {
            let (before, token) = (at.checked_sub(1).map(|at| tokens[at].as_str()), tokens[at].as_str());
            let mut paths = Vec::new();
            if token == "use" {
                // `pub use`, `pub(crate) use`
                let is_export = matches!(before, Some("pub" | ")"));
                at = read_tree(&tokens, at + 1, &[], &mut paths);
                for (name, path) in paths {
                    match (is_export, name.as_str()) {
                        (false, _) => module.uses.push(path),
                        (true, "*") => module.globs.push(path),
                        (true, _) => drop(module.exports.insert(name, path)),
                    }
                }
            } else if is_word(token)
                && !matches!(before, Some("::" | "$"))
                && tokens.get(at + 1).is_some_and(|next| next == "::")
            {
                at = read_tree(&tokens, at, &[], &mut paths).max(at + 1);
                module.uses.extend(paths.into_iter().map(|(_, path)| path));
            } else {
                at += 1;
            }
        }
        Some(module)
    }
}

struct Tree {
    modules: Vec<Module>,
    by_path: BTreeMap<Vec<String>, usize>,
}

impl Tree {
    fn read() -> Tree {
        Tree::of(&sources("src"))
    }

    fn of(sources: &[Source]) -> Tree {
        let modules: Vec<Module> = sources.iter().filter_map(Module::of).collect();
        let by_path = modules.iter().enumerate().map(|(at, module)| (module.path.clone(), at)).collect();
        Tree { modules, by_path }
    }

    /// A path as written in a module, from the crate's root; none for a path of another crate, or of a name that was
    /// imported.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base = module.path.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                let mut path = base.clone();
                path.push(child.to_owned());
                self.by_path.get(&path)?;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The file that defines what an absolute path names.
    fn defining(&self, path: &[String], depth: usize) -> Option<usize> {
        let (length, at) = (0..=path.len()).rev().find_map(|n| Some((n, *self.by_path.get(&path[..n])?)))?;
        let Some(name) = path.get(length).filter(|_| depth < 8) else { return Some(at) };
        let module = &self.modules[at];
        let follow = |target: &[String], rest: &[String]| {
            let mut target = self.absolute(module, target)?;
            target.extend(rest.iter().cloned());
            self.defining(&target, depth + 1)
        };
        if let Some(target) = module.exports.get(name) {
            return follow(target, &path[length + 1..]).or(Some(at));
        }
        if let [glob] = module.globs.as_slice() {
            return follow(glob, &path[length..]).or(Some(at));
        }
        Some(at)
    }

    /// The files that a file uses.
    fn used_by(&self, at: usize) -> BTreeSet<usize> {
        let module = &self.modules[at];
        let paths = module.uses.iter().filter_map(|path| self.absolute(module, path));
        paths.filter_map(|path| self.defining(&path, 0)).filter(|used| *used != at).collect()
    }

    /// Groups of files that use each other, directly or through others.
    fn circles(&self) -> Vec<Vec<&str>> {
        let uses: Vec<BTreeSet<usize>> = (0..self.modules.len()).map(|at| self.used_by(at)).collect();
        let reach: Vec<BTreeSet<usize>> = (0..uses.len()).map(|from| reachable(&uses, from)).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for at in 0..uses.len() {
            let circle: Vec<usize> =
                reach[at].iter().copied().filter(|other| reach[*other].contains(&at)).collect();
            if circle.len() > 1 && seen.insert(circle.clone()) {
                circles.push(circle.into_iter().map(|at| self.modules[at].file.as_str()).collect());
            }
        }
        circles
    }
}

fn reachable(uses: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = uses[from].iter().copied().collect();
    while let Some(at) = open.pop() {
        if seen.insert(at) {
            open.extend(&uses[at]);
        }
    }
    seen
}

#[test]
fn no_import_circles() {
    let tree = Tree::read();
    let circles = tree.circles();
    let breaches = circles.iter().map(|circle| circle.join(", ")).collect();
    none("no file uses a file that uses it, directly or through others", breaches);
}

#[test]
fn the_import_scan_sees_groups_parents_children_and_re_exports() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let tree = Tree::of(&[
        source("src/lib.rs", "mod a;\nmod c;\n"),
        source("src/a/mod.rs", "mod b;\npub(crate) use b::{B, C as D};\nfn f() { b::g(); }\n"),
        source("src/a/b.rs", "use super::A;\nuse crate::c::{self, X};\nuse std::fs;\n"),
        source("src/c.rs", "// crate::a::A\nfn f() -> crate::a::D { text(\"crate::a::A\") }\n"),
    ]);
    let used = |file: &str| -> Vec<&str> {
        let at = tree.modules.iter().position(|module| module.file == file).unwrap();
        tree.used_by(at).into_iter().map(|at| tree.modules[at].file.as_str()).collect()
    };
    assert_eq!(used("src/a/mod.rs"), ["src/a/b.rs"]);
    assert_eq!(used("src/a/b.rs"), ["src/a/mod.rs", "src/c.rs"]);
    assert_eq!(used("src/c.rs"), ["src/a/b.rs"], "by the file that defines it");
    assert_eq!(tree.circles(), [["src/a/mod.rs", "src/a/b.rs", "src/c.rs"]]);
}

#[test]
fn only_the_hub_knows_all_parts() {
    let mut breaches = Vec::new();
    for file in sources("src").iter().filter(|file| !file.path.starts_with("src/daemon/hub/")) {
        for (line, text) in file.code() {
            if text.contains("impl Hub") {
                breaches.push(format!("{}:{line}", file.path));
            }
        }
    }
    none("`impl Hub` stands below src/daemon/hub/ only", breaches);
}

#[test]
fn parts_of_the_daemon_use_only_the_parts_below_them() {
    // from the lowest part up
    const PARTS: &[&str] = &["outbound", "scheduler", "permissions", "tasks", "commands", "inbound", "hub"];
    let tree = Tree::read();
    let rank = |at: usize| {
        let path = &tree.modules[at].path;
        let part = path.get(1).filter(|_| path[0] == "daemon")?;
        PARTS.iter().position(|name| name == part)
    };
    let mut breaches = Vec::new();
    for at in 0..tree.modules.len() {
        for used in tree.used_by(at) {
            if rank(at).zip(rank(used)).is_some_and(|(own, other)| other > own) {
                breaches.push(format!("{} uses {}", tree.modules[at].file, tree.modules[used].file));
            }
        }
    }
    none("what a part wants of those above it comes back as an effect", breaches);
}
