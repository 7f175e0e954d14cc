//! `300`, `"5m"`, or an expression of type `Duration`.

use std::time::Duration;

use syn::spanned::Spanned as _;
use syn::{Expr, ExprGroup, ExprLit, Lit, LitInt, LitStr};

/// A length of time, as it was given.
pub(crate) enum Time {
    Literal(Duration),
    Expr(Expr),
    /// `named("metrics")`: that of a policy.
    Named(LitStr),
}

impl Time {
    pub(super) fn from_expr(expr: Expr) -> syn::Result<Self> {
        let wrong = |message: String| Err(syn::Error::new(expr.span(), message));
        match &expr {
            // From a `macro_rules!` variable.
            Expr::Group(ExprGroup { expr, .. }) => Self::from_expr((**expr).clone()),
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
                seconds(number).map(Self::Literal).or_else(wrong)
            }
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                parse(&text.value()).map(Self::Literal).or_else(wrong)
            }
            Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => wrong(format!(
                "a number of seconds is whole: for a part of a second write `\"{}\"`",
                milliseconds(number.base10_digits()),
            )),
            Expr::Unary(unary) if matches!(*unary.expr, Expr::Lit(_)) => {
                wrong("a length of time is not negative: write seconds (`300`) or text (`\"5m\"`)".to_owned())
            }
            Expr::Lit(_) => wrong(EXPECTED.to_owned()),
            Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("named")) => {
                match (call.args.first(), call.args.len()) {
                    (Some(Expr::Lit(ExprLit { lit: Lit::Str(name), .. })), 1) => {
                        Ok(Self::Named(name.clone()))
                    }
                    _ => wrong(NAMED.to_owned()),
                }
            }
            _ if is_number(&expr) => wrong(format!(
                "a number of seconds is one literal: write text (`\"5m\"`), or `Duration::from_secs({})`",
                quote::quote!(#expr)
            )),
            _ => Ok(Self::Expr(expr)),
        }
    }
}

/// `60 * 5`
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) => true,
        Expr::Binary(binary) => is_number(&binary.left) && is_number(&binary.right),
        Expr::Paren(inner) => is_number(&inner.expr),
        _ => false,
    }
}

const NAMED: &str = "`named` takes the name of a policy in quotes, as in `ttl = named(\"metrics\")`";

const EXPECTED: &str = "expected a length of time: seconds (`300`), text (`\"5m\"`, `\"1h30m\"`, \
                        `\"300ms\"`), or an expression of type `Duration`";

fn no_length(text: &str) -> String {
    format!(
        "`{text}` is not a length of time: write seconds (`300`), text (`\"5m\"`, `\"1h30m\"`, `\"300ms\"`), or \
         an expression of type `Duration`"
    )
}

const UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

fn seconds(number: &LitInt) -> Result<Duration, String> {
    let suffix = number.suffix();
    if UNITS.iter().any(|(unit, _)| *unit == suffix) {
        return Err(format!("write it as text: `\"{number}\"`"));
    }
    number.base10_parse().map(Duration::from_secs).map_err(|_| {
        "too long: seconds must fit into a `u64` (the longest that counts is 68 years)".to_owned()
    })
}

/// `"1h30m"`: whole numbers with units, the larger unit first.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(no_length(text));
        }
        if unit.is_empty() {
            return Err(match after.is_empty() && number.len() == text.len() {
                true => format!(
                    "`{text}` has no unit: write `{text}` without quotes for seconds, or `\"{text}s\"`"
                ),
                false => no_length(text),
            });
        }
        let Some((_, milliseconds)) = units.find(|(name, _)| *name == unit) else {
            return Err(match UNITS.iter().any(|(name, _)| *name == unit) {
                true => format!("`{text}`: each unit once, the larger first, as in `\"1h30m\"`"),
                false => format!("`{unit}` is not a unit of time: there are `d`, `h`, `m`, `s` and `ms`"),
            });
        };
        total = number
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(*milliseconds))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| {
                format!("`{text}` is too long: the longest that counts is 68 years (`\"24837d\"`)")
            })?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// What a number of seconds with a fraction should have been.
fn milliseconds(seconds: &str) -> String {
    let milliseconds = seconds.parse::<f64>().unwrap_or(1.5) * 1_000.0;
    format!("{milliseconds:.0}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Result<u128, String> {
        parse(text).map(|duration| duration.as_millis())
    }

    /// The file has what `larder::Policy` reads as well.
    #[test]
    fn text_is_read_as_in_policies() {
        let lines = include_str!("../../../../tests/texts/lengths.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let (text, read) = line.split_once("=> ").unwrap();
            let found = millis(text).map_or("refused".to_owned(), |length| length.to_string());
            assert_eq!(found, read, "{text}");
        }
        assert!(millis("٣s").is_err() && millis("999999999999999d").is_err());
    }

    #[test]
    fn messages_name_the_fix() {
        assert_eq!(
            millis("300").unwrap_err(),
            "`300` has no unit: write `300` without quotes for seconds, or `\"300s\"`"
        );
        assert_eq!(milliseconds("1.5"), "1500ms");
        let literal: Expr = syn::parse_quote!(5m);
        let error = Time::from_expr(literal).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("write it as text: `\"5m\"`"));
    }
}
