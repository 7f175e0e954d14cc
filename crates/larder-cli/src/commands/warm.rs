//! `larder warm`: values from a file, stored as entries that processes serve.

mod line;
mod source;

pub(crate) use self::line::duration;
use std::{collections::HashSet, time::Duration};

use larder::{
    Epoch, Scope,
    internal::inspect::{History, Inspector, OutsideEntry, Peek, StoredEntry, Verdict},
};
use serde_json::json;

use self::{
    line::WrongLine,
    source::{Line, Position, Source},
};
use crate::{
    cli::{AsOf, Target, Warm},
    failure::{Answer, Failure},
    output::{Output, note, note_json},
    progress::Progress,
    scan::State,
    units,
};

/// Wrong lines are named up to this number, and counted from there on.
const NAMED: u64 = 20;

/// What became of the lines.
#[derive(Debug, Default)]
struct Counts {
    stored: u64,
    /// A process would serve what is there, or it is of a later epoch.
    there: u64,
    /// Something that covers it was invalidated since the values were read.
    invalidated: u64,
    /// A line before has the same key.
    repeated: u64,
    wrong: u64,
}

/// Why no more lines are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    OfLines,
    Interrupted,
    LogLost,
}

pub(crate) async fn run(target: &Target, warm: &Warm, output: &mut Output) -> Result<Answer, Failure> {
    let source = Source::open(&warm.file, warm.from_line.unwrap_or(1))?;
    let inspector = target.connect().await?;
    let loader = Loader::begin(target, &inspector, warm, output.json).await?;
    let (mut counts, mut done) = (Counts::default(), source.position());
    let loaded = loader.load(source, &mut counts, &mut done).await;
    report(warm, loader.epoch, &counts, output)?;
    let (epoch, next) = (loader.as_of(), done.lines + 1);
    let resume = match warm.replace {
        true => format!(
            "run it again with --replace --as-of {epoch} --from-line {next}, which passes over what is done"
        ),
        false => format!(
            "run it again with --as-of {epoch}, which stores nothing twice; --from-line {next} passes over what is done"
        ),
    };
    match loaded {
        Err(failure) => {
            let place = format!("line {} of {}", done.lines + 1, loader.file());
            Err(failure.at(&place, &resume))
        }
        Ok(End::Interrupted) => {
            Err(Failure::unfinished(format!("broken off behind line {}", done.lines), resume))
        }
        Ok(End::LogLost) => {
            let line = done.lines + 1;
            let text = format!(
                "at line {line}, the invalidation log had reached {epoch} and has not now: it was lost, or made anew, and nothing from before it is served"
            );
            Err(Failure::unfinished(text, "read the values from their source once more, and begin again"))
        }
        Ok(End::OfLines) if counts.wrong > 0 => {
            let (lines, were) = if counts.wrong == 1 { ("line", "was") } else { ("lines", "were") };
            let text = format!("{} {lines} {were} wrong; all others are done", units::count(counts.wrong));
            let mend = format!("mend them, and run it again with --as-of {epoch}");
            Err(Failure::usage(text).with_mend(mend))
        }
        Ok(End::OfLines) => Ok(Answer::Yes),
    }
}

fn report(warm: &Warm, epoch: Option<Epoch>, counts: &Counts, output: &mut Output) -> Result<(), Failure> {
    let Counts { stored, there, invalidated, repeated, wrong } = *counts;
    if output.json {
        output.json(&json!({
            "as_of": epoch.map(|epoch| epoch.to_string()), "stored": stored, "there": there, "invalidated": invalidated,
            "repeated": repeated, "wrong": wrong, "dry_run": warm.dry_run,
        }))?;
    } else {
        let did = if warm.dry_run { "would be stored" } else { "stored" };
        let parts = [
            (stored, did),
            (there, "there already"),
            (invalidated, "invalidated since"),
            (repeated, "with a key that came before"),
            (wrong, "wrong"),
        ];
        let named = parts.iter().enumerate().filter(|(index, (count, _))| *index == 0 || *count > 0);
        let named: Vec<_> =
            named.map(|(_, (count, what))| format!("{} {what}", units::count(*count))).collect();
        let as_of = epoch.map(|epoch| format!(", as of {epoch}")).unwrap_or_default();
        output.line(format!("{}{as_of}", named.join(", ")))?;
    }
    output.flush()
}

