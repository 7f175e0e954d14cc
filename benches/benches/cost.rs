//! What a call costs: instructions, heap allocations and time, as a table.
//!
//! Instructions are counted by `perf` where the machine lets it, else by `valgrind`, else not at all: each
//! operation is run in a process of its own, n times and 2n times, and half of what the second run has
//! more is what n operations cost. That process, and the one that measures time, have the system's allocator: the one
//! that counts allocations, which is this process', takes its own time, and clears what the system gives cleared.
//!
//! With `--guard` the instructions of some operations are compared with `benches/instructions.txt`, and more than three
//! percent of a difference is a failure; `--record` writes that file.

use std::{
    env,
    process::{Command, ExitCode},
};

use larder_benches::{
    counter::Counter,
    guard::Recorded,
    operations::{OPERATIONS, Operation},
};

/// The program that runs one operation, or takes the time of all.
const PROGRAM: &str = env!("CARGO_BIN_EXE_operation");

/// The operations that `--guard` compares.
const GUARDED: [&str; 12] = [
    "`#[cached]`",
    "`#[cached]`, a `Result`",
    "`#[cached]`, not async",
    "`#[cached]`, text in key and value",
    "`get`",
    "`get_or_compute`",
    "`#[cached]`, zipf",
    "`#[cached]`, a miss",
    "`insert` of a new key, the cache is full",
    "`invalidate`, a key",
    "`get` with 4,096 scopes",
    "a request to a service behind `HttpCache`, a hit",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let is_asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match () {
        () if is_asked("--record") => record(),
        () if is_asked("--guard") => guard(),
        () => table(),
    }
}

/// The instructions of an operation.
fn instructions(counter: Counter, index: usize) -> Option<f64> {
    counter.measure(PROGRAM, &[&index.to_string()], OPERATIONS[index].times)
}

/// The instructions of the operations with these names.
fn measured<'n>(counter: Counter, names: impl IntoIterator<Item = &'n str>) -> Vec<(f64, &'n str)> {
    let measure = |name: &'n str| {
        let index = OPERATIONS.iter().position(|operation| operation.name == name)?;
        Some((instructions(counter, index)?, name))
    };
    names.into_iter().filter_map(measure).collect()
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn record() -> ExitCode {
    let Some(counter) = Counter::find() else {
        println!("there is nothing that counts instructions: install valgrind");
        return ExitCode::FAILURE;
    };
    let operations = measured(counter, GUARDED);
    match Recorded::write(counter, &operations) {
        Ok(()) if operations.len() == GUARDED.len() => ExitCode::SUCCESS,
        written => {
            println!("{} of {} operations are recorded: {written:?}", operations.len(), GUARDED.len());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn guard() -> ExitCode {
    let recorded = match Recorded::read() {
        Ok(recorded) => recorded,
        Err(error) => {
            println!("benches/instructions.txt: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Some(counter) = Counter::find().filter(|counter| recorded.is_comparable(*counter)) else {
        println!("SKIPPED: what is recorded is of another compiler, or was counted by other means");
        return ExitCode::SUCCESS;
    };
    let operations = measured(counter, recorded.names());
    let mut outcome = ExitCode::SUCCESS;
    if operations.len() < recorded.names().count() {
        println!("an operation that is recorded is gone, or could not be run");
        outcome = ExitCode::FAILURE;
    }
    for (instructions, name) in operations {
        match recorded.objection(name, instructions) {
            Some(objection) => {
                println!("{objection}; if that is meant, record it: cargo bench --bench cost -- --record");
                outcome = ExitCode::FAILURE;
            }
            None => println!("{name}: {instructions:.0}"),
        }
    }
    outcome
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn table() -> ExitCode {
    let counter = Counter::find();
    let times = times();
    let mut base = None;
    let mut outcome = ExitCode::SUCCESS;
    println!(
        "\nInstructions are counted by {}.\n",
        counter.map_or("nothing: there is no counter", Counter::name)
    );
    println!("| operation | instructions | to moka | allocations | ns | to moka |");
    println!("| --- | --: | --: | --: | --: | --: |");
    for (index, operation) in OPERATIONS.iter().enumerate() {
        let allocations = allocations(operation);
        let instructions = counter.and_then(|counter| instructions(counter, index));
        let ns = times[index];
        let base = base.get_or_insert((instructions, ns));
        let ratio = instructions.zip(base.0).map(|(own, base)| own / base);
        println!(
            "| {} | {} | {} | {allocations:.2} | {ns:.0} | {:.2} |",
            operation.name,
            instructions.map_or("–".into(), |count| format!("{count:.0}")),
            ratio.map_or("–".into(), |ratio| format!("{ratio:.2}")),
            ns / base.1,
        );
        if operation.frugal && allocations > 0.0 {
            println!("\n{} allocates, and must not.", operation.name);
            outcome = ExitCode::FAILURE;
        }
    }
    outcome
}

/// Nanoseconds of each operation.
fn times() -> Vec<f64> {
    let output = Command::new(PROGRAM).output().expect("cargo built it beside this one");
    let times = String::from_utf8_lossy(&output.stdout);
    times.lines().map(|time| time.parse().expect("it writes numbers")).collect()
}

/// Heap allocations of one operation, once it is warm.
#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn allocations(operation: &Operation) -> f64 {
    let times = operation.times / 5;
    let mut run = (operation.prepare)();
    run(times);
    let counted = allocation_counter::measure(|| run(times));
    counted.count_total as f64 / times as f64
}
