//! What `larder top` shows of one moment.

use larder::internal::inspect::{Inspector, LogExtent};

use crate::{
    commands::status::Server,
    failure::Failure,
    fleet::{Fleet, ratio},
    table::first_fitting,
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

    /// One line of what is done in all processes, with what tells most where there is little room.
    pub(super) fn sum(&self, room: usize) -> String {
        let rates = self.fleet.rates();
        let processes = units::so_many(self.fleet.0.len() as u64, ["process", "processes"]);
        let found = format!("{} reads/s   {} found", units::rate(rates.reads), ratio(rates.hit_ratio()));
        let computed = format!("{} computed/s", units::rate(rates.computed));
        let failed = format!("{} failed/s", units::rate(rates.failed));
        let evicted = format!("{} evicted/s", units::rate(rates.evicted));
        let ways = [
            format!("{processes}   {found}   {computed}   {failed}   {evicted}"),
            format!("{processes}   {found}   {computed}   {failed}"),
            format!("{processes}   {found}   {failed}"),
            format!("{found}   {failed}"),
            found,
        ];
        first_fitting(ways, room)
    }
}