/// Takes lines to entries.
struct Loader<'i> {
    inspector: &'i Inspector,
    history: History,
    /// None where there is no log, and none is made: nothing was invalidated then.
    epoch: Option<Epoch>,
    /// On the server's clock, in milliseconds: what was made before is of an earlier run.
    began: u64,
    warm: &'i Warm,
    json: bool,
}

/// Entries that are sent together.
#[derive(Default)]
struct Batch {
    entries: Vec<(String, OutsideEntry)>,
    keys: HashSet<String>,
}

impl<'i> Loader<'i> {
    async fn begin(
        target: &Target,
        inspector: &'i Inspector,
        warm: &'i Warm,
        json: bool,
    ) -> Result<Self, Failure> {
        let epoch = match (inspector.log_extent().await?, warm.as_of) {
            (None, AsOf::Epoch(epoch)) => return Err(no_log(epoch)),
            // Nothing is changed by it.
            (None, AsOf::Now) if warm.dry_run => None,
            (None, AsOf::Now) => {
                make_log(target, inspector).await?;
                Some(AsOf::Now)
            }
            (Some(_), as_of) => Some(as_of),
        };
        let history = inspector.history(&[]).await?;
        let epoch = epoch.map(|as_of| epoch_of(as_of, &history)).transpose()?;
        match (warm.as_of, epoch) {
            (AsOf::Now, Some(epoch)) => note(json, &format!("the values count as of {epoch}")),
            (AsOf::Now, None) => {
                note(json, "there is no invalidation log yet: it is made where values are stored")
            }
            (AsOf::Epoch(_), _) => {}
        }
        let began = inspector.server_time_ms().await?;
        Ok(Self { inspector, history, epoch, began, warm, json })
    }

    /// What `--as-of` is to say in another run.
    fn as_of(&self) -> String {
        self.epoch.map_or_else(|| "now".to_owned(), |epoch| epoch.to_string())
    }

    fn file(&self) -> String {
        let file = self.warm.file.display().to_string();
        if file == "-" { "the standard input".to_owned() } else { file }
    }

    /// Stores the values of all lines. `done` is how far they are.
    async fn load(
        &self,
        mut source: Source,
        counts: &mut Counts,
        done: &mut Position,
    ) -> Result<End, Failure> {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let mut progress = Progress::new("lines", done.lines);
        loop {
            // On a thread of its own, which is left alone where what it waits for does not come.
            let reading = tokio::task::spawn_blocking(move || {
                let lines = source.batch();
                (source, lines)
            });
            let read = tokio::select! {
                biased;
                _ = &mut interrupted => None,
                read = reading => Some(read.map_err(std::io::Error::from)?),
            };
            let Some((back, lines)) = read else { return Ok(End::Interrupted) };
            source = back;
            let lines = lines?;
            if lines.is_empty() {
                return Ok(End::OfLines);
            }
            let batch = self.batch(lines, counts, &mut progress).await?;
            // An interruption waits for what is sent.
            if !self.send(batch, counts).await? {
                return Ok(End::LogLost);
            }
            *done = source.position();
            progress.show(done.lines, done.part());
        }
    }

    async fn batch(
        &self,
        lines: Vec<Line>,
        counts: &mut Counts,
        progress: &mut Progress,
    ) -> Result<Batch, Failure> {
        let now_ms = self.inspector.server_time_ms().await?;
        let mut batch = Batch::default();
        for line in lines {
            if let Some(wrong) = self.take(&line, now_ms, &mut batch, counts).await {
                progress.end();
                self.tell(line.number, &wrong, counts);
            }
        }
        Ok(batch)
    }

    /// Takes a line into the batch, unless it is wrong.
    async fn take(
        &self,
        line: &Line,
        now_ms: u64,
        batch: &mut Batch,
        counts: &mut Counts,
    ) -> Option<WrongLine> {
        let value = match line::read(&line.text, self.warm.ttl) {
            Ok(value) => value?,
            Err(wrong) => return Some(wrong),
        };
        if !batch.keys.insert(value.key.clone()) {
            counts.repeated += 1;
            return None;
        }
        match self
            .inspector
            .outside_entry(&value, self.epoch.unwrap_or(Epoch::ZERO), self.warm.schema, now_ms)
            .await
        {
            Ok(entry) => {
                batch.entries.push((value.key, entry));
                None
            }
            Err(error) => Some(WrongLine::refused(&error)),
        }
    }

