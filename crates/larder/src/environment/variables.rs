//! Variables of the environment.

use std::{env, fmt::Display};

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

/// The error of a value that makes no sense.
pub(super) fn invalid(name: &str, value: &str, why: impl Display) -> crate::Error {
    Kind::configuration(format!("{name}={value:?}: {why}")).into()
}
