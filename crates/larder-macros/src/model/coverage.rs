//! Every argument is in the key or in `skip(…)`.

use proc_macro2::Span;
use syn::Ident;
use syn::ext::IdentExt as _;

use super::text::{Piece, Root, Text, Value};
use super::unnamed_types;
use crate::args::{Args, attribute_span};
use crate::errors::Errors;
use crate::function::Function;
use crate::suggest;
use crate::surroundings::Place;

/// What a key has to cover.
struct Input<'a> {
    name: &'a Ident,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its place in `Function::arguments`, and whether it is the whole argument.
    Argument {
        index: usize,
        whole: bool,
    },
    Type,
    Const,
}

/// Type and const parameters, then each name that the arguments bind.
fn inputs(function: &Function) -> Vec<Input<'_>> {
    let parameters = function
        .parameters()
        .map(|(name, is_type)| Input { name, kind: if is_type { Kind::Type } else { Kind::Const } });
    let bindings = function.arguments.iter().enumerate().flat_map(|(index, argument)| {
        let whole = argument.name().is_some();
        argument.bindings.iter().map(move |name| Input { name, kind: Kind::Argument { index, whole } })
    });
    parameters.chain(bindings).collect()
}

fn skipped(skip: &[Ident], name: &Ident) -> bool {
    skip.iter().any(|skipped| skipped.unraw() == name.unraw())
}

/// Reports each input that the key leaves out and `skip` does not name.
pub(super) fn check(function: &Function, skip: &[Ident], key: &Text, errors: &mut Errors) {
    for input in inputs(function) {
        if key.names(input.name) || skipped(skip, input.name) {
            continue;
        }
        let name = input.name.unraw();
        let what = match input.kind {
            Kind::Argument { whole: true, .. } => format!("`{name}`"),
            Kind::Argument { whole: false, .. } => format!("`{name}`, a part of this pattern,"),
            Kind::Type => format!("the type parameter `{name}`"),
            Kind::Const => format!("the const parameter `{name}`"),
        };
        let placeholder = placeholder_of(input.name);
        let digest = match input.kind {
            Kind::Argument { .. } => format!(" (`<{name}:hash>` if it is long or secret)"),
            Kind::Type | Kind::Const => String::new(),
        };
        let message = format!(
            "{what} is neither in the key nor skipped: put `{placeholder}` into the key{digest}, or write \
             `skip({name})` if the result does not depend on it"
        );
        errors.push(input.name.span(), message);
    }
    check_receiver(function, skip, key, errors);
    check_trait_parameters(function, skip, key, errors);
    unnamed_types::check(function, key, errors);
}

/// Reports a `self` that the key leaves out and `skip` does not name.
fn check_receiver(function: &Function, skip: &[Ident], key: &Text, errors: &mut Errors) {
    let Some(receiver) = &function.receiver else { return };
    if skip.iter().any(|name| name == "self") || names_receiver(key) {
        return;
    }
    errors.push(
        receiver.span,
        "`self` is neither in the key nor skipped: put what the result depends on into the key, as in \
         `<self.tenant>`, or write `skip(self)` if any two values of this type give the same result",
    );
}

/// Reports each parameter of the trait around the function that neither `skip(Self)` nor the key covers: `Self` is the same
/// for all of them.
fn check_trait_parameters(function: &Function, skip: &[Ident], key: &Text, errors: &mut Errors) {
    if skip.iter().any(|name| name == "Self") {
        return;
    }
    for parameter in &function.surroundings.trait_parameters {
        let name = &parameter.name;
        if key.names_type(name) {
            continue;
        }
        let message = match parameter.is_const {
            false => format!(
                "the type parameter `{name}` of the trait is neither in the key nor skipped: put `<{name}>` into the key \
                 (or what tells the types apart, as in `<{name}::NAME>`), or write `skip(Self)` if the result does not \
                 depend on it"
            ),
            true => format!(
                "the const parameter `{name}` of the trait is neither in the key nor skipped, and only a parameter of the \
                 function itself can be in its key: write `skip(Self)` if the result does not depend on it"
            ),
        };
        errors.push(function.item.sig.ident.span(), message);
    }
}

fn names_receiver(key: &Text) -> bool {
    key.values().any(|value| value.root == Root::Receiver)
}

/// Whether the type that a method belongs to is still to be looked at: neither the key nor `skip` names it. What it
/// is, and whether it is generic, only the compiler knows.
pub(super) fn leaves_out_self(function: &Function, skip: &[Ident], key: &Text) -> bool {
    let itself = skip.iter().any(|name| name == "Self");
    function.associated && !itself && !key.names_type_around(function)
}