    fn tell(&self, number: u64, WrongLine { text, mend }: &WrongLine, counts: &mut Counts) {
        counts.wrong += 1;
        let file = self.file();
        match counts.wrong {
            // As failures are: an object a line.
            ..=NAMED if self.json => {
                note_json(&json!({ "error": text, "mend": mend, "file": file, "line": number }));
            }
            ..=NAMED => note(false, &format!("{file}:{number}: {text}\n  mend: {mend}")),
            count if count == NAMED + 1 && !self.json => {
                note(false, "more lines are wrong, and only counted")
            }
            _ => {}
        }
    }

    /// Stores what is wanted of a batch. False if the log was lost.
    async fn send(&self, batch: Batch, counts: &mut Counts) -> Result<bool, Failure> {
        let names: Vec<_> = batch.entries.iter().map(|(_, entry)| entry.name().as_bytes().to_vec()).collect();
        let peeks = self.inspector.peek(&names).await?;
        let mut wanted = Vec::new();
        for ((key, entry), peek) in batch.entries.into_iter().zip(peeks) {
            let is_there = peek.is_some_and(|peek| self.stays(&key, &peek));
            let judge = |epoch| self.history.judge(Scope::key(&key).hash(), entry.scopes(), epoch);
            if self.epoch.is_some_and(|epoch| judge(epoch) != Verdict::Valid) {
                counts.invalidated += 1;
            } else if is_there {
                counts.there += 1;
            } else {
                wanted.push(entry);
            }
        }
        let Some(epoch) = self.epoch.filter(|_| !self.warm.dry_run && !wanted.is_empty()) else {
            counts.stored += wanted.len() as u64;
            return Ok(true);
        };
        let Some(stored) = self.inspector.store(wanted, epoch).await? else { return Ok(false) };
        for stored in stored {
            if stored { counts.stored += 1 } else { counts.there += 1 }
        }
        Ok(true)
    }

    /// Whether what lies under a key is left there: it is of a later epoch, or would be served, and is not to be replaced.
    fn stays(&self, key: &str, peek: &Peek) -> bool {
        let there = peek.entry.as_ref().ok();
        if there.zip(self.epoch).is_some_and(|(there, epoch)| there.epoch() > epoch) {
            return true;
        }
        // Of what this run has stored, the first line of a key counts.
        let is_untyped = |there: &StoredEntry| there.is_untyped() || there.is_untyped_for(self.warm.schema);
        let is_earlier = |there: &StoredEntry| is_untyped(there) && there.lifetimes().created_ms < self.began;
        let is_replaced = self.warm.replace && there.is_some_and(is_earlier);
        !is_replaced && State::of(&self.history, key, peek).name == "valid"
    }
}

/// Of when the values are, if the log knows what was invalidated since.
fn epoch_of(as_of: AsOf, history: &History) -> Result<Epoch, Failure> {
    let (Some(extent), Some(first)) = (history.extent(), history.reaches_back_to()) else {
        return Err(Failure::unfinished("the invalidation log has just gone", "run it again"));
    };
    match as_of {
        AsOf::Now => Ok(extent.last),
        AsOf::Epoch(epoch) if epoch > extent.last => Err(Failure::usage(format!(
            "--as-of {epoch} is ahead of the invalidation log, which has come to {}",
            extent.last
        ))
        .with_mend("name the end of this log, as `larder status` showed it before the values were read; --prefix and --url name the log")),
        AsOf::Epoch(epoch) if epoch < first => Err(Failure::usage(format!(
            "the invalidation log does not go back to --as-of {epoch}, but to {first}: what was invalidated between the two is \
             not known"
        ))
        .with_mend("read the values from their source once more, and name the end of the log as it is before that")),
        AsOf::Epoch(epoch) => Ok(epoch),
    }
}

/// There was a log when the epoch was noted: it was lost since, or is another one.
fn no_log(epoch: Epoch) -> Failure {
    Failure::usage(format!("there is no invalidation log, and so none that has come to --as-of {epoch}")).with_mend(
        "if --prefix and --url are right, it was lost: read the values from their source once more, and say --as-of now",
    )
}

/// Where no process was yet: entries can only be judged by a log that is there when they are made.
async fn make_log(target: &Target, inspector: &Inspector) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let _cache = target.builder()?.connect().await?;
    let made = async {
        while inspector.log_extent().await?.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    let late = || {
        Failure::unfinished(
            "there is no invalidation log yet, and none could be made",
            "see `larder doctor`, and run it again",
        )
    };
    tokio::time::timeout(PATIENCE, made).await.unwrap_or_else(|_| Err(late()))
}
