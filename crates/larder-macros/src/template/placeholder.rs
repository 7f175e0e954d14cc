//! `<user.id>`, `<filter:md5>`, `<T::NAME>`: what may stand between the angle brackets.

use proc_macro2::Span;
use syn::Ident;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;

/// `ident(.ident | .N | .ident())*`, each of them followed by `[]` where it is a list, or in place of the first `ident` the path from a type, `Type(::ident)*` or
/// `Type(::ident)*::ident()`; then optionally `:md5` or `:hash`.
pub(crate) struct Placeholder {
    /// The argument or type it begins with, without `r#`.
    pub(crate) root: String,
    /// What follows a type.
    pub(crate) path: Vec<Ident>,
    /// The path is that of a function.
    pub(crate) called: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) digest: Option<Digest>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(Ident),
    Index(u32),
    Call(Ident),
    /// `[]`: each element of a list.
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    Md5,
    Hash,
}

impl Digest {
    /// As it is written, and as the function is called that appends it to a key.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Hash => "hash",
        }
    }
}

const SHAPE: &str = "write an argument's name, then fields and methods without arguments, as in \
                     `<id>`, `<user.id>` or `<user.id()>`";

impl Placeholder {
    pub(crate) fn parse(inner: &str, span: Span) -> Result<Self, String> {
        if inner.trim().is_empty() {
            return Err(format!("an empty placeholder: {SHAPE}"));
        }
        // Types begin with a capital letter, here as elsewhere.
        let of_type = inner.starts_with(char::is_uppercase);
        if inner.contains('<') || (inner.contains("::") && !of_type) {
            return Err(format!("`<{inner}>` has a path or type arguments: {SHAPE}"));
        }
        let (path, digest) = split_digest(inner)?;
        if path.contains('(') && path.replace("()", "").contains(['(', ')']) {
            return Err(format!(
                "`<{inner}>` has call arguments: {SHAPE}; what has to be computed can be an \
                 argument of its own"
            ));
        }
        let shapeless = || format!("`<{inner}>` is not a placeholder: {SHAPE}");
        let mut parts = path.split('.');
        let (first, each) = without_each(parts.next().unwrap_or_default());
        let mut segments = first.split("::");
        let root = segments.next().and_then(|part| ident(part, span)).ok_or_else(shapeless)?;
        let mut segments: Vec<&str> = segments.collect();
        let function = segments.last().and_then(|last| last.strip_suffix("()"));
        let called = function.is_some();
        if let (Some(function), Some(last)) = (function, segments.last_mut()) {
            *last = function;
        }
        let path = segments
            .into_iter()
            .map(|part| member(part, span))
            .collect::<Option<_>>()
            .ok_or_else(shapeless)?;
        let mut steps = Vec::new();
        steps.extend(each);
        for part in parts {
            let (part, each) = without_each(part);
            steps.push(step(part, span).ok_or_else(shapeless)?);
            steps.extend(each);
        }
        check_lossy(inner, &steps)?;
        Ok(Self { root: root.unraw().to_string(), path, called, steps, digest, span })
    }

    /// As it is written in a template.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("<{}", self.root);
        for segment in &self.path {
            text += &format!("::{}", segment.unraw());
        }
        if self.called {
            text += "()";
        }
        for step in &self.steps {
            match step {
                Step::Field(name) => text += &format!(".{}", name.unraw()),
                Step::Index(index) => text += &format!(".{index}"),
                Step::Call(name) => text += &format!(".{}()", name.unraw()),
                Step::Each => text += "[]",
            }
        }
        if let Some(digest) = self.digest {
            text += &format!(":{}", digest.name());
        }
        text + ">"
    }
}

/// The text in front of a `:` that is not one of two, and the digest behind it.
fn split_digest(inner: &str) -> Result<(&str, Option<Digest>), String> {
    let split = inner.rsplit_once(':').filter(|(path, _)| !path.ends_with(':'));
    match split {
        None => Ok((inner, None)),
        Some((path, "md5")) => Ok((path, Some(Digest::Md5))),
        Some((path, "hash")) => Ok((path, Some(Digest::Hash))),
        Some((path, other)) => Err(format!(
            "`:{other}` is not known: write `<{path}>` for the value's text, or `<{path}:md5>` or \
             `<{path}:hash>` for a digest of it (`:hash` if strangers choose the value)"
        )),
    }
}

/// Texts in which what is no Unicode is replaced: two values have the same.
fn check_lossy(inner: &str, steps: &[Step]) -> Result<(), String> {
    for (at, step) in steps.iter().enumerate() {
        let lossy = match step {
            Step::Call(name) if name == "to_string_lossy" => true,
            // Alone, its type shows it.
            Step::Call(name) if name == "display" => at + 1 < steps.len(),
            _ => false,
        };
        if lossy {
            let value = inner.find(".to_string_lossy").or_else(|| inner.find(".display"));
            let value = &inner[..value.unwrap_or(inner.len())];
            return Err(format!(
                "`<{inner}>` loses what is no Unicode, so that different values share a key: write \
                 `<{value}>`, which paths and `OsStr`s can be as they are"
            ));
        }
    }
    Ok(())
}

fn without_each(part: &str) -> (&str, Option<Step>) {
    match part.strip_suffix("[]") {
        Some(list) => (list, Some(Step::Each)),
        None => (part, None),
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
