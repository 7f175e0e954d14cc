//! Arguments and signature become a model in which everything is valid; what is not, is reported.

mod cache_expr;
mod cached_calls;
mod companions;
mod coverage;
mod each;
mod elements;
mod limited;
mod owned;
mod policy;
mod streams;
mod text;
mod unnamed_types;
mod without_effect;

use proc_macro2::Span;
use syn::Expr;
use syn::spanned::Spanned as _;

use crate::args::{Args, Given, Macro, Namespace, attribute_span};
use crate::errors::Errors;
use crate::function::{Function, borrows_value, has_impl_trait, holds_static_reference, is_reference};
use crate::template::{Purpose, Segment, Template};
use crate::tokens;

pub(crate) use cache_expr::{CacheExpr, Common};
pub(crate) use cached_calls::{Argument, NamedFunction, When};
pub(crate) use companions::{Companions, KeyInputs};
pub(crate) use each::{Condition, Each};
pub(crate) use elements::List;
pub(crate) use limited::Limited;
pub(crate) use policy::{Basis, Policy};
pub(crate) use text::{Head, Piece, Root, Text, Value};

/// `#[cached]`, and `#[cached_many]`
pub(crate) struct Cached {
    pub(crate) common: Common,
    /// Of `#[cached_many]`.
    pub(crate) list: Option<List>,
    pub(crate) key: Text,
    pub(crate) policy: Policy,
    pub(crate) when: Option<Expr>,
    /// A computation may outlive its caller: it works on owned copies.
    pub(crate) background: bool,
    pub(crate) companions: Companions,
    /// The expression that gives errors to those who waited, and where a complaint about the option belongs.
    pub(crate) share_err: Option<(Span, Expr)>,
    /// Where a complaint about `cache_err` belongs, and which errors it keeps: all of them, if that is not given.
    pub(crate) cache_err: Option<(Span, Option<Expr>)>,
    /// Where a complaint about `deadline` belongs.
    pub(crate) deadline: Option<Span>,
    /// Where a complaint about the option belongs, and what takes the place of an error.
    pub(crate) or: Option<(Span, Expr)>,
    /// Values that are not stored.
    pub(crate) unless: Option<Expr>,
    /// Of a function that returns a stream: how many items are stored at most.
    pub(crate) max_items: Option<Expr>,
    /// Of a list: how many elements the body is given at most.
    pub(crate) max_batch_size: Option<Expr>,
    /// Other functions have this key too.
    pub(crate) shares_key: bool,
    /// Where the compiler complains if `Self` has parameters: the key leaves them out.
    pub(crate) plain_self: Option<Span>,
    /// The keys name at most `Self` of what stands around the function.
    pub(crate) self_alone: bool,
}

/// A `#[cached]` with errors: what is known of it, for companions that only type-check.
pub(crate) struct FallbackItems {
    pub(crate) common: Common,
    pub(crate) list: Option<List>,
    pub(crate) key: Text,
    pub(crate) companions: Companions,
}

