//! What is said on the command line.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand};
use larder::{Epoch, RedisCache, RedisCacheBuilder, internal::inspect::Inspector};

use crate::failure::{EXIT_CODES, Failure};

/// See, explain, invalidate, measure and check what larder keeps in Redis.
#[derive(Debug, Parser)]
#[command(name = "larder", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Answers for programs: JSON, one object a line where there are several. Failures too, on the standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which servers, and which keys on them.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// redis://…, redis+cluster://…, redis+sentinel://…/master, redis+unix:///…, or rediss for TLS; with user and
    /// password, /database and ?prefix=… as in `RedisCacheBuilder::url` [default: redis://localhost]
    #[arg(long, global = true, env = "REDIS_URL", hide_env_values = true)]
    url: Option<String>,
    /// What the keys begin with: the program's own prefix [default: that of the URL, or `larder`]
    #[arg(long, global = true, env = "LARDER_PREFIX")]
    prefix: Option<String>,
    /// How long the server may take to answer, in seconds
    #[arg(long, global = true, default_value_t = 1.5, value_parser = seconds)]
    timeout: f64,
    /// A file with the certificates of the authorities to trust, as PEM, in place of the system's
    #[arg(long, global = true, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The servers, their memory, the keys under the prefix, and the invalidation log
    Status,
    /// Each entry: size, TTL, age, codec, compression, and whether it is valid and why not
    Keys(Keys),
    /// The header and the value of one entry
    Get(Key),
    /// Why an entry is served or not: its scopes, and which of them were invalidated when
    Explain(Explain),
    /// Invalidates a key, a prefix, tags, or everything, in all processes
    Invalidate(Invalidate),
    /// Invalidates everything and deletes the entries. Counters, locks, rate limits and the log stay
    Clear(Clear),
    /// Invalidations as they happen
    Tail(Tail),
    /// Rates by process and function, memory, the log, the largest namespaces: a screen that goes on
    Top(Top),
    /// The keys that are asked for most
    Hot(Largest),
    /// The largest entries
    Largest(Largest),
    /// All that is wrong with these servers for larder, and what mends it
    Doctor,
    /// Deletes entries that no process serves any more, to free memory
    Trim(Trim),
    /// Stores values from a file of JSON lines, as entries that the program's processes serve
    Warm(Warm),
    /// How fast these servers are for larder, measured under a prefix of its own that is deleted afterwards
    Bench(Bench),
    /// A script for a shell that completes this command's arguments
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual, as `man` reads it: of all of this, or of one command
    Man {
        /// The command
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Only keys that begin with this: `user:`, or `user:*`
    #[arg(value_name = "PREFIX")]
    pub(crate) begin: Option<String>,
    /// Only entries that no new process would serve
    #[arg(long)]
    pub(crate) invalid: bool,
    /// Ends after so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The key, as the program has it: without the prefix in Redis
    pub(crate) key: String,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The key, as the program has it: without the prefix in Redis
    pub(crate) key: String,
    /// A tag that the entry may have: Redis has only its hash
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Another key, or PREFIX:*, that the value may have been computed from; those that are in Redis are known
    #[arg(long = "from", value_name = "KEY")]
    pub(crate) sources: Vec<String>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["scopes", "tags", "all"]))]
pub(crate) struct Invalidate {
    /// Keys, and prefixes that end in `:*`
    #[arg(value_name = "KEY | PREFIX:*")]
    pub(crate) scopes: Vec<String>,
    /// All entries with this tag
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// All entries under the prefix
    #[arg(long, conflicts_with_all = ["scopes", "tags"])]
    pub(crate) all: bool,
    /// Takes each argument for a key, even with a `*` in it
    #[arg(long)]
    pub(crate) exact: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Clear {
    /// Only the keys that begin with this and a `:`
    #[arg(long, value_name = "PREFIX")]
    pub(crate) namespace: Option<String>,
    /// Does not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Says what would be deleted, and changes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Also shows computations that have ended, and processes that began to append
    #[arg(long)]
    pub(crate) all: bool,
    /// Ends after so many lines
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// A tag to know by its name: the log has only hashes
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// A key, or PREFIX:*, to know by its name; those that are in Redis are known
    #[arg(long = "name", value_name = "KEY")]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Largest {
    /// How many
    #[arg(default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) n: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Prints it once, and ends
    #[arg(long)]
    pub(crate) once: bool,
    /// How often the screen is drawn anew, in seconds
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub(crate) interval: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Trim {
    /// Says what would be deleted, and deletes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Trims the log to so many records instead. Processes that have not read the others drop everything once
    #[arg(long, value_name = "RECORDS", conflicts_with = "dry_run")]
    pub(crate) log: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Warm {
    /// A file with a line {"key": …, "value": …, "ttl": …} for each value, or - for the standard input
    pub(crate) file: PathBuf,
    /// Where the invalidation log was before the values were read from their source, as `larder status` shows it: what was
    /// invalidated since then is not stored. `now`, if nothing can have changed since
    #[arg(long, value_name = "EPOCH | now", value_parser = as_of)]
    pub(crate) as_of: AsOf,
    /// How long the values of lines without a "ttl" live: 90, 90s, 5m, 2h, 1d
    #[arg(long, value_parser = crate::commands::duration)]
    pub(crate) ttl: Option<Duration>,
    /// The schema version that the program gives to the type, if it gives one
    #[arg(long, value_name = "VERSION")]
    pub(crate) schema: Option<u32>,
    /// Begins with this line
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from_line: Option<u64>,
    /// Replaces what an earlier run stored, also where it would be served. What a process of the program stored stays
    #[arg(long)]
    pub(crate) replace: bool,
    /// Says what would be stored, and stores nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The state of the source that values are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// That of the moment.
    Now,
    /// That of this position of the log, or a later one.
    Epoch(Epoch),
}

fn as_of(text: &str) -> Result<AsOf, String> {
    if text == "now" {
        return Ok(AsOf::Now);
    }
    text.parse().map(AsOf::Epoch).map_err(|_| {
        "`now`, or an epoch is expected: the end of the log as `larder status` shows it, 1795906758002-41"
            .to_owned()
    })
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How long each part takes, in seconds
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// How many calls are under way at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) concurrency: u16,
    /// The size of each value, in bytes
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) size: u32,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| (0.01..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds from 0.01 to 3600 is expected".to_owned())
}

impl Target {
    /// Connects to look at what is there.
    pub(crate) async fn connect(&self) -> Result<Inspector, Failure> {
        Ok(Inspector::connect(self.builder()?).await?)
    }

    /// How to connect. What `from_env` reads from the environment means the same here.
    pub(crate) fn builder(&self) -> Result<RedisCacheBuilder, Failure> {
        let set = |option: &Option<String>| option.clone().filter(|text| !text.trim().is_empty());
        let timeout = Duration::from_secs_f64(self.timeout);
        let mut builder = RedisCache::builder()
            .connect_timeout(timeout)
            .deadline(timeout)
            .connect_attempts(1)
            .client_name("larder-cli");
        if let Some(url) = set(&self.url) {
            builder = builder.url(url);
        }
        if let Some(prefix) = set(&self.prefix) {
            builder = builder.prefix(prefix);
        }
        if let Some(path) = &self.tls_ca {
            let pem = std::fs::read(path)
                .map_err(|error| Failure::usage(format!("--tls-ca {}: {error}", path.display())))?;
            builder = builder.tls_roots(pem);
        }
        // From the environment alone: command lines are seen by others.
        Ok(builder.seal_from_env()?)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }
}
