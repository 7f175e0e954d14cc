//! A path through the states, for people.

use std::fmt::Write;

use super::action::Action;
use super::config::Config;
use super::mutant::Mutant;
use super::scope::{Key, Scopes};
use super::server::Server;
use super::state::{Process, Sending, State};
use super::step::{Breach, Step};
use super::value::Value;

/// Makes the moves again and tells what each changed.
pub(crate) fn render(config: &Config, mutant: Option<Mutant>, actions: &[Action]) -> String {
    let mut text = String::new();
    let rules = mutant.map_or("all rules", Mutant::text);
    let mut state = State::initial(config);
    let mut lines = describe(&state);
    let _ = writeln!(text, "{} with {rules}:", config.name);
    for line in &lines {
        let _ = writeln!(text, "       {line}");
    }
    for (nth, &action) in (1..).zip(actions) {
        let Some(step) = Step::make(config, mutant, &state, action) else {
            break;
        };
        state = step.state;
        let events: Vec<_> = step.events.iter().map(|event| format!("{event:?}")).collect();
        let _ = writeln!(text, "{nth:4}. {action}  {}", events.join(" "));
        let now = describe(&state);
        for line in now.iter().filter(|line| !lines.contains(line)) {
            let _ = writeln!(text, "       {line}");
        }
        lines = now;
        let _ = match step.breach {
            Some(Breach::StaleRead { p, key, ignored }) => writeln!(
                text,
                "P{p} returns {}, older than {} of which it had heard",
                key.name(),
                bits(ignored)
            ),
            Some(Breach::Forgotten { p, lost }) => {
                writeln!(text, "P{p} rests, and the server has lost its {}", bits(lost))
            }
            Some(Breach::NotShown { p }) => {
                writeln!(text, "P{p} returns k as the database has it, and not what was inserted")
            }
            None => Ok(()),
        };
    }
    text
}

fn describe(state: &State) -> Vec<String> {
    let mut lines = vec![describe_server("server", &state.server)];
    lines.extend(state.replica.map(|replica| describe_server("replica", &replica)));
    for (p, process) in state.processes.iter().enumerate() {
        lines.push(describe_process(p, process));
        for (c, caller) in process.callers.iter().enumerate() {
            let name = caller.key.name();
            lines.push(format!(
                "P{p}.{c} {:?} {name} now={} {}",
                caller.pc,
                caller.now,
                describe_value(&caller.value)
            ));
        }
    }
    lines
}

fn describe_server(name: &str, server: &Server) -> String {
    let mut text = format!("{name} replid={}", server.replid);
    let log = if server.log_exists { " log" } else { " no log" };
    text.push_str(log);
    for record in server.records() {
        let _ = write!(text, " [{} {}{}]", record.id, record.scope, bits(record.carries));
    }
    for (key, value) in Key::ALL.iter().zip(server.entries) {
        if let Some(value) = value {
            let _ = write!(text, " {}: {}", key.name(), describe_value(&value));
        }
    }
    text
}

fn describe_process(p: usize, process: &Process) -> String {
    let mut text = format!(
        "P{p} {} now={} local={:?} log={:?} floors={}/{} position={} reader={:?} heard={}",
        if process.linked { "up" } else { "down" },
        process.now,
        process.local,
        process.log,
        process.reset_floor,
        process.start_floor,
        process.position,
        process.follower.at,
        bits(process.heard),
    );
    for (index, pending) in process.outbox.iter().enumerate() {
        if pending.sending != Sending::Empty {
            let _ = write!(text, " outbox({})={:?}", Scopes::nth(index), pending.sending);
        }
    }
    for (key, value) in Key::ALL.iter().zip(process.memory) {
        if let Some(value) = value {
            let _ = write!(text, " {}: {}", key.name(), describe_value(&value));
        }
    }
    text
}

fn describe_value(value: &Value) -> String {
    let Value { scopes, stamp, epoch, after, inserted, born: _ } = value;
    let inserted = if *inserted { ", inserted" } else { "" };
    format!("(stamp {stamp}, epoch {epoch}, after {}, scopes {scopes}{inserted})", bits(*after))
}

/// A set of invalidations, by the order of their calls.
fn bits(mask: u8) -> String {
    let names: Vec<_> =
        (0..8).filter(|nth| mask & 1 << nth != 0).map(|nth| format!("#{}", nth + 1)).collect();
    format!("{{{}}}", names.join(","))
}
