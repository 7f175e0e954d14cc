//! How long a value lives.

use proc_macro2::Span;
use syn::{Expr, LitStr};

use super::text::{self, Text};
use super::without_effect;
use crate::args::{Args, Fraction, Given, Macro, Time};
use crate::errors::Errors;
use crate::function::Function;
use crate::template::{Purpose, Template};

/// What the other options are added to.
pub(crate) enum Basis {
    /// `ttl = 300`
    Ttl(Time),
    /// `ttl = named("metrics")`
    Named(LitStr),
    /// No `ttl`: the cache's policy.
    OfCache,
}

/// How long a value lives.
pub(crate) struct Policy {
    pub(crate) basis: Basis,
    pub(crate) adaptive_to: Option<Time>,
    pub(crate) jitter: Option<Fraction>,
    pub(crate) stale_while_revalidate: Option<Time>,
    pub(crate) stale_if_error: Option<Time>,
    pub(crate) refresh_ahead: Option<Fraction>,
    pub(crate) memory_ttl: Option<Time>,
    pub(crate) negative_ttl: Option<Time>,
    pub(crate) cache_err: Option<Time>,
    pub(crate) timeout: Option<Time>,
    pub(crate) retry_after: Option<Time>,
    pub(crate) idle: Option<Time>,
    pub(crate) deadline: Option<Time>,
    pub(crate) lock: Option<Expr>,
    /// Where it is no part of the key.
    pub(crate) schema: Option<u32>,
    pub(crate) spawn: bool,
    pub(crate) takeover_after: Option<Time>,
    pub(crate) detached: bool,
    pub(crate) tags: Vec<Text>,
    /// Where the compiler complains if no value is a `None`.
    pub(crate) needs_option: Option<Span>,
    /// Where the compiler complains if the function returns no `Result`: about `stale_if_error`, …
    pub(crate) needs_result: Option<Span>,
    /// … and about `retry_after`.
    pub(crate) needs_failure: Option<Span>,
}

pub(super) fn policy(args: &mut Args, of: Macro, function: &Function, errors: &mut Errors) -> Option<Policy> {
    let tags = tags(args, function, false, errors);
    without_effect::check_idle(args, errors);
    without_effect::check_adaptive(args, errors);
    let needs_option = args.negative_ttl.as_ref().map(|given| given.name.span());
    // An entry that `#[cache_put]` stores is read by another function, which may return a `Result`.
    let needs_result = match &args.stale_if_error {
        Some(given) if of != Macro::CachePut && !args.attempted("timeout") => Some(given.name.span()),
        _ => None,
    };
    let needs_failure = args.retry_after.as_ref().map(|given| given.name.span());
    let time = |given: Given<Time>| match given.value {
        Time::Expr(expr) => Time::Expr(function.localized(expr)),
        literal => literal,
    };
    let basis = match args.ttl.take() {
        Some(Given { value: Time::Named(name), .. }) => Basis::Named(name),
        Some(given) => Basis::Ttl(time(given)),
        None => Basis::OfCache,
    };
    Some(Policy {
        basis,
        adaptive_to: args.adaptive_to.take().map(time),
        jitter: args.jitter.take().map(|given| given.value),
        stale_while_revalidate: args.stale_while_revalidate.take().map(time),
        stale_if_error: args.stale_if_error.take().map(time),
        refresh_ahead: args.refresh_ahead.take().map(|given| given.value),
        memory_ttl: args.memory_ttl.take().map(time),
        negative_ttl: args.negative_ttl.take().map(time),
        cache_err: args.cache_err.take().map(time),
        timeout: args.timeout.take().map(time),
        retry_after: args.retry_after.take().map(time),
        idle: args.idle.take().map(time),
        deadline: args.deadline.take().map(time),
        schema: args.schema.as_ref().filter(|_| args.namespace.is_none()).map(|given| given.value),
        lock: args.lock.take().map(|lock| function.localized(lock.value)),
        spawn: args.spawn.take().is_some_and(|given| given.value),
        takeover_after: args.takeover_after.take().map(time),
        detached: args.detached.take().is_some_and(|given| given.value),
        tags,
        needs_option,
        needs_result,
        needs_failure,
    })
}

/// The tags that were written. `result` says whether the function's result may be named.
pub(super) fn tags(args: &Args, function: &Function, result: bool, errors: &mut Errors) -> Vec<Text> {
    let mut texts = Vec::new();
    for literal in &args.tags {
        if let Some(template) = Template::parse(literal, Purpose::Tag, errors) {
            texts.extend(text::resolve(template, function, result, errors));
        }
    }
    texts
}