/// `#[invalidate]`
pub(crate) struct Invalidate {
    pub(crate) common: Common,
    pub(crate) targets: Vec<Target>,
    pub(crate) functions: Vec<NamedFunction>,
    pub(crate) on_ok: bool,
    pub(crate) soft: bool,
    pub(crate) condition: Option<Condition>,
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
        of: Macro,
        errors: &mut Errors,
    ) -> Result<Self, Box<FallbackItems>> {
        check_output(&args, function, of, errors);
        let prefix = prefix(&args);
        let list = (of == Macro::CachedMany).then(|| elements::list(&mut args, function, errors));
        if let Some(None) = list {
            let (common, key) = (cache_expr::common(&mut args, function), Text::default());
            return Err(Box::new(FallbackItems { common, list: None, key, companions: Companions::None }));
        }
        let list = list.flatten();
        let key = match (&list, args.attempted("each")) {
            (None, true) => None,
            _ => Self::checked_key(&args, list.as_ref().map_or(function, |list| &list.of_one), errors),
        };
        if of == Macro::Cached {
            streams::check(&args, function, errors);
            without_effect::check_blocking(&args, function, errors);
        }
        without_effect::check_local(&args, function, errors);
        without_effect::check_memory_ttl(&args, errors);
        let background = !function.is_blocking() && owned::background(&args, of, function, errors);
        let companions = Companions::choose(&args, function, errors);
        let common = cache_expr::common(&mut args, function);
        let unless = args.unless.take().map(|given| function.localized(given.value));
        let share_err =
            args.share_err.take().map(|given| (given.name.span(), function.localized(given.value)));
        without_effect::check_cache_err(&args, errors);
        let chosen = args.cache_err_if.take().map(|given| function.localized(given.value));
        let cache_err = args.cache_err.as_ref().map(|given| (given.name.span(), chosen));
        let deadline = args.deadline.as_ref().map(|given| given.name.span());
        let or = args.or.take().map(|given| (given.name.span(), function.localized(given.value)));
        let max_items = args.max_items.take().map(|given| function.localized(given.value));
        let max_batch_size = args.max_batch_size.take().map(|given| function.localized(given.value));
        let shares_key = args.shared_key.take().is_some_and(|given| given.value);
        let when = args.when.take().map(|when| function.localized(when.value));
        without_effect::check(&args, of, errors);
        let policy = policy::policy(&mut args, of, function, errors);
        match (key, policy) {
            (Some(key), Some(mut policy)) if errors.is_empty() => {
                let plain_self =
                    coverage::leaves_out_self(function, &args.skip, &key).then(|| key_span(&args));
                let self_alone = coverage::names_self_alone(function, &args.skip, &key);
                if !without_effect::knows_value(function, plain_self.is_some()) {
                    policy.needs_option = None;
                }
                let key = key.after(&prefix);
                Ok(Self {
                    common,
                    list,
                    key,
                    policy,
                    when,
                    background,
                    companions,
                    share_err,
                    cache_err,
                    deadline,
                    or,
                    unless,
                    max_items,
                    max_batch_size,
                    shares_key,
                    plain_self,
                    self_alone,
                })
            }
            (key, _) => {
                Err(Box::new(FallbackItems { common, list, key: key.unwrap_or_default(), companions }))
            }
        }
    }

    /// The function that keys are made for: that of one element, if there is a list.
    pub(crate) fn keyed<'f>(&'f self, function: &'f Function) -> &'f Function {
        self.list.as_ref().map_or(function, |list| &list.of_one)
    }

    /// The key, in which each argument is that is not skipped.
    fn checked_key(args: &Args, function: &Function, errors: &mut Errors) -> Option<Text> {
        let key = Self::key(args, function, errors);
        coverage::check_skip(function, args, key.as_ref(), errors);
        let skip_unread = args.not_understood() && args.attempted("skip") && args.skip.is_empty();
        if let Some(key) = &key
            && !skip_unread
        {
            coverage::check(function, &args.skip, key, errors);
        }
        key
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
                each::check(&text, errors);
                let text = text.after(&prefix);
                targets.push(Target { kind, text });
            }
        }
        let tags = policy::tags(&args, function, true, errors);
        tags.iter().for_each(|tag| each::check(tag, errors));
        targets.extend(tags.into_iter().map(|text| Target { kind: TargetKind::Tag, text }));
        let functions = cached_calls::functions(&mut args, function, errors);
        let is_empty = functions.is_empty() && args.templates.is_empty() && args.tags.is_empty();
        if is_empty && !args.not_understood() {
            errors.push(
                attribute_span(),
                "nothing to invalidate: name cached functions, keys, prefixes or tags, as in \
                 `#[invalidate(user(id), \"dashboard:*\")]`",
            );
        }
        let condition = args.condition.take().map(|given| Condition::new(given.value, function));
        let on_ok = args.on_ok.is_some();
        let common = cache_expr::common(&mut args, function);
        let soft = args.soft.is_some_and(|given| given.value);
        Some(Self { common, targets, functions, on_ok, soft, condition })
    }
}

impl CachePut {
    /// `None` only if there were errors.
    pub(crate) fn new(mut args: Args, function: &Function, errors: &mut Errors) -> Option<Self> {
        check_output(&args, function, Macro::CachePut, errors);
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
        without_effect::check_local(&args, function, errors);
        without_effect::check_memory_ttl(&args, errors);
        let common = cache_expr::common(&mut args, function);
        let mut policy = policy::policy(&mut args, Macro::CachePut, function, errors)?;
        if !without_effect::knows_value(function, false) {
            policy.needs_option = None;
        }
        Some(Self { common, key: key?.after(&prefix), policy })
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
fn check_output(args: &Args, function: &Function, of: Macro, errors: &mut Errors) {
    let stays = function.is_blocking() || args.local.as_ref().is_some_and(|local| local.value);
    if has_impl_trait(&function.output) && of == Macro::Cached && tokens::mention(&function.output, "Stream")
    {
        errors.push(
            function.output.span(),
            "`#[cached]` needs to name the type of the items that it stores: write `impl Stream<Item = T>`",
        );
    } else if has_impl_trait(&function.output) {
        let message = format!(
            "`{}` needs to name the type that it stores: return a concrete type instead of \
             `impl Trait`",
            of.name()
        );
        errors.push(function.output.span(), message);
    } else if is_reference(&function.output, stays) {
        let message = format!(
            "`{}` stores owned values: return `String` for `&str`, `Vec<T>` for `&[T]`, `T` or \
             `Arc<T>` for `&T`",
            of.name()
        );
        errors.push(function.output.span(), message);
    } else if of != Macro::CachedMany && borrows_value(&function.output) {
        let message = format!(
            "`{}` stores owned values, and this one borrows: return one without a lifetime, as `String` for `Cow<'_, str>`",
            of.name()
        );
        errors.push(function.output.span(), message);
    } else if of != Macro::CachedMany && !stays && holds_static_reference(&function.output) {
        let message = format!(
            "`{}` stores values that are read back as owned ones, as no `&'static` is: write `String` for `&'static str`, \
             or keep them in this process, `local`",
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
