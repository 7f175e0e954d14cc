//! Arguments and signature become a model in which everything is valid; what is not, is reported.

mod companions;
mod coverage;
mod hidden;
mod owned;
mod text;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Path, parse_quote};

use crate::args::{Args, Fraction, Given, Macro, Namespace, Time, attribute_span};
use crate::errors::Errors;
use crate::function::{Function, has_impl_trait, is_reference};
use crate::template::{Purpose, Segment, Template};
use crate::tokens;

pub(crate) use companions::{Companions, KeyInputs};
pub(crate) use text::{Piece, Root, Text, Value};

/// What all three macros have.
pub(crate) struct Common {
    pub(crate) krate: Path,
    pub(crate) cache: Place,
}

/// The cache to use.
pub(crate) enum Place {
    Global,
    /// An expression, as seen from inside the function.
    Expr {
        expr: Expr,
        /// It names something that the body takes or changes: a clone is used.
        cloned: bool,
    },
}

/// How long a value lives.
pub(crate) struct Policy {
    pub(crate) ttl: Time,
    pub(crate) jitter: Option<Fraction>,
    pub(crate) stale_while_revalidate: Option<Time>,
    pub(crate) stale_if_error: Option<Time>,
    pub(crate) refresh_ahead: Option<Fraction>,
    pub(crate) negative_ttl: Option<Time>,
    pub(crate) timeout: Option<Time>,
    pub(crate) lock: Option<Expr>,
    /// Where it is no part of the key.
    pub(crate) schema: Option<u32>,
    pub(crate) spawn: bool,
    pub(crate) takeover_after: Option<Time>,
    pub(crate) detached: bool,
    pub(crate) tags: Vec<Text>,
}

/// `#[cached]`
pub(crate) struct Cached {
    pub(crate) common: Common,
    pub(crate) key: Text,
    pub(crate) policy: Policy,
    pub(crate) when: Option<Expr>,
    /// A computation may outlive its caller: it works on owned copies.
    pub(crate) background: bool,
    pub(crate) companions: Companions,
    /// Where the compiler complains if `Self` has parameters: the key leaves them out.
    pub(crate) plain_self: Option<Span>,
}

/// A `#[cached]` with errors: enough to keep its callers from having errors of their own.
pub(crate) struct Outline {
    pub(crate) common: Common,
    pub(crate) key: Text,
    pub(crate) companions: Companions,
}

/// `#[invalidate]`
pub(crate) struct Invalidate {
    pub(crate) common: Common,
    pub(crate) targets: Vec<Target>,
    pub(crate) on_ok: bool,
}

/// One thing that `#[invalidate]` drops.
pub(crate) struct Target {
    pub(crate) kind: TargetKind,
    pub(crate) text: Text,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Key,
    Prefix,
    Tag,
}

/// `#[cache_put]`
pub(crate) struct CachePut {
    pub(crate) common: Common,
    pub(crate) key: Text,
    pub(crate) policy: Policy,
}

impl Cached {
    /// The model, or what of it is known in spite of the errors.
    pub(crate) fn new(
        mut args: Args,
        function: &Function,
        errors: &mut Errors,
    ) -> Result<Self, Box<Outline>> {
        check_output(function, Macro::Cached, errors);
        let prefix = prefix(&args);
        let key = Self::key(&args, function, errors);
        coverage::check_skip(function, &args, key.as_ref(), errors);
        let skip_unread = args.not_understood() && args.attempted("skip") && args.skip.is_empty();
        if let Some(key) = &key
            && !skip_unread
        {
            coverage::check(function, &args.skip, key, errors);
        }
        let background = owned::background(&args, function, errors);
        let companions = Companions::choose(&args, function, errors);
        let common = common(&mut args, function);
        let when = args.when.take().map(|when| localized(when.value, function));
        let policy = policy(&mut args, Macro::Cached, function, errors);
        match (key, policy) {
            (Some(key), Some(policy)) if errors.is_empty() => {
                let plain_self =
                    coverage::leaves_out_self(function, &args.skip, &key).then(|| key_span(&args));
                Ok(Self { key: key.after(&prefix), common, policy, when, background, companions, plain_self })
            }
            (key, _) => Err(Box::new(Outline { common, key: key.unwrap_or_default(), companions })),
        }
    }

