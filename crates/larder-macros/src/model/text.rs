//! Templates whose placeholders are known to be arguments.

use std::fmt::Write as _;

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident};

use crate::errors::Errors;
use crate::function::Function;
use crate::suggest;
use crate::template::{Placeholder, Segment, Step, Template};

/// A key, a prefix or a tag: pieces to be written one after the other.
#[derive(Clone, Default)]
pub(crate) struct Text(pub(crate) Vec<Piece>);

#[derive(Clone)]
pub(crate) enum Piece {
    Literal(String),
    /// A `:` that stands only where an argument with `#[cfg]` does.
    Separator(Vec<Attribute>),
    /// The path of the module, `::` written as `.`.
    ModulePath,
    TypeName {
        name: Ident,
        span: Span,
    },
    Value(Value),
}

/// A value that is written into a text.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) root: Root,
    /// The argument's own identifier, so that hygiene finds it.
    pub(crate) ident: Ident,
    pub(crate) steps: Vec<Step>,
    pub(crate) md5: bool,
    /// Where it stands in the template.
    pub(crate) span: Span,
    pub(crate) cfgs: Vec<Attribute>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Receiver,
    /// Its place in `Function::arguments`.
    Argument(usize),
    ConstParameter,
    Result,
}

impl Text {
    /// This text with a literal in front.
    pub(crate) fn after(mut self, prefix: &str) -> Self {
        match self.0.first_mut() {
            _ if prefix.is_empty() => {}
            Some(Piece::Literal(first)) => first.insert_str(0, prefix),
            _ => self.0.insert(0, Piece::Literal(prefix.to_owned())),
        }
        self
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value(value) => Some(value),
            _ => None,
        })
    }

    /// Whether the function's result is part of it.
    pub(crate) fn names_result(&self) -> bool {
        self.values().any(|value| value.root == Root::Result)
    }

    /// Whether a binding, a type parameter or a const parameter of that name is part of it.
    pub(crate) fn names(&self, name: &Ident) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::TypeName { name: named, .. } => named == name,
            Piece::Value(value) => value.root != Root::Result && value.ident == *name,
            Piece::Literal(_) | Piece::Separator(_) | Piece::ModulePath => false,
        })
    }
}

/// Finds what each placeholder names. `result` says whether the function's result may be named.
pub(super) fn resolve(
    template: Template,
    function: &Function,
    result: bool,
    errors: &mut Errors,
) -> Option<Text> {
    let mut clean = true;
    for braces in &template.braces {
        if names_something(function, &braces.root) {
            let path = braces.inner.split(':').next().unwrap_or_default();
            let message = format!(
                "`{{{}}}` is literal text here: write `<{path}>` for the argument (braces are \
                 Redis Cluster hash tags)",
                braces.inner
            );
            errors.push(braces.span, message);
            clean = false;
        }
    }
    let mut pieces = Vec::new();
    for segment in template.segments {
        match segment {
            Segment::Literal(text) => pieces.push(Piece::Literal(text)),
            Segment::Placeholder(placeholder) => match piece(&placeholder, function, result) {
                Ok(piece) => pieces.push(piece),
                Err(message) => {
                    errors.push(placeholder.span, message);
                    clean = false;
                }
            },
        }
    }
    clean.then_some(Text(pieces))
}

fn names_something(function: &Function, name: &str) -> bool {
    (name == "self" && function.receiver.is_some())
        || function.arguments.iter().any(|argument| argument.binds(name).is_some())
        || function.parameters().any(|(parameter, _)| parameter == name)
}

fn piece(placeholder: &Placeholder, function: &Function, result: bool) -> Result<Piece, String> {
    let root = placeholder.root.as_str();
    let value = |root: Root, ident: &Ident, cfgs: &[Attribute]| {
        Piece::Value(Value {
            root,
            ident: ident.clone(),
            steps: placeholder.steps.clone(),
            md5: placeholder.md5,
            span: placeholder.span,
            cfgs: cfgs.to_vec(),
        })
    };
    for (index, argument) in function.arguments.iter().enumerate() {
        if let Some(binding) = argument.binds(root) {
            return Ok(value(Root::Argument(index), binding, &argument.cfgs));
        }
    }
    if root == "self"
        && let Some(receiver) = &function.receiver
    {
        return Ok(value(Root::Receiver, &receiver.ident, &[]));
    }
    if let Some((name, is_type)) = function.parameters().find(|(name, _)| name.unraw() == root) {
        if !is_type {
            return Ok(value(Root::ConstParameter, name, &[]));
        }
        if !placeholder.steps.is_empty() || placeholder.md5 {
            return Err(format!("`{root}` is a type: only its name can be in a key, as `<{root}>`"));
        }
        let name = name.clone();
        let span = placeholder.span;
        return Ok(Piece::TypeName { name, span });
    }
    if root == "result" && result {
        let ident = Ident::new("result", Span::mixed_site());
        return Ok(value(Root::Result, &ident, &[]));
    }
    Err(unknown(placeholder, function, result))
}

fn unknown(placeholder: &Placeholder, function: &Function, result: bool) -> String {
    let mut known: Vec<String> = Vec::new();
    known.extend(function.receiver.as_ref().map(|_| "self".to_owned()));
    known.extend(function.parameters().map(|(name, _)| name.unraw().to_string()));
    let bindings = function.arguments.iter().flat_map(|argument| &argument.bindings);
    known.extend(bindings.map(|name| name.unraw().to_string()));
    if result && !known.iter().any(|name| name == "result") {
        known.push("result".to_owned());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();

    let mut message = format!("unknown placeholder `{}`", placeholder.text());
    if placeholder.root == "self" {
        return message + ": this function has no `self`";
    }
    let help = match suggest::nearest(&placeholder.root, known.iter().copied()) {
        Some(near) => write!(message, ": did you mean `<{near}>`?"),
        None if known.is_empty() => write!(message, ": this function has no arguments"),
        None => write!(message, ": it may name {}", suggest::list(known)),
    };
    help.map(|()| message).unwrap_or_default()
}
