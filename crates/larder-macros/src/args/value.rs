//! The value of one option.

use std::fmt::Display;
use std::time::Duration;

use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Expr, ExprLit, Ident, Lit, LitBool, LitInt, LitStr, Path, Token, token};

use super::as_template::as_template;
use super::duration::Time;
use super::given_option::{Given, Macro};

/// A number between 0 and 1.
pub(crate) enum Fraction {
    Literal(f64),
    Expr(Expr),
}

/// The text in front of a key, without its last `:`.
pub(crate) struct Namespace(pub(crate) String);

/// `id in ids`
pub(crate) struct Elements {
    /// What one of them is called.
    pub(crate) element: Ident,
    /// The argument that is the list.
    pub(crate) list: Ident,
}

type Parsed<T> = syn::Result<Given<T>>;

/// The `=` between a name and its value, with an error that shows how the option is written.
pub(super) fn equals(name: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    if !input.peek(Token![=]) {
        let message = format!("`{}` needs a value: `{example}`", name.unraw());
        return Err(syn::Error::new(name.span(), message));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        let message = format!("`{}` needs a value: `{example}`", name.unraw());
        return Err(syn::Error::new(name.span(), message));
    }
    Ok(())
}

pub(super) fn wrong<T>(span: proc_macro2::Span, message: impl Display) -> syn::Result<T> {
    Err(syn::Error::new(span, message))
}

