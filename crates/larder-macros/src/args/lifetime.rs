//! `ttl`: one length of time, or `adaptive(30..=3600)`.

use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{Expr, ExprRange, Ident, RangeLimits, parenthesized, token};

use super::duration::Time;
use super::given_option::{Given, Macro};
use super::value;

const EXPECTED: &str =
    "`adaptive` takes the shortest and the longest length of time: `ttl = adaptive(30..=3600)`";

/// How long a result is fresh: the shortest time, and where it is chosen for each result, the longest.
pub(super) struct Lifetime {
    pub(super) shortest: Given<Time>,
    pub(super) longest: Option<Given<Time>>,
}

pub(super) fn parse(name: Ident, input: ParseStream<'_>, example: &str, of: Macro) -> syn::Result<Lifetime> {
    value::equals(&name, input, example)?;
    if !is_adaptive(input) {
        let shortest = value::time_of(name, input, example, of)?;
        return Ok(Lifetime { shortest, longest: None });
    }
    let adaptive: Ident = input.parse()?;
    let content;
    parenthesized!(content in input);
    let bounds: Expr = content.parse().map_err(|_| syn::Error::new(adaptive.span(), EXPECTED))?;
    let Expr::Range(ExprRange { start: Some(start), limits, end: Some(end), .. }) = bounds else {
        return Err(syn::Error::new_spanned(bounds, EXPECTED));
    };
    if !content.is_empty() {
        return Err(syn::Error::new(content.span(), EXPECTED));
    }
    if let RangeLimits::HalfOpen(dots) = limits {
        return Err(syn::Error::new_spanned(
            dots,
            "the longest time is one of those that are chosen: write `..=`",
        ));
    }
    let (shortest_span, span) = (start.span(), end.span());
    let (shortest, longest) = (Time::from_expr(*start)?, Time::from_expr(*end)?);
    if let Time::Named(_) = &shortest {
        return Err(syn::Error::new(shortest_span, EXPECTED));
    }
    if let Time::Named(_) = &longest {
        return Err(syn::Error::new(span, EXPECTED));
    }
    if let Time::Literal(time) = &shortest
        && time.is_zero()
    {
        let message =
            "the shortest time is above zero: a result that is not kept has nothing to be compared with";
        return Err(syn::Error::new(shortest_span, message));
    }
    if let (Time::Literal(shortest), Time::Literal(longest)) = (&shortest, &longest)
        && longest <= shortest
    {
        let message =
            "the longest time comes last, and is longer than the shortest: `ttl = adaptive(30..=3600)`";
        return Err(syn::Error::new(span, message));
    }
    let longest = Some(Given { name: adaptive, value: longest });
    Ok(Lifetime { shortest: Given { name, value: shortest }, longest })
}

fn is_adaptive(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.parse::<Ident>().is_ok_and(|name| name == "adaptive") && ahead.peek(token::Paren)
}
