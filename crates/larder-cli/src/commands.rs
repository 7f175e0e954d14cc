//! What each command does.

mod bench;
mod clear;
mod doctor;
mod explain;
mod get;
mod hot;
mod invalidate;
mod keys;
mod largest;
mod status;
mod tail;
mod top;
mod trim;
mod warm;

pub(crate) use self::warm::duration;
use clap::CommandFactory;

use crate::{
    cli::{Cli, Command},
    failure::{Answer, Failure},
    output::Output,
};

pub(crate) async fn run(cli: Cli, output: &mut Output) -> Result<Answer, Failure> {
    let Cli { target, command, .. } = cli;
    match command {
        Command::Status => status::run(&target.connect().await?, output).await,
        Command::Keys(keys) => keys::run(&target.connect().await?, &keys, output).await,
        Command::Get(get) => get::run(&target.connect().await?, &get.key, output).await,
        Command::Explain(explain) => explain::run(&target.connect().await?, &explain, output).await,
        Command::Invalidate(what) => invalidate::run(&target, &what, output).await,
        Command::Clear(clear) => clear::run(&target, &clear, output).await,
        Command::Tail(tail) => tail::run(&target.connect().await?, &tail, output).await,
        Command::Top(top) => top::run(&target.connect().await?, &top, output).await,
        Command::Hot(hot) => hot::run(&target.connect().await?, hot.n.into(), output).await,
        Command::Largest(largest) => largest::run(&target.connect().await?, largest.n.into(), output).await,
        Command::Doctor => doctor::run(&target, output).await,
        Command::Trim(trim) => trim::run(&target.connect().await?, &trim, output).await,
        Command::Warm(warm) => warm::run(&target, &warm, output).await,
        Command::Bench(bench) => bench::run(&target, &bench, output).await,
        Command::Completions { shell } => completions(shell, output),
        Command::Man { command } => manual(command.as_deref(), output),
    }
}

fn completions(shell: clap_complete::Shell, output: &mut Output) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "larder", &mut script);
    output.text(&String::from_utf8_lossy(&script))?;
    Ok(Answer::Yes)
}

fn manual(command: Option<&str>, output: &mut Output) -> Result<Answer, Failure> {
    let mut whole = Cli::command();
    // Gives the commands their full names, and the options that all have.
    whole.build();
    let of = match command {
        None => &whole,
        Some(name) => whole
            .find_subcommand(name)
            .ok_or_else(|| Failure::usage(format!("there is no command {name:?}: see `larder --help`")))?,
    };
    let mut page = Vec::new();
    let source = format!("larder {}", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(of.clone()).source(source).render(&mut page)?;
    output.text(&String::from_utf8_lossy(&page))?;
    Ok(Answer::Yes)
}
