//! Reads a source file as far as its brackets and the keywords in front of them.

use super::header;
use super::place::{Place, Surroundings};

/// Where the word at this offset stands; `None` if it is another word.
pub(super) fn scan(text: &str, target: usize, word: &str) -> Option<Surroundings> {
    if !text.get(target..)?.starts_with(word) {
        return None;
    }
    let name = word.strip_prefix("r#").unwrap_or(word);
    let mut scanner = Scanner::new(text, target, name);
    scanner.run();
    scanner.found
}

/// What stands between a pair of brackets.
struct Level {
    kind: Kind,
    /// Where what stands in front of it begins and ends.
    header: (usize, usize),
    /// Where the item or statement begins that is being read.
    begin: usize,
    /// The words of the item or statement that is being read.
    words: Vec<String>,
    /// Whether a type or a module of the wanted name is declared in it.
    declares: bool,
    /// The function that is looked for stands directly in it.
    is_wanted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Place(Place),
    /// The braces of a `use`.
    Use,
    /// A call or a definition of a macro: what it becomes is not known.
    Macro,
    Other,
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    target: usize,
    name: &'t str,
    levels: Vec<Level>,
    /// How long ago there was a `!`, in words and signs.
    since_bang: usize,
    found: Option<Surroundings>,
}

impl Level {
    fn new(kind: Kind, header: (usize, usize)) -> Self {
        Self { kind, header, begin: 0, words: Vec::new(), declares: false, is_wanted: false }
    }

