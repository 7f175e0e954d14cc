//! Variables of the environment.

use std::{env, fmt::Display, str::FromStr};

use crate::error::{Kind, Result};

/// Where they are read.
pub(super) type Variables<'v> = &'v (dyn Fn(&str) -> Result<Option<String>> + Sync);

/// That of this process.
pub(super) fn variable(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(invalid(name, "…", "it is not UTF-8")),
    }
}

/// The value of a variable, unless it is empty.
pub(super) fn set(variables: Variables<'_>, name: &'static str) -> Result<Option<String>> {
    Ok(variables(name)?.filter(|value| !value.trim().is_empty()))
}

/// A value that is read as a `T` that fits, if the variable is set; `what` says what it has to be.
pub(super) fn parsed<T: FromStr>(
    text: &impl Fn(&'static str) -> Result<Option<String>>,
    name: &'static str,
    what: &str,
    fits: impl Fn(&T) -> bool,
) -> Result<Option<T>> {
    let Some(value) = text(name)? else { return Ok(None) };
    let parsed = value.trim().parse().ok().filter(|parsed| fits(parsed));
    parsed.map(Some).ok_or_else(|| invalid(name, &value, format_args!("it is {what}")))
}

/// The error of a value that makes no sense.
pub(super) fn invalid(name: &str, value: &str, why: impl Display) -> crate::Error {
    Kind::configuration(format!("{name}={value:?}: {why}")).into()
}
