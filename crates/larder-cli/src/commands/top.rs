//! `larder top`: what goes on, as a screen that goes on; once, with `--once` or `--json`.

mod picture;
mod screen;
mod sizes;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use larder::internal::inspect::Inspector;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use serde_json::json;
use tokio::time::{Instant, sleep};

use self::{picture::Picture, sizes::Sizes};
use super::status::{Log, log_line, server_rows};
use crate::{
    cli::Top,
    failure::{Answer, Failure},
    output::Output,
    table::aligned,
};

/// For how long namespaces are measured before the answer is given, where it is given once.
const PATIENCE: Duration = Duration::from_millis(400);

/// How often keys that were pressed are looked for.
const KEYS: Duration = Duration::from_millis(50);

pub(crate) async fn run(inspector: &Inspector, top: &Top, output: &mut Output) -> Result<Answer, Failure> {
    if top.once || output.json {
        return once(inspector, output).await;
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::usage("there is no terminal to draw a screen on: add --once, or --json"));
    }
    let mut terminal = ratatui::try_init()?;
    let outcome = live(inspector, Duration::from_secs_f64(top.interval), &mut terminal).await;
    ratatui::try_restore()?;
    outcome.map(|()| Answer::Yes)
}

async fn once(inspector: &Inspector, output: &mut Output) -> Result<Answer, Failure> {
    let picture = Picture::read(inspector).await?;
    let mut sizes = Sizes::new(inspector);
    let end = Instant::now() + PATIENCE;
    while !sizes.is_whole() && Instant::now() < end {
        sizes.measure_more().await?;
    }
    if output.json {
        let fleet = picture.fleet.json();
        output.json(&json!({
            "prefix": picture.prefix,
            "servers": picture.servers,
            "log": picture.log.map(|extent| Log::of(inspector.log_name(), extent)),
            "processes": fleet["processes"],
            "functions": fleet["functions"],
            "namespaces": sizes.json(),
        }))?;
        return Ok(Answer::Yes);
    }
    let servers = server_rows(&picture.servers);
    output.text(&aligned(&servers.columns, &servers.rows))?;
    output.line(log_line(picture.log, usize::MAX))?;
    output.line("")?;
    output.line(picture.sum(usize::MAX))?;
    if picture.fleet.0.is_empty() {
        output.line(screen::NO_PROCESS[0])?;
    }
    let tables = [picture.fleet.process_rows(), picture.fleet.function_rows(usize::MAX), sizes.rows(20)];
    for table in tables.into_iter().filter(|table| table.rows.len() > 1) {
        output.line("")?;
        output.text(&aligned(&table.columns, &table.rows))?;
    }
    if let Some(note) = sizes.note() {
        output.line(note)?;
    }
    Ok(Answer::Yes)
}

/// Draws until `q`, Esc or Ctrl-C is pressed. What a server does not answer is told on the screen, and asked again.
async fn live(
    inspector: &Inspector,
    interval: Duration,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<(), Failure> {
    let mut sizes = Sizes::new(inspector);
    let mut picture = Picture::read(inspector).await?;
    let mut trouble = None;
    loop {
        if trouble.is_none() {
            trouble = sizes.measure_more().await.err().map(|failure| failure.to_string());
        }
        terminal.draw(|frame| screen::draw(frame, &picture, &sizes, trouble.as_deref()))?;
        let next = Instant::now() + interval;
        while Instant::now() < next {
            match pressed()? {
                Pressed::Quit => return Ok(()),
                Pressed::Redraw => break,
                Pressed::Nothing => sleep(KEYS.min(interval)).await,
            }
        }
        match Picture::read(inspector).await {
            Ok(read) => (picture, trouble) = (read, None),
            Err(failure) => trouble = Some(failure.to_string()),
        }
    }
}

enum Pressed {
    Quit,
    Redraw,
    Nothing,
}

fn pressed() -> io::Result<Pressed> {
    while event::poll(Duration::ZERO)? {
        match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(Pressed::Quit),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    return Ok(Pressed::Quit);
                }
                _ => {}
            },
            Event::Resize(..) => return Ok(Pressed::Redraw),
            _ => {}
        }
    }
    Ok(Pressed::Nothing)
}