    /// The keyword that says what is being read.
    fn keyword(&self) -> Option<&str> {
        const ITEMS: [&str; 9] = ["fn", "impl", "trait", "mod", "struct", "enum", "union", "type", "use"];
        self.words.iter().map(String::as_str).find(|word| ITEMS.contains(word))
    }
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, target: usize, name: &'t str) -> Self {
        let file = Level::new(Kind::Place(Place::Module), (0, 0));
        Self { text, at: 0, target, name, levels: vec![file], since_bang: usize::MAX, found: None }
    }

    fn run(&mut self) {
        while let Some(next) = self.rest().chars().next() {
            let from = self.at;
            self.at += next.len_utf8();
            match next {
                '/' if self.rest().starts_with('/') => self.skip_past("\n"),
                '/' if self.rest().starts_with('*') => self.skip_comment(),
                '"' => self.skip_text(),
                '\'' => self.skip_character(),
                _ if next.is_alphanumeric() || next == '_' => self.word(from),
                '{' | '(' | '[' => self.open(next),
                '}' | ')' | ']' => self.close(next),
                ';' => self.end_item(),
                ',' => self.end_import(),
                _ if next.is_whitespace() => continue,
                _ => {}
            }
            self.since_bang = if next == '!' { 0 } else { self.since_bang.saturating_add(1) };
        }
        while !self.levels.is_empty() {
            self.leave();
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_past(&mut self, end: &str) {
        self.at = self.rest().find(end).map_or(self.text.len(), |found| self.at + found + end.len());
    }

    fn skip_comment(&mut self) {
        let mut depth = 1_usize;
        self.at += 1;
        while depth > 0 {
            let rest = self.rest();
            let (begin, end) = (rest.find("/*"), rest.find("*/"));
            match (begin, end) {
                (_, None) => return self.at = self.text.len(),
                (Some(begin), Some(end)) if begin < end => {
                    depth += 1;
                    self.at += begin + 2;
                }
                (_, Some(end)) => {
                    depth -= 1;
                    self.at += end + 2;
                }
            }
        }
    }

    fn skip_text(&mut self) {
        let mut escaped = false;
        for (offset, character) in self.rest().char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return self.at += offset + 1,
                _ => {}
            }
        }
        self.at = self.text.len();
    }

    /// A character in quotes, or a lifetime.
    fn skip_character(&mut self) {
        let mut characters = self.rest().char_indices();
        match (characters.next(), characters.next()) {
            (Some((_, '\\')), Some((_, escaped))) => {
                self.at += 1 + escaped.len_utf8();
                self.skip_past("'");
            }
            (Some(_), Some((quote, '\''))) => self.at += quote + 1,
            _ => {}
        }
    }

    fn word(&mut self, from: usize) {
        let in_word = |character: char| character.is_alphanumeric() || character == '_';
        let length = self.text[from..].find(|character| !in_word(character));
        self.at = length.map_or(self.text.len(), |length| from + length);
        let mut word = &self.text[from..self.at];
        let rest = self.rest();
        if matches!(word, "r" | "br" | "cr") {
            let hashes = rest.len() - rest.trim_start_matches('#').len();
            if rest[hashes..].starts_with('"') {
                self.at += hashes + 1;
                return self.skip_past(&format!("\"{}", "#".repeat(hashes)));
            }
            if word == "r" && hashes == 1 {
                let name = self.at + 1;
                let length = self.text[name..].find(|character| !in_word(character));
                self.at = length.map_or(self.text.len(), |length| name + length);
                word = &self.text[name..self.at];
            }
        }
        if from == self.target {
            self.reach_target();
        }
        // Of `for<'a>`, which makes no `impl` one of a trait.
        if word == "for" && self.rest().trim_start().starts_with('<') {
            return;
        }
        let level = self.levels.iter_mut().rev().find(|level| level.kind != Kind::Use);
        if let Some(level) = level {
            if level.words.is_empty() {
                level.begin = from;
            }
            level.words.push(word.to_owned());
        }
    }

    fn reach_target(&mut self) {
        let place = self.levels.iter().rev().find_map(|level| match level.kind {
            Kind::Place(place) => Some((place, &self.text[level.header.0..level.header.1])),
            Kind::Macro => Some((Place::Unknown, "")),
            Kind::Use | Kind::Other => None,
        });
        let (place, header) = place.unwrap_or_default();
        let in_module = self.levels.iter().rev().take_while(|level| level.kind != Kind::Place(Place::Module));
        let is_in_body = in_module.into_iter().any(|level| level.kind == Kind::Place(Place::Function));
        let header = place.is_associated().then(|| header::read(header)).flatten();
        let (parameters, trait_parameters) =
            header.map(|header| (header.parameters, header.of_trait)).unzip();
        let trait_parameters = trait_parameters.unwrap_or_default();
        if let Some(level) = self.levels.last_mut() {
            level.is_wanted = true;
        }
        self.found =
            Some(Surroundings { place, is_in_body, type_is_taken: false, parameters, trait_parameters });
    }

    fn open(&mut self, bracket: char) {
        let Some(level) = self.levels.last() else { return };
        let in_macro = self.since_bang < 2;
        let kind = match level.keyword() {
            _ if level.kind == Kind::Use => Kind::Use,
            _ if in_macro => Kind::Macro,
            _ if bracket != '{' => Kind::Other,
            Some("use") => Kind::Use,
            Some("fn") => Kind::Place(Place::Function),
            Some("mod") => Kind::Place(Place::Module),
            Some("trait") => Kind::Place(Place::Trait),
            Some("impl") => {
                let of_trait = level.words.iter().any(|word| word == "for");
                Kind::Place(if of_trait { Place::TraitImpl } else { Place::Impl })
            }
            _ => Kind::Other,
        };
        let header = (level.begin, self.at - bracket.len_utf8());
        self.levels.push(Level::new(kind, header));
    }

    fn close(&mut self, bracket: char) {
        if self.levels.last().is_some_and(|level| level.kind == Kind::Use) {
            self.end_import();
        }
        let Some(kind) = self.leave() else { return };
        if bracket == '}' && kind != Kind::Use {
            self.end_item();
        }
    }

    fn leave(&mut self) -> Option<Kind> {
        let level = self.levels.pop()?;
        if level.is_wanted
            && let Some(found) = &mut self.found
        {
            found.type_is_taken = level.declares;
        }
        Some(level.kind)
    }

    /// One of the names that a `use` imports has been read.
    fn end_import(&mut self) {
        let level = self.levels.iter_mut().rev().find(|level| level.kind != Kind::Use);
        let Some(level) = level.filter(|level| level.keyword() == Some("use")) else { return };
        let mut words = level.words.iter().rev().map(String::as_str);
        // `use user::{self, …}` imports `user`.
        let imported = words.find(|word| *word != "self");
        level.declares |= imported == Some(self.name);
    }

    fn end_item(&mut self) {
        self.end_import();
        let Some(level) = self.levels.last_mut() else { return };
        let keyword = level.words.iter().position(|word| Some(word.as_str()) == level.keyword());
        if let Some(keyword) = keyword
            && matches!(level.words[keyword].as_str(), "mod" | "struct" | "enum" | "union" | "trait" | "type")
        {
            level.declares |= level.words.get(keyword + 1).is_some_and(|word| word == self.name);
        }
        level.words.clear();
    }
}
