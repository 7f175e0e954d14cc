//! `<user.id>`, `<filter:md5>`: what may stand between the angle brackets.

use proc_macro2::Span;
use syn::Ident;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;

/// `ident(.ident | .N | .ident())*`, then optionally `:md5`.
pub(crate) struct Placeholder {
    /// The argument it begins with, without `r#`.
    pub(crate) root: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) md5: bool,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(Ident),
    Index(u32),
    Call(Ident),
}

const SHAPE: &str = "write an argument's name, then fields and methods without arguments, as in \
                     `<id>`, `<user.id>` or `<user.id()>`";

impl Placeholder {
    pub(crate) fn parse(inner: &str, span: Span) -> Result<Self, String> {
        if inner.trim().is_empty() {
            return Err(format!("an empty placeholder: {SHAPE}"));
        }
        if inner.contains("::") || inner.contains('<') {
            return Err(format!("`<{inner}>` has a path or type arguments: {SHAPE}"));
        }
        let (path, md5) = match inner.split_once(':') {
            None => (inner, false),
            Some((path, "md5")) => (path, true),
            Some((path, other)) => {
                return Err(format!(
                    "`:{other}` is not known: write `<{path}>` for the value's text, or \
                     `<{path}:md5>` for a digest of it"
                ));
            }
        };
        if path.contains('(') && path.replace("()", "").contains(['(', ')']) {
            return Err(format!(
                "`<{inner}>` has call arguments: {SHAPE}; what has to be computed can be an \
                 argument of its own"
            ));
        }
        let mut parts = path.split('.');
        let root = parts
            .next()
            .and_then(|part| ident(part, span))
            .ok_or_else(|| format!("`<{inner}>` is not a placeholder: {SHAPE}"))?;
        let steps = parts
            .map(|part| step(part, span))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| format!("`<{inner}>` is not a placeholder: {SHAPE}"))?;
        Ok(Self { root: root.unraw().to_string(), steps, md5, span })
    }

    /// As it is written in a template.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("<{}", self.root);
        for step in &self.steps {
            match step {
                Step::Field(name) => text += &format!(".{}", name.unraw()),
                Step::Index(index) => text += &format!(".{index}"),
                Step::Call(name) => text += &format!(".{}()", name.unraw()),
            }
        }
        if self.md5 {
            text += ":md5";
        }
        text + ">"
    }
}

fn step(part: &str, span: Span) -> Option<Step> {
    if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
        return part.parse().ok().map(Step::Index);
    }
    match part.strip_suffix("()") {
        Some(name) => member(name, span).map(Step::Call),
        None => member(part, span).map(Step::Field),
    }
}

/// A field or method: never `self` and the like, which have no raw form.
fn member(text: &str, span: Span) -> Option<Ident> {
    let name = ident(text, span)?;
    (!matches!(text, "self" | "Self" | "super" | "crate")).then_some(name)
}

/// An identifier; a keyword (`type`) is taken as its raw form.
fn ident(text: &str, span: Span) -> Option<Ident> {
    let mut characters = text.strip_prefix("r#").unwrap_or(text).chars();
    let plain = characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|character| character == '_' || character.is_alphanumeric());
    if !plain {
        return None;
    }
    let mut ident = Ident::parse_any.parse_str(text).ok()?;
    let keyword = syn::parse_str::<Ident>(text).is_err();
    if keyword && !matches!(text, "self" | "Self" | "super" | "crate") {
        ident = Ident::new_raw(text, span);
    }
    ident.set_span(span);
    Some(ident)
}
