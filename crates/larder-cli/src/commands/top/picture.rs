//! What `larder top` shows of one moment.

use larder::internal::inspect::{Inspector, LogExtent};

use crate::{
    commands::status::Server,
    failure::Failure,
    fleet::{Fleet, ratio},
    units,
};

/// What is shown.
pub(super) struct Picture {
    pub(super) prefix: String,
    pub(super) servers: Vec<Server>,
    pub(super) log: Option<LogExtent>,
    pub(super) fleet: Fleet,
}

impl Picture {
    pub(super) async fn read(inspector: &Inspector) -> Result<Self, Failure> {
        let mut servers = Vec::new();
        for master in inspector.masters() {
            servers.push(Server::ask(inspector, &master).await?);
        }
        let (log, fleet) = (inspector.log_extent().await?, Fleet::read(inspector).await?);
        Ok(Self { prefix: inspector.prefix().to_owned(), servers, log, fleet })
    }

    /// One line of what is done in all processes.
    pub(super) fn sum(&self) -> String {
        let rates = self.fleet.rates();
        format!(
            "{}   {} reads/s   {} found   {} computed/s   {} failed/s   {} evicted/s",
            units::so_many(self.fleet.0.len() as u64, ["process", "processes"]),
            units::rate(rates.reads),
            ratio(rates.hit_ratio()),
            units::rate(rates.computed),
            units::rate(rates.failed),
            units::rate(rates.evicted),
        )
    }
}