/// Whether the keys of a method name at most `Self` of what stands around it, as far as anything tells: then they are those
/// of one trait alone, and of one type.
pub(super) fn names_self_alone(function: &Function, skip: &[Ident], key: &Text) -> bool {
    let itself = skip.iter().any(|name| name == "Self");
    let is_known = function.surroundings.parameters.is_some();
    function.associated && !itself && !(is_known && key.names_parameter_around(function))
}

/// Reports names in `skip` that are unknown, repeated, or in a key that was written.
pub(super) fn check_skip(function: &Function, args: &Args, key: Option<&Text>, errors: &mut Errors) {
    let inputs = inputs(function);
    for (at, name) in args.skip.iter().enumerate() {
        let text = name.unraw().to_string();
        if skipped(&args.skip[..at], name) {
            errors.push(name.span(), format!("`{text}` is skipped twice: keep one of them"));
            continue;
        }
        if text == "self" && function.receiver.is_some() {
            if key.is_some_and(names_receiver) {
                errors.push(name.span(), in_key(&text));
            }
            continue;
        }
        if text == "Self" && function.associated {
            // With `<T>` alone in the key, `skip(Self)` says where the function stands.
            if key.is_some_and(|key| key.names(name)) {
                errors.push(name.span(), in_key(&text));
            }
            continue;
        }
        let Some(input) = inputs.iter().find(|input| input.name.unraw() == text) else {
            errors.push(name.span(), unknown(&text, function, &inputs));
            continue;
        };
        if args.key.is_some() && key.is_some_and(|key| key.names(input.name)) {
            errors.push(name.span(), in_key(&text));
        }
    }
}

fn in_key(name: &str) -> String {
    format!("`{name}` is in the key, so it cannot be skipped: remove it from one of the two")
}

fn unknown(name: &str, function: &Function, inputs: &[Input<'_>]) -> String {
    if function.associated && name.starts_with(char::is_uppercase) {
        return format!(
            "`{name}` is no parameter of this function: those of the `impl` are skipped by `skip(Self)`"
        );
    }
    let known: Vec<String> = inputs.iter().map(|input| input.name.unraw().to_string()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match suggest::nearest(name, known.iter().copied()) {
        Some(near) => format!("`{name}` is no argument of this function: did you mean `{near}`?"),
        None if known.is_empty() => {
            format!("`{name}` is no argument: this function has none, so that there is nothing to skip")
        }
        None => {
            format!("`{name}` is no argument of this function: the arguments are {}", suggest::list(known))
        }
    }
}

/// `<module path>.<name>`, then each input that is not skipped.
pub(super) fn default_key(function: &Function, skip: &[Ident], errors: &mut Errors) -> Option<Text> {
    let inputs: Vec<_> = inputs(function).into_iter().filter(|input| !skipped(skip, input.name)).collect();
    if function.surroundings.place == Place::Function {
        errors.push(
            attribute_span(),
            format!(
                "`key` is missing: functions inside of functions need one, because nothing else tells two of the \
                 same name apart, for example `key = \"{}\"`",
                example(function, &inputs)
            ),
        );
        return None;
    }
    if function.associated {
        let message = format!(
            "`key` is missing: methods need one, because nothing else tells two methods of the \
             same name apart, for example `key = \"{}\"`",
            example(function, &inputs)
        );
        errors.push(attribute_span(), message);
        return None;
    }
    let mut pieces = vec![Piece::ModulePath, Piece::Literal(format!(".{}", function.name()))];
    for input in &inputs {
        let piece = default_piece(input, function);
        pieces.push(match &piece {
            Piece::Value(value) if !value.cfgs.is_empty() => Piece::Separator(value.cfgs.clone()),
            _ => Piece::Literal(":".to_owned()),
        });
        pieces.push(piece);
    }
    Some(Text(pieces))
}

/// A key that could be written.
fn example(function: &Function, inputs: &[Input<'_>]) -> String {
    let mut example = function.name();
    for input in inputs {
        example += &format!(":{}", placeholder_of(input.name));
    }
    example
}

fn default_piece(input: &Input<'_>, function: &Function) -> Piece {
    let value = |root: Root, cfgs| {
        Piece::Value(Value {
            root,
            ident: input.name.clone(),
            path: Vec::new(),
            called: false,
            steps: Vec::new(),
            digest: None,
            span: input.name.span(),
            cfgs,
        })
    };
    match input.kind {
        Kind::Type => Piece::TypeName { path: vec![input.name.clone()], span: Span::call_site() },
        Kind::Const => value(Root::ConstParameter, Vec::new()),
        Kind::Argument { index, .. } => value(Root::Argument(index), function.arguments[index].cfgs.clone()),
    }
}

/// An argument as a template names it.
fn placeholder_of(name: &Ident) -> String {
    format!("<{}>", name.unraw())
}