pub(super) fn expression(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<Expr> {
    equals(&name, input, example)?;
    let value = input.parse()?;
    Ok(Given { name, value })
}

/// A number of things: not zero, if it can be seen.
/// A number, of which zero makes no sense: `why`.
pub(super) fn count(name: Ident, input: ParseStream<'_>, example: &str, why: &str) -> Parsed<Expr> {
    let given = expression(name, input, example)?;
    let is_zero = matches!(&given.value, Expr::Lit(ExprLit { lit: Lit::Int(number), .. })
        if number.base10_parse::<u64>().is_ok_and(|number| number == 0));
    match is_zero {
        false => Ok(given),
        true => wrong(given.value.span(), format!("{why}: write `{example}`, or remove the attribute")),
    }
}

pub(super) fn path(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<Path> {
    equals(&name, input, example)?;
    let value = input.call(Path::parse_mod_style)?;
    Ok(Given { name, value })
}

pub(super) fn time(name: Ident, input: ParseStream<'_>, example: &str, of: Macro) -> Parsed<Time> {
    equals(&name, input, example)?;
    time_of(name, input, example, of)
}

/// What is behind the `=`.
pub(super) fn time_of(name: Ident, input: ParseStream<'_>, example: &str, of: Macro) -> Parsed<Time> {
    let expr: Expr = input.parse()?;
    let span = expr.span();
    let value = Time::from_expr(expr)?;
    match &value {
        Time::Literal(length) if *length < shortest(&name) => wrong(span, too_short(&name, example, of)),
        Time::Named(policy) if name != "ttl" => {
            let (name, policy) = (name.to_string(), policy.value());
            let message = format!(
                "`named(…)` stands for a whole policy: write `ttl = named({policy:?})`, and `{name}` in that policy"
            );
            wrong(span, message)
        }
        _ => Ok(Given { name, value }),
    }
}

/// The shortest length of time that makes a difference.
fn shortest(name: &Ident) -> Duration {
    Duration::from_millis(if name == "takeover_after" { 10 } else { 1 })
}

fn too_short(name: &Ident, example: &str, of: Macro) -> String {
    match name.to_string().as_str() {
        "ttl" => format!(
            "a `ttl` of zero stores nothing, so that every call runs the function: write how long a result is \
             fresh (`{example}`), or remove `{}` (`when = …` decides it for each call)",
            of.name()
        ),
        "timeout" => {
            "a `timeout` of zero always serves the old result: write `stale_while_revalidate = \"1h\"` for \
                      that, or give the computation some time (`timeout = \"200ms\"`)"
                .to_owned()
        }
        "deadline" => {
            "a `deadline` of zero lets no function run: give it some time (`deadline = \"2s\"`), or remove it".to_owned()
        }
        "retry_after" => {
            "a `retry_after` of zero has each caller ask a source that fails: write how long to leave it alone \
             (`retry_after = \"5s\"`), or remove it for one second"
                .to_owned()
        }
        "memory_ttl" => {
            "a `memory_ttl` of zero never has memory answer: write how long it does (`memory_ttl = 10`), or take a \
             `RedisCache`, which has no memory"
                .to_owned()
        }
        "takeover_after" => {
            "`takeover_after` is at least 10 ms: write `takeover_after = \"10ms\"` or more, or \
                             remove it for one second"
                .to_owned()
        }
        name => format!("`{name}` of zero is off, as it is without it: remove it, or write `{example}`"),
    }
}

pub(super) fn text(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<LitStr> {
    equals(&name, input, example)?;
    let value = literal(&name, input, example)?;
    Ok(Given { name, value })
}

fn literal(name: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    let value: Expr = input.parse()?;
    let template = as_template(&value).filter(|_| name != "namespace");
    let message = match template {
        Some(template) => {
            let written = if name == "tags" { format!("[{template:?}]") } else { format!("{template:?}") };
            format!("`{name}` takes a string literal, with arguments as `<name>`: write `{name} = {written}`")
        }
        None => format!("`{}` takes a string literal: `{example}`", name.unraw()),
    };
    wrong(value.span(), message)
}

/// `["…", "…"]`
pub(super) fn texts(name: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Vec<LitStr>> {
    let shape = format!("`{}` takes a list: `{example}`", name.unraw());
    if !input.peek(Token![=]) {
        return wrong(name.span(), shape);
    }
    input.parse::<Token![=]>()?;
    if !input.peek(token::Bracket) {
        return wrong(input.span(), shape);
    }
    let content;
    syn::bracketed!(content in input);
    let mut values = Vec::new();
    while !content.is_empty() {
        values.push(literal(name, &content, example)?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(values)
}

/// `(a, b)`
pub(super) fn names(name: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Vec<Ident>> {
    let shape = format!("`{}` takes names of arguments: `{example}`", name.unraw());
    if !input.peek(token::Paren) {
        return wrong(name.span(), shape);
    }
    let content;
    syn::parenthesized!(content in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&content, Ident::parse_any);
    match names {
        Ok(names) => Ok(names.into_iter().collect()),
        Err(error) => wrong(error.span(), shape),
    }
}

pub(super) fn elements(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<Elements> {
    equals(&name, input, example)?;
    let parse = || {
        let element = input.parse()?;
        input.parse::<Token![in]>()?;
        Ok(Elements { element, list: input.parse()? })
    };
    match parse() {
        Ok(value) => Ok(Given { name, value }),
        Err(error) => {
            let error: syn::Error = error;
            let message = format!(
                "`each` gives a name to the elements of an argument that is a list: `{example}`, with `<id>` in the key"
            );
            wrong(error.span(), message)
        }
    }
}

/// A flag alone is `true`.
pub(super) fn flag(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<bool> {
    let mut value = true;
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if !input.peek(LitBool) {
            let message = format!("write `{example}` or `{example} = false`");
            return wrong(name.span(), message);
        }
        value = input.parse::<LitBool>()?.value;
    }
    Ok(Given { name, value })
}

/// `soft`
pub(super) fn soft(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<bool> {
    if input.peek(token::Paren) {
        let message = "`soft` is for all that is named, and stands beside it: write `#[invalidate(soft, \"user:<id>\")]`";
        return wrong(name.span(), message);
    }
    flag(name, input, example)
}

/// `on = ok`
pub(super) fn on_ok(name: Ident, input: ParseStream<'_>) -> Parsed<()> {
    equals(&name, input, "on = ok")?;
    let value: Expr = input.parse()?;
    match &value {
        Expr::Path(path) if path.path.is_ident("ok") => Ok(Given { name, value: () }),
        _ => {
            wrong(value.span(), "`on` takes only `ok`: without it, entries are dropped whatever the outcome")
        }
    }
}

pub(super) fn schema(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<u32> {
    equals(&name, input, example)?;
    let value: Expr = input.parse()?;
    let number = match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    };
    match number {
        Some(value) => Ok(Given { name, value }),
        None => wrong(value.span(), format!("`schema` takes a whole number: `{example}`")),
    }
}

pub(super) fn namespace(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<Namespace> {
    let Given { name, value } = text(name, input, example)?;
    let text = value.value();
    let problem = if text.is_empty() {
        "a namespace needs a name"
    } else if text.contains('*') {
        "a namespace has no `*`"
    } else if text.contains('<') {
        "a namespace is the same for every call and has no placeholders: put them into the key"
    } else if text.starts_with(':') || text.ends_with(':') {
        "a namespace is written without the `:` around it"
    } else {
        return Ok(Given { name, value: Namespace(text) });
    };
    wrong(value.span(), format!("{problem}: `{example}`"))
}

pub(super) fn fraction(name: Ident, input: ParseStream<'_>, example: &str) -> Parsed<Fraction> {
    equals(&name, input, example)?;
    let value: Expr = input.parse()?;
    let number = match &value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Float(number) => number.base10_parse().ok(),
            Lit::Int(number) => whole(number),
            _ => None,
        },
        // A negative number: out of range, whatever it is.
        Expr::Unary(unary) if matches!(*unary.expr, Expr::Lit(_)) => None,
        _ => {
            let value = Fraction::Expr(value);
            return Ok(Given { name, value });
        }
    };
    match number {
        Some(0.0) if name == "jitter" => {
            wrong(value.span(), format!("`jitter` of zero shortens nothing: remove it, or write `{example}`"))
        }
        Some(1.0) if name == "refresh_ahead" => wrong(
            value.span(),
            format!(
                "a result is computed anew at the end of its `ttl` anyway: remove `refresh_ahead`, or write `{example}`"
            ),
        ),
        Some(number) if (0.0..=1.0).contains(&number) => {
            let value = Fraction::Literal(number);
            Ok(Given { name, value })
        }
        _ => wrong(value.span(), format!("`{}` is a fraction between 0 and 1: `{example}`", name.unraw())),
    }
}

fn whole(number: &LitInt) -> Option<f64> {
    number.base10_parse::<u32>().ok().map(f64::from)
}
