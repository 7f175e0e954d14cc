//! What grows with what: entries, scopes of an entry, invalidations a second, and processes that follow one log.
//!
//! With a part's name (`-- processes`), only that is measured. `GROWTH_MOST` is how many entries are kept at most
//! (10,000,000, which takes 3 GB). CPU time is Linux' own count, of a thread or of the first thread of a process.

mod entries;
mod follower;
mod logs;
mod processes;
mod rates;
mod scopes;
mod usage;

use std::{env, process::ExitCode};

use larder_servers::RedisServer;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["--follow", url] => follower::follow(url),
        ["--invalidate", url, rate] => follower::invalidate(url, rate.parse().expect("a number")),
        _ => measure(arguments.iter().find(|argument| !argument.starts_with('-'))),
    }
    ExitCode::SUCCESS
}

fn measure(wanted: Option<&String>) {
    let is_wanted = |part: &str| wanted.is_none_or(|wanted| part.contains(wanted.as_str()));
    if is_wanted("entries") {
        entries::measure();
    }
    if is_wanted("scopes") {
        scopes::measure();
    }
    if is_wanted("rates") {
        rates::measure(&RedisServer::start());
    }
    if is_wanted("processes") {
        let costs = processes::measure(&RedisServer::start());
        logs::project(&costs);
    }
}
