//! Templates whose placeholders are known to be arguments.

use std::fmt::Write as _;

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident};

use crate::errors::Errors;
use crate::function::Function;
use crate::suggest;
use crate::template::{Digest, Placeholder, Segment, Step, Template};

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
    /// The name of a type: a parameter, `Self`, or what is associated to one.
    TypeName {
        path: Vec<Ident>,
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
    /// What follows a type.
    pub(crate) path: Vec<Ident>,
    /// The path is that of a function.
    pub(crate) called: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) digest: Option<Digest>,
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
    /// Something associated to a type.
    Type,
    Result,
    /// An element of a list, in a loop over it.
    Element,
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
            Piece::TypeName { path, .. } => path[0] == *name,
            Piece::Value(value) => value.root != Root::Result && value.ident == *name,
            Piece::Literal(_) | Piece::Separator(_) | Piece::ModulePath => false,
        })
    }
}

/// What all texts of a template have in common.
pub(crate) enum Head {
    /// There is one text.
    Whole(Text),
    /// They begin with this, which ends in `:`.
    Prefix(Text),
    /// Nothing that a prefix could cover.
    None,
}

impl Text {
    /// What stands in front of the first placeholder.
    pub(crate) fn head(&self) -> Head {
        let is_literal = |piece: &&Piece| matches!(piece, Piece::Literal(_) | Piece::ModulePath);
        let head: Vec<Piece> = self.0.iter().take_while(is_literal).cloned().collect();
        let ends_part = matches!(head.last(), Some(Piece::Literal(text)) if text.ends_with(':'));
        match head.len() == self.0.len() {
            true => Head::Whole(Self(head)),
            false if ends_part => Head::Prefix(Self(head)),
            false => Head::None,
        }
    }

    /// Whether a type is part of it that is no parameter of the function: `Self`, or a parameter of its `impl`.
    pub(crate) fn names_type_around(&self, function: &Function) -> bool {
        self.types_around(function).next().is_some()
    }

    /// The same without `Self`.
    pub(crate) fn names_parameter_around(&self, function: &Function) -> bool {
        self.types_around(function).any(|name| name != "Self")
    }

    /// Whether a type of this name, or what is associated to it, is part of it.
    pub(crate) fn names_type(&self, name: &str) -> bool {
        self.types().any(|root| root == name)
    }

    fn types_around<'t>(&'t self, function: &'t Function) -> impl Iterator<Item = &'t Ident> {
        self.types().filter(|root| function.may_be_around(root))
    }

    /// The pieces that are types around the function, or belong to them; as far as anything tells.
    pub(crate) fn pieces_around<'t>(&'t self, function: &'t Function) -> impl Iterator<Item = &'t Piece> {
        self.0.iter().filter(|piece| piece.type_root().is_some_and(|root| function.may_be_around(root)))
    }

    fn types(&self) -> impl Iterator<Item = &Ident> {
        self.0.iter().filter_map(Piece::type_root)
    }
}