    fn key(args: &Args, function: &Function, errors: &mut Errors) -> Option<Text> {
        match &args.key {
            Some(key) => {
                let template = Template::parse(&key.value, Purpose::Key, errors)?;
                text::resolve(template, function, false, errors)
            }
            None if args.attempted("key") => None,
            None => coverage::default_key(function, &args.skip, errors),
        }
    }
}

/// Where errors about the whole key belong.
fn key_span(args: &Args) -> Span {
    args.key.as_ref().map_or_else(attribute_span, |key| key.value.span())
}

impl Invalidate {
    /// `None` only if there were errors.
    pub(crate) fn new(mut args: Args, function: &Function, errors: &mut Errors) -> Option<Self> {
        let prefix = prefix(&args);
        let namespaced = args.namespace.is_some();
        if let Some(schema) = &args.schema
            && !args.attempted("namespace")
        {
            errors.push(
                schema.name.span(),
                "without a namespace, every version of a value has the same key, and goes with it: drop \
                 `schema`, or add `namespace = \"users\"`",
            );
        }
        let mut targets = Vec::new();
        for literal in &args.templates {
            let Some(template) = Template::parse(literal, Purpose::Pattern { namespaced }, errors) else {
                continue;
            };
            let kind = match template.prefix {
                true => TargetKind::Prefix,
                false => TargetKind::Key,
            };
            if let Some(text) = text::resolve(template, function, true, errors) {
                let text = text.after(&prefix);
                targets.push(Target { kind, text });
            }
        }
        let tags = tags(&args, function, true, errors);
        targets.extend(tags.into_iter().map(|text| Target { kind: TargetKind::Tag, text }));
        if args.templates.is_empty() && !args.attempted("tags") && !args.not_understood() {
            errors.push(
                attribute_span(),
                "nothing to invalidate: name keys, prefixes or tags, as in \
                 `#[invalidate(\"user:<id>\", \"dashboard:*\")]`",
            );
        }
        Some(Self { common: common(&mut args, function), targets, on_ok: args.on_ok.is_some() })
    }
}

impl CachePut {
    /// `None` only if there were errors.
    pub(crate) fn new(mut args: Args, function: &Function, errors: &mut Errors) -> Option<Self> {
        check_output(function, Macro::CachePut, errors);
        let prefix = prefix(&args);
        if !args.attempted("key") {
            errors.push(
                attribute_span(),
                "`key` is missing: which entry the result is stored under, as in \
                 `key = \"user:<id>\"`",
            );
        }
        let key = args.key.as_ref().and_then(|key| {
            let template = Template::parse(&key.value, Purpose::Key, errors)?;
            forbid_result(&template, function, errors)?;
            text::resolve(template, function, false, errors)
        });
        let common = common(&mut args, function);
        let policy = policy(&mut args, Macro::CachePut, function, errors);
        Some(Self { common, key: key?.after(&prefix), policy: policy? })
    }
}

/// The key of a write must be known when the write fails.
fn forbid_result(template: &Template, function: &Function, errors: &mut Errors) -> Option<()> {
    let named = function.arguments.iter().any(|argument| argument.binds("result").is_some());
    let result = template.segments.iter().find_map(|segment| match segment {
        Segment::Placeholder(placeholder) if placeholder.root == "result" => Some(placeholder),
        _ => None,
    });
    match result {
        Some(placeholder) if !named => {
            errors.push(
                placeholder.span,
                "`#[cache_put]` needs its key before the function runs, so that a failure can \
                 drop the entry: use an argument instead of `result`",
            );
            None
        }
        _ => Some(()),
    }
}

