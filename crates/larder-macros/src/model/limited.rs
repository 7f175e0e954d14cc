//! `#[limited]`

use proc_macro2::Span;
use syn::Expr;
use syn::spanned::Spanned as _;

use super::cache_expr::{self, Common};
use super::text::{self, Text};
use crate::args::{Args, Given, Limits, Rate, attribute_span};
use crate::errors::Errors;
use crate::function::Function;
use crate::template::{Purpose, Template};

/// A function whose calls are limited.
pub(crate) struct Limited {
    pub(crate) common: Common,
    /// Whom calls are counted by.
    pub(crate) key: Text,
    pub(crate) rate: Rate,
    /// Where the rate stands.
    pub(crate) rate_span: Span,
    pub(crate) burst: Option<Expr>,
    pub(crate) cost: Option<Expr>,
    pub(crate) failure: Option<Expr>,
}

impl Limited {
    /// `None` only if there were errors.
    pub(crate) fn new(mut args: Args, function: &Function, errors: &mut Errors) -> Option<Self> {
        if function.is_blocking() && !args.local.as_ref().is_some_and(|given| given.value) {
            let message = format!(
                "`#[limited]` needs an async function, because a server may have to be asked: write `async fn {}`, or add \
                 `local` to count in this process alone",
                function.name()
            );
            errors.push(function.item.sig.ident.span(), message);
        }
        for (option, what) in [
            (
                "per",
                "`per` is missing: by what calls are counted, as in `per = \"ip:<ip>\"`, or `per = \"all\"` for all together",
            ),
            ("rate", "`rate` is missing: how fast calls may come, as in `rate = \"100/min\"`"),
        ] {
            if !args.attempted(option) {
                errors.push(attribute_span(), what);
            }
        }
        let Limits { per, rate, burst, cost, failure } = std::mem::take(&mut args.limits);
        if let (Some(Given { value: Rate::Literal { burst: Some(_), .. }, .. }), Some(burst)) =
            (&rate, &burst)
        {
            errors.push(burst.name.span(), "the burst is given twice: it is in `rate` too");
        }
        let key = per.and_then(|per| {
            let template = Template::parse(&per.value, Purpose::Key, errors)?;
            text::resolve(template, function, false, errors)
        });
        let common = cache_expr::common(&mut args, function);
        let expr = |given: Option<Given<Expr>>| given.map(|given| function.localized(given.value));
        let rate = rate?;
        let (rate, rate_span) = match rate.value {
            Rate::Expr(expr) => {
                let span = expr.span();
                (Rate::Expr(function.localized(expr)), span)
            }
            literal => (literal, rate.name.span()),
        };
        let (burst, cost, failure) = (expr(burst), expr(cost), expr(failure));
        Some(Self { common, key: key?, rate, rate_span, burst, cost, failure })
    }
}