impl Piece {
    /// The type that it is, or belongs to.
    fn type_root(&self) -> Option<&Ident> {
        match self {
            Self::TypeName { path, .. } => path.first(),
            Self::Value(value) if value.root == Root::Type => Some(&value.ident),
            _ => None,
        }
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
            Segment::Placeholder(placeholder) => match named(&placeholder, function, result) {
                Ok(named) => pieces.extend(named),
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

/// What a placeholder names: one piece, or each of several arguments of that name, of which `#[cfg]` leaves one.
fn named(placeholder: &Placeholder, function: &Function, result: bool) -> Result<Vec<Piece>, String> {
    if !result && placeholder.steps.contains(&Step::Each) {
        return Err(format!(
            "`{}` stands for one key of each element, which only `#[invalidate]` can have: a key names one entry",
            placeholder.text()
        ));
    }
    let root = placeholder.root.as_str();
    let value = |root: Root, ident: &Ident, cfgs: &[Attribute]| {
        Piece::Value(Value {
            root,
            ident: ident.clone(),
            path: placeholder.path.clone(),
            called: placeholder.called,
            steps: placeholder.steps.clone(),
            digest: placeholder.digest,
            span: placeholder.span,
            cfgs: cfgs.to_vec(),
        })
    };
    let plain = placeholder.path.is_empty();
    let arguments = function.arguments.iter().enumerate().filter(|_| plain);
    let bindings = arguments.filter_map(|(index, argument)| {
        Some(value(Root::Argument(index), argument.binds(root)?, &argument.cfgs))
    });
    let bindings: Vec<Piece> = bindings.collect();
    if !bindings.is_empty() {
        return Ok(bindings);
    }
    if root == "self"
        && let Some(receiver) = &function.receiver
    {
        return Ok(vec![value(Root::Receiver, &receiver.ident, &[])]);
    }
    if let Some((name, is_type)) = function.parameters().find(|(name, _)| name.unraw() == root) {
        if is_type {
            return of_type(placeholder, name, value).map(|piece| vec![piece]);
        }
        if plain {
            return Ok(vec![value(Root::ConstParameter, name, &[])]);
        }
    }
    if root == "result" && result {
        let ident = Ident::new("__result", Span::mixed_site());
        return Ok(vec![value(Root::Result, &ident, &[])]);
    }
    // The parameters of an `impl` cannot be seen from here.
    let may_be_around =
        root == "Self" || (root.starts_with(char::is_uppercase) && near(root, function, result).is_none());
    if function.associated && may_be_around {
        let piece = of_type(placeholder, &Ident::new(root, placeholder.span), value);
        return piece.map(|piece| vec![piece]);
    }
    Err(unknown(placeholder, function, result))
}

/// `<T>` and `<T::Row>` are names of types, `<T::NAME>` and `<T::name()>` are values.
fn of_type(
    placeholder: &Placeholder,
    ident: &Ident,
    value: impl Fn(Root, &Ident, &[Attribute]) -> Piece,
) -> Result<Piece, String> {
    let constant = |last: &Ident| !last.to_string().contains(char::is_lowercase);
    if placeholder.called || placeholder.path.last().is_some_and(constant) {
        return Ok(value(Root::Type, ident, &[]));
    }
    if !placeholder.steps.is_empty() || placeholder.digest.is_some() {
        let name =
            placeholder.path.iter().fold(ident.to_string(), |name, segment| format!("{name}::{segment}"));
        return Err(format!("`{name}` is a type: only its name can be in a key, as `<{name}>`"));
    }
    let path = std::iter::once(ident).chain(&placeholder.path).cloned().collect();
    Ok(Piece::TypeName { path, span: placeholder.span })
}

/// What a placeholder may begin with.
fn known(function: &Function, result: bool) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    known.extend(function.receiver.as_ref().map(|_| "self".to_owned()));
    known.extend(function.parameters().map(|(name, _)| name.unraw().to_string()));
    let bindings = function.arguments.iter().flat_map(|argument| &argument.bindings);
    known.extend(bindings.map(|name| name.unraw().to_string()));
    if result && !known.iter().any(|name| name == "result") {
        known.push("result".to_owned());
    }
    known
}

fn near(root: &str, function: &Function, result: bool) -> Option<String> {
    let known = known(function, result);
    suggest::nearest(root, known.iter().map(String::as_str)).map(str::to_owned)
}

fn unknown(placeholder: &Placeholder, function: &Function, result: bool) -> String {
    let known = known(function, result);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let root = placeholder.root.as_str();

    let mut message = format!("unknown placeholder `{}`", placeholder.text());
    if root == "self" {
        return message + ": this function has no `self`";
    }
    let help = match near(root, function, result) {
        Some(near) => write!(message, ": did you mean `<{near}>`?"),
        None if root.starts_with(char::is_uppercase) && !function.associated => write!(
            message,
            ": this function has no such type parameter; if it is one of the `impl` around it, write `skip(Self)` \
             too, or put `<Self>` into the key, so that the macro knows of the `impl`"
        ),
        None if known.is_empty() => write!(message, ": this function has no arguments"),
        None => write!(message, ": it may name {}", suggest::list(known)),
    };
    help.map(|()| message).unwrap_or_default()
}