/// Values are owned: what a cache keeps outlives the call.
fn check_output(function: &Function, of: Macro, errors: &mut Errors) {
    if has_impl_trait(&function.output) {
        let message = format!(
            "`{}` needs to name the type that it stores: return a concrete type instead of \
             `impl Trait`",
            of.name()
        );
        errors.push(function.output.span(), message);
    } else if is_reference(&function.output) {
        let message = format!(
            "`{}` stores owned values: return `String` for `&str`, `Vec<T>` for `&[T]`, `T` or \
             `Arc<T>` for `&T`",
            of.name()
        );
        errors.push(function.output.span(), message);
    }
}

/// `users:` or `users:v3:`
fn prefix(args: &Args) -> String {
    match (&args.namespace, &args.schema) {
        (Some(Given { value: Namespace(name), .. }), None) => format!("{name}:"),
        (Some(Given { value: Namespace(name), .. }), Some(schema)) => {
            format!("{name}:v{}:", schema.value)
        }
        _ => String::new(),
    }
}

fn common(args: &mut Args, function: &Function) -> Common {
    let krate = match args.krate.take() {
        Some(given) => given.value,
        None => parse_quote!(::larder),
    };
    let cache = match args.cache.take() {
        None => Place::Global,
        Some(given) => {
            let expr = localized(with_named(given.value, &krate), function);
            let cloned = owned::mentions_owned(function, &expr);
            Place::Expr { expr, cloned }
        }
    };
    Common { krate, cache }
}

/// `named("sessions")` is larder's, whatever is in scope.
fn with_named(mut expr: Expr, krate: &Path) -> Expr {
    if let Expr::Call(call) = &mut expr
        && let Expr::Path(path) = &mut *call.func
        && path.path.is_ident("named")
    {
        path.path = parse_quote!(#krate::named);
    }
    expr
}

/// An expression from the attribute, where `self` may have another name.
fn localized(mut expr: Expr, function: &Function) -> Expr {
    if let Some(receiver) = &function.receiver
        && receiver.ident != "self"
    {
        tokens::rename_self_in_expr(&mut expr, &receiver.ident);
    }
    expr
}

fn tags(args: &Args, function: &Function, result: bool, errors: &mut Errors) -> Vec<Text> {
    let mut texts = Vec::new();
    for literal in &args.tags {
        if let Some(template) = Template::parse(literal, Purpose::Tag, errors) {
            texts.extend(text::resolve(template, function, result, errors));
        }
    }
    texts
}

fn policy(args: &mut Args, of: Macro, function: &Function, errors: &mut Errors) -> Option<Policy> {
    let tags = tags(args, function, false, errors);
    if !args.attempted("ttl") {
        let message = format!(
            "`ttl` is missing: how long `{}` keeps a result, in seconds (`ttl = 300`) or as text \
             (`ttl = \"5m\"`)",
            of.name()
        );
        errors.push(attribute_span(), message);
    }
    let time = |given: Given<Time>| match given.value {
        Time::Expr(expr) => Time::Expr(localized(expr, function)),
        literal => literal,
    };
    Some(Policy {
        ttl: time(args.ttl.take()?),
        jitter: args.jitter.take().map(|given| given.value),
        stale_while_revalidate: args.stale_while_revalidate.take().map(time),
        stale_if_error: args.stale_if_error.take().map(time),
        refresh_ahead: args.refresh_ahead.take().map(|given| given.value),
        negative_ttl: args.negative_ttl.take().map(time),
        timeout: args.timeout.take().map(time),
        schema: args.schema.as_ref().filter(|_| args.namespace.is_none()).map(|given| given.value),
        lock: args.lock.take().map(|lock| localized(lock.value, function)),
        spawn: args.spawn.take().is_some_and(|given| given.value),
        takeover_after: args.takeover_after.take().map(time),
        detached: args.detached.take().is_some_and(|given| given.value),
        tags,
    })
}

/// An argument as a template names it.
fn placeholder_of(name: &Ident) -> String {
    use syn::ext::IdentExt as _;
    format!("<{}>", name.unraw())
}

/// The tokens of everything in which an argument may be mentioned by name.
fn tokens_of(place: &Place) -> TokenStream {
    match place {
        Place::Global => TokenStream::new(),
        Place::Expr { expr, .. } => quote!(#expr),
    }
}
