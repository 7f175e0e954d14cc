//! The screen of `larder top`.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span, Text},
    widgets::{Block, Gauge, Paragraph, Wrap},
};

use unicode_width::UnicodeWidthStr;

use super::{picture::Picture, sizes::Sizes};
use crate::{
    commands::status::log_line,
    table::{self, Rows, first_fitting},
    units,
};

/// Where no process says anything of itself.
pub(super) const NO_PROCESS: [&str; 3] = [
    "no process publishes a heartbeat: call `larder::heartbeat` in the program to see rates, functions and lag",
    "no process publishes a heartbeat: call `larder::heartbeat`",
    "no heartbeats: call `larder::heartbeat`",
];

/// A memory that is fuller than this is a warning.
const FULL: f64 = 0.8;

pub(super) fn draw(frame: &mut Frame<'_>, picture: &Picture, sizes: &Sizes<'_>, trouble: Option<&str>) {
    let namespaces = match sizes.note() {
        None => "largest namespaces".to_owned(),
        Some(note) => {
            let ways = [format!("largest namespaces {note}"), "largest namespaces so far".to_owned()];
            first_fitting(ways, usize::from(frame.area().width.saturating_sub(4)))
        }
    };
    draw_tables(
        frame,
        picture,
        trouble,
        [
            ("processes", picture.fleet.process_rows()),
            ("functions", picture.fleet.function_rows(usize::MAX)),
            (&namespaces, sizes.rows(usize::MAX)),
        ],
    );
}

fn draw_tables(frame: &mut Frame<'_>, picture: &Picture, trouble: Option<&str>, tables: [(&str, Rows); 3]) {
    let servers = u16::try_from(picture.servers.len()).unwrap_or(u16::MAX).min(6);
    let processes = u16::try_from(tables[0].1.rows.len()).unwrap_or(u16::MAX).min(8);
    let room = usize::from(frame.area().width);
    let foot = match trouble {
        Some(trouble) => Line::styled(trouble.replace('\n', " "), Style::new().fg(Color::Red)),
        None => Line::styled("q ends it", Style::new().add_modifier(Modifier::DIM)),
    };
    let foot_lines = u16::try_from(foot.width().div_ceil(room.max(1)) + usize::from(foot.width() > room));
    let foot_lines = foot_lines.unwrap_or(u16::MAX).min(4);
    let rows = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(servers),
        Constraint::Length(processes + 2),
        Constraint::Fill(2),
        Constraint::Fill(1),
        Constraint::Length(foot_lines),
    ]);
    let [head, memory, first, second, third, end] = rows.areas(frame.area());
    let sum = match picture.fleet.0.is_empty() {
        true => first_fitting(NO_PROCESS.map(str::to_owned), room),
        false => picture.sum(room),
    };
    let title = Style::new().add_modifier(Modifier::BOLD);
    let lines = vec![
        Line::styled(format!("larder top   {}", picture.prefix), title),
        Line::from(sum),
        Line::from(log_line(picture.log, room)),
    ];
    frame.render_widget(Paragraph::new(lines), head);
    draw_memory(frame, picture, memory);
    for ((name, table), area) in tables.iter().zip([first, second, third]) {
        let block = Block::bordered().title(format!(" {name} "));
        let fitting = fitting(table, usize::from(area.width.saturating_sub(2)));
        frame.render_widget(Paragraph::new(text(&fitting, title)).block(block), area);
    }
    frame.render_widget(Paragraph::new(foot).wrap(Wrap { trim: true }), end);
}

/// The memory of each server, against its limit.
fn draw_memory(frame: &mut Frame<'_>, picture: &Picture, area: Rect) {
    let lines = Layout::vertical(vec![Constraint::Length(1); usize::from(area.height)]).split(area);
    for (server, area) in picture.servers.iter().zip(lines.iter()) {
        let (name, used) = (&server.name, units::bytes(server.used_memory));
        let room = usize::from(area.width);
        if server.maxmemory == 0 {
            let ways = [format!("{name}  {used}, no limit"), format!("{name}  {used}"), used];
            frame.render_widget(Paragraph::new(first_fitting(ways, room)), *area);
            continue;
        }
        let share = (server.used_memory as f64 / server.maxmemory as f64).min(1.0);
        let colour = if share > FULL { Color::Red } else { Color::Green };
        let of = format!("{used} of {}", units::bytes(server.maxmemory));
        let ways = [format!("{name}  {of}  {}", server.policy), format!("{name}  {of}"), of];
        let label = first_fitting(ways, room);
        let gauge =
            Gauge::default().ratio(share).gauge_style(Style::new().fg(colour)).label(Span::raw(label));
        frame.render_widget(gauge, *area);
    }
}

/// What can be left out where it is narrow, the first one first: `--once` and `--json` have all.
const EXPENDABLE: [&str; 7] = ["PROCESS", "EVER", "NOT STORED/S", "UP", "P99", "ENTRIES", "COMPUTED/S"];

