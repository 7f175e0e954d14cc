//! The options of `#[limited]`.

use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{Expr, ExprGroup, ExprLit, Ident, Lit, LitStr};

use super::given_option::Given;
use super::value;

/// Those that were given.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) per: Option<Given<LitStr>>,
    pub(crate) rate: Option<Given<Rate>>,
    pub(crate) burst: Option<Given<Expr>>,
    pub(crate) cost: Option<Given<Expr>>,
    pub(crate) failure: Option<Given<Expr>>,
}

/// How fast calls may come.
pub(crate) enum Rate {
    Literal { units: u32, milliseconds: u64, burst: Option<u32> },
    Expr(Expr),
}

const UNITS: &[(&[&str], u64)] = &[
    (&["ms"], 1),
    (&["s", "sec", "second"], 1_000),
    (&["m", "min", "minute"], 60_000),
    (&["h", "hour"], 3_600_000),
    (&["d", "day"], 86_400_000),
];

/// The longest period: 100 years.
const LONGEST: u64 = 100 * 365 * 86_400_000;

impl Limits {
    pub(super) fn parse_value(
        &mut self,
        name: Ident,
        input: ParseStream<'_>,
        example: &str,
    ) -> syn::Result<()> {
        match name.unraw().to_string().as_str() {
            "per" => self.per = Some(value::text(name, input, example)?),
            "rate" => self.rate = Some(rate(name, input, example)?),
            "burst" => self.burst = Some(number(name, input, example)?),
            "cost" => self.cost = Some(number(name, input, example)?),
            _ => self.failure = Some(value::expression(name, input, example)?),
        }
        Ok(())
    }
}

/// The option that text without a name was meant for, and its value.
pub(super) fn meant_by(text: &LitStr) -> (&'static str, String) {
    let option = if parse(&text.value()).is_ok() { "rate" } else { "per" };
    (option, text.token().to_string())
}

fn rate(name: Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Given<Rate>> {
    value::equals(&name, input, example)?;
    let expr: Expr = input.parse()?;
    let value = of_expr(expr)?;
    Ok(Given { name, value })
}

fn of_expr(expr: Expr) -> syn::Result<Rate> {
    let span = expr.span();
    match &expr {
        // From a `macro_rules!` variable.
        Expr::Group(ExprGroup { expr, .. }) => of_expr((**expr).clone()),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            parse(&text.value()).or_else(|message| value::wrong(span, message))
        }
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            value::wrong(span, format!("a rate has a period: write `\"{}/min\"`", number.base10_digits()))
        }
        Expr::Lit(_) => value::wrong(
            span,
            "expected a rate: text (`\"100/min\"`, `\"10/s\"`), or an expression of type `larder::limit::Rate`",
        ),
        _ => Ok(Rate::Expr(expr)),
    }
}

/// A number of units: a literal is not zero.
fn number(name: Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Given<Expr>> {
    let given = value::expression(name, input, example)?;
    let Expr::Lit(ExprLit { lit, .. }) = &given.value else { return Ok(given) };
    let name = given.name.unraw();
    match lit {
        Lit::Int(number) if number.base10_parse::<u32>().is_ok_and(|number| number > 0) => Ok(given),
        Lit::Int(number) if number.base10_digits() == "0" => {
            let what = if name == "burst" { "admits nothing" } else { "is no limit" };
            value::wrong(lit.span(), format!("a `{name}` of zero {what}: write one or more"))
        }
        _ => value::wrong(lit.span(), format!("`{name}` takes a whole number (`u32`): `{example}`")),
    }
}

/// `100/min`, `5/15m`, `100/min burst 20`: as `larder::limit::Rate` reads it.
fn parse(text: &str) -> Result<Rate, String> {
    let no_rate = || {
        format!(
            "`{text}` is not a rate: write a number, `/` and a period, as in `100/min`, `10/s` or `5/15m`"
        )
    };
    let whole = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u32>().ok(),
        false => None,
    };
    let (units, rest) = text.split_once('/').ok_or_else(no_rate)?;
    let (period, burst) = match rest.split_once("burst") {
        Some((period, burst)) => (period, Some(burst)),
        None => (rest, None),
    };
    let units = whole(units.trim()).ok_or_else(no_rate)?;
    if units == 0 {
        return Err("a rate of zero admits nothing: write one or more".to_owned());
    }
    let milliseconds = milliseconds(period.trim(), text)?.ok_or_else(no_rate)?;
    let burst = match burst.map(|burst| whole(burst.trim())) {
        None => None,
        Some(Some(0)) => return Err("a burst of zero admits nothing: write one or more".to_owned()),
        Some(Some(burst)) => Some(burst),
        Some(None) => {
            return Err(format!(
                "`{text}` has a burst that is no number: write how many may come at once, as in `100/min burst 20`"
            ));
        }
    };
    Ok(Rate::Literal { units, milliseconds, burst })
}

/// `min`, or `15m`. None if that is not what it looks like.
fn milliseconds(period: &str, rate: &str) -> Result<Option<u64>, String> {
    let unit = period.trim_start_matches(|character: char| character.is_ascii_digit());
    let digits = &period[..period.len() - unit.len()];
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Ok(None);
    }
    let Some((_, milliseconds)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
        return Err(format!(
            "`{unit}` in `{rate}` is not a unit of time: there are `ms`, `s` (`sec`, `second`), `m` (`min`, `minute`), \
             `h` (`hour`) and `d` (`day`)"
        ));
    };
    let count = if digits.is_empty() { Some(1) } else { digits.parse::<u64>().ok() };
    match count.and_then(|count| count.checked_mul(*milliseconds)) {
        Some(0) => Err("the period of a rate is one millisecond at least".to_owned()),
        Some(period) if period <= LONGEST => Ok(Some(period)),
        _ => Err(format!("the period of a rate is 100 years at most, not `{period}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(u32, u64, Option<u32>)> {
        match parse(text) {
            Ok(Rate::Literal { units, milliseconds, burst }) => Some((units, milliseconds, burst)),
            _ => None,
        }
    }

    /// The file has what `larder::limit::Rate` reads as well.
    #[test]
    fn rates_are_read_as_in_larder() {
        let lines = include_str!("../../../../tests/texts/rates.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let (text, read) = line.split_once("=> ").unwrap();
            let found = parsed(text).map_or("refused".to_owned(), |(units, milliseconds, burst)| {
                let burst = burst.map(|burst| format!(" {burst}"));
                format!("{units} {milliseconds}{}", burst.unwrap_or_default())
            });
            assert_eq!(found, read, "{text}");
        }
    }
}
