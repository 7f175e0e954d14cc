//! What the environment says, apart from what `larder::from_env` reads.

use std::{env, error::Error, net::SocketAddr, path::PathBuf, str::FromStr};

use anyhow::{Context, Result};

/// The settings of a dashboard.
pub struct Config {
    /// `ADDRESS`: where to listen. Port 0 is any free one.
    pub address: SocketAddr,
    /// `DATABASE`: the SQLite file, made if there is none.
    pub database: PathBuf,
    /// `DASHBOARD_ROWS`: how many rows to make it of.
    pub rows: u32,
}

impl Config {
    /// Reads the variables. The error names the one that makes no sense.
    pub fn from_env() -> Result<Self> {
        Ok(Self {
            address: variable("ADDRESS", "127.0.0.1:3000")?,
            database: variable("DATABASE", "dashboard.sqlite")?,
            rows: variable("DASHBOARD_ROWS", "200000")?,
        })
    }
}

/// An empty variable counts as absent.
fn variable<T>(name: &str, default: &str) -> Result<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    let value = match env::var(name) {
        Ok(value) if !value.trim().is_empty() => value,
        Ok(_) | Err(env::VarError::NotPresent) => default.to_owned(),
        Err(error) => return Err(error).context(name.to_owned()),
    };
    value.trim().parse().with_context(|| format!("{name}={value:?} makes no sense"))
}