/// As much of a table as there is room for. Of a name that is too long, its end tells most: `…::users::user`.
fn fitting(table: &Rows, room: usize) -> Rows {
    let mut table = table.clone().fitting(room, &EXPENDABLE);
    let (width, rows) = (table.width(), &mut table.rows);
    let is_of_functions = rows.first().and_then(|head| head.last()).is_some_and(|last| last == "FUNCTION");
    if is_of_functions {
        let names = rows.iter().map(|row| row.last().map_or(0, |name| name.width())).max().unwrap_or(0);
        let most = room.saturating_sub(width.saturating_sub(names));
        for name in rows.iter_mut().skip(1).filter_map(|row| row.last_mut()) {
            *name = end_of(name, most);
        }
    }
    table
}

/// The end of a text, in so many columns.
fn end_of(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut end = text;
    while end.width() + 1 > most && !end.is_empty() {
        end = end.char_indices().nth(1).map_or("", |(next, _)| &end[next..]);
    }
    format!("…{end}")
}

/// A table as lines, the first of which is its head.
fn text(table: &Rows, head: Style) -> Text<'static> {
    let text = table::aligned(&table.columns, &table.rows);
    let lines = text.lines().enumerate().map(|(index, line)| match index {
        0 => Line::styled(line.to_owned(), head),
        _ => Line::from(line.to_owned()),
    });
    lines.collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use larder::internal::inspect::Beat;
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::{commands::status::Server, fleet::Fleet};

    fn picture() -> Picture {
        let beat = r#"{"process":"00ff","name":"web-1","window_ms":10000,"every_ms":10000,"enabled":true,
            "log":{"lag_ms":900},"functions":[{"function":"shop::user","recent":{"hits":990,"misses":10,"computed":10}}]}"#;
        let beat: Beat = serde_json::from_str(beat).expect("it is a beat");
        let server = Server {
            name: "127.0.0.1:6379".to_owned(),
            version: "Redis 7.0.15".to_owned(),
            uptime_seconds: 10,
            clients: 1,
            used_memory: 90 << 20,
            maxmemory: 100 << 20,
            policy: "volatile-lru".to_owned(),
            keyspace_hits: 0,
            keyspace_misses: 0,
            evicted: 0,
            keys: 1,
            replicas: 0,
        };
        Picture { prefix: "shop".to_owned(), servers: vec![server], log: None, fleet: Fleet(vec![beat]) }
    }

    fn drawn(width: u16, height: u16, trouble: Option<&str>) -> String {
        let picture = picture();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is a buffer");
        let none = || Rows { columns: Vec::new(), rows: Vec::new() };
        let tables = || {
            let fleet = &picture.fleet;
            [("processes", fleet.process_rows()), ("functions", fleet.function_rows(9)), ("none", none())]
        };
        terminal.draw(|frame| draw_tables(frame, &picture, trouble, tables())).expect("it is drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn a_screen_has_rates_functions_memory_and_lag() {
        let screen = drawn(110, 30, None);
        for text in [
            "larder top   shop",
            "1 process   100 reads/s   99.0 % found",
            "90.0 MiB of 100.0 MiB",
            "web-1",
            "0.9s",
            "shop::user",
            "q ends it",
        ] {
            assert!(screen.contains(text), "{text}:\n{screen}");
        }
    }

    /// Whatever the width, the name of a function is seen, and how late a process is.
    #[test]
    fn a_narrow_screen_keeps_what_tells_most() {
        for (width, also) in [(80, "FAILED/S"), (60, "LAG"), (50, "FOUND"), (40, "FOUND")] {
            let screen = drawn(width, 24, None);
            for text in ["::user", "99.0 %", "web-1", also] {
                assert!(screen.contains(text), "{text} at {width}:\n{screen}");
            }
        }
        assert!(drawn(110, 30, None).contains("EVER"), "there is room for all");
        assert_eq!(
            (end_of("shop::user", 6), end_of("user", 4), end_of("日本", 3)),
            ("…:user".into(), "user".into(), "…本".into())
        );
    }

    /// What stands above the tables is never cut in a word.
    #[test]
    fn lines_are_shortened_where_it_is_narrow() {
        for (width, sum, log, memory) in [
            (
                100,
                "100 reads/s   99.0 % found   1.0 computed/s   0 failed/s   0 evicted/s ",
                "none: no process",
                "volatile-lru",
            ),
            (
                70,
                "1 process   100 reads/s   99.0 % found   1.0 computed/s   0 failed/s ",
                "it was lost ",
                "volatile-lru",
            ),
            (
                40,
                "100 reads/s   99.0 % found   0 failed/s ",
                "log:  none, or it was lost ",
                "90.0 MiB of 100.0 MiB",
            ),
        ] {
            let screen = drawn(width, 24, None);
            for text in [sum, log, memory] {
                assert!(screen.contains(text), "{text} at {width}:\n{screen}");
            }
        }
        let trouble = "no answer within 1.5 s: the server is stopped, or the link is broken";
        let screen = drawn(40, 24, Some(trouble)).replace(['"', '\n'], " ");
        let words: Vec<_> = screen.split_whitespace().collect();
        assert!(words.join(" ").contains(trouble), "{screen}");
    }

    #[test]
    fn a_server_that_is_gone_is_told_and_a_small_terminal_is_no_panic() {
        assert!(drawn(80, 24, Some("larder: it is gone")).contains("larder: it is gone"));
        for (width, height) in [(1, 1), (20, 4), (200, 2)] {
            drawn(width, height, None);
        }
    }
}
