//! `larder`: what the caching library of that name keeps in Redis, seen, explained, invalidated, measured and checked.
//!
//! It uses larder's own code for connections, names, headers, the log and judging (`larder::internal::inspect`), and
//! takes no part in caching: it follows no log, and makes none, unless it invalidates something.

mod cli;
mod commands;
mod failure;
mod fleet;
mod histogram;
mod names;
mod output;
mod pretty;
mod progress;
mod scan;
mod table;
mod terminal;
mod units;

use std::process::ExitCode;

use clap::Parser;

use self::{cli::Cli, failure::Failure, output::Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version are no mistakes.
        Err(error) if error.use_stderr() && std::env::args_os().any(|word| word == "--json") => {
            return Failure::of_command_line(&error).into_code(true);
        }
        Err(error) => error.exit(),
    };
    let json = cli.json;
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from(error).into_code(json))
        .map(|runtime| {
            let mut output = Output::new(json);
            let outcome = runtime.block_on(commands::run(cli, &mut output));
            let outcome = outcome.and_then(|code| output.flush().map(|()| code));
            // A name that is looked up in vain, or a log's thread, is not waited for.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(Ok(answer)) => answer.code(),
        Ok(Err(failure)) => failure.into_code(json),
        Err(code) => code,
    }
}
