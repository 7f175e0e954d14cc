//! Many commands: in pipelines that are bounded in size, a few of them under way at once.

use std::{future::Future, sync::OnceLock};

use ::redis::Pipeline;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::command::{Command, Reply, Unavailable};

/// Commands in one pipeline. One that reads several keys counts as so many: its deadline is for about as much work.
const COMMANDS: usize = 1_000;

/// Bytes in one pipeline, unless one command has more.
const BYTES: usize = 1 << 20;

/// Pipelines of a batch that are under way at once: one is being written, one executed, one read.
const AT_ONCE: usize = 4;

/// What takes pipelines.
///
/// A trait and no closure: rustc does not see that a future is `Send` that has an async closure in it.
pub(super) trait Exchange: Sync {
    /// When an operation has to end that begins now.
    fn deadline(&self) -> Instant;

    /// Sends one pipeline, and has a reply for each of its commands, by this deadline.
    fn exchange(
        &self,
        pipeline: &Pipeline,
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<Reply>, Unavailable>> + Send;
}

/// Whether these commands are one pipeline.
pub(super) fn is_one(commands: &[Command]) -> bool {
    let bytes = || commands.iter().map(Command::size).sum::<usize>();
    let keys = || commands.iter().map(Command::keys).sum::<usize>();
    commands.len() <= 1 || keys() <= COMMANDS && bytes() <= BYTES
}

/// Sends commands, by this deadline if they are one pipeline; of several, each has a deadline of its own. The replies are
/// in the commands' order. Once a pipeline has failed the rest is not sent: it would only add its deadlines to that.
pub(super) async fn send(commands: Vec<Command>, to: &impl Exchange, by: Instant) -> Vec<Reply> {
    let count = commands.len();
    let failure = OnceLock::new();
    let mut pipelines = Pipelines { commands: commands.into_iter(), next: None };
    let Some(first) = pipelines.next() else { return Vec::new() };
    if pipelines.is_empty() {
        return attempt(to, &failure, first, Some(by)).await;
    }
    let mut exchanges = stream::iter(
        std::iter::once(first).chain(pipelines).map(|pipeline| attempt(to, &failure, pipeline, None)),
    )
    .buffered(AT_ONCE);
    let mut replies = Vec::with_capacity(count);
    while let Some(part) = exchanges.next().await {
        replies.extend(part);
    }
    replies
}

async fn attempt(
    to: &impl Exchange,
    failure: &OnceLock<Unavailable>,
    pipeline: Pipeline,
    by: Option<Instant>,
) -> Vec<Reply> {
    let outcome = match failure.get() {
        Some(reason) => Err(reason.clone()),
        None => to.exchange(&pipeline, by.unwrap_or_else(|| to.deadline())).await,
    };
    outcome.unwrap_or_else(|reason| {
        let replies = (0..pipeline.len()).map(|_| Err(reason.clone().into())).collect();
        _ = failure.set(reason);
        replies
    })
}

/// Cuts commands into pipelines.
struct Pipelines {
    commands: std::vec::IntoIter<Command>,
    /// The one that did not fit into the pipeline before.
    next: Option<Command>,
}

impl Pipelines {
    fn is_empty(&self) -> bool {
        self.next.is_none() && self.commands.len() == 0
    }
}

impl Iterator for Pipelines {
    type Item = Pipeline;

    fn next(&mut self) -> Option<Pipeline> {
        let first = self.next.take().or_else(|| self.commands.next())?;
        let (mut bytes, mut keys) = (first.size(), first.keys());
        let mut pipeline = Pipeline::with_capacity(self.commands.len().min(COMMANDS - 1) + 1);
        pipeline.add_command(first.words);
        while keys < COMMANDS {
            let Some(command) = self.commands.next() else { break };
            bytes += command.size();
            keys += command.keys();
            if bytes > BYTES || keys > COMMANDS {
                self.next = Some(command);
                break;
            }
            pipeline.add_command(command.words);
        }
        Some(pipeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(commands: Vec<Command>) -> Vec<usize> {
        Pipelines { commands: commands.into_iter(), next: None }.map(|pipeline| pipeline.len()).collect()
    }

    #[test]
    fn pipelines_are_bounded() {
        let get = || Command::new("GET").key("k");
        assert_eq!(lengths(vec![]), [0usize; 0]);
        assert_eq!(lengths(vec![get()]), [1]);
        assert_eq!(lengths(std::iter::repeat_with(get).take(2_001).collect()), [1_000, 1_000, 1]);
        let many = || Command::get_all((0..250).map(|_| "k"));
        assert_eq!(lengths(std::iter::repeat_with(many).take(5).collect()), [4, 1]);
        let large = |bytes| Command::new("SET").key("k").arg(vec![0u8; bytes]);
        assert_eq!(lengths(vec![large(BYTES / 2 - 100), get(), large(BYTES * 2), get()]), [2, 1, 1]);
    }
}
