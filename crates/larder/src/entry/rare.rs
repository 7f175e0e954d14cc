//! What few entries have.

use std::sync::Arc;

use super::cover::ForeignDependencies;
use crate::epoch::Announcement;

/// What few entries have: they alone take the room for it.
#[derive(Default, Clone)]
pub(super) struct Rare {
    pub(super) foreign_dependencies: Box<[ForeignDependencies]>,
    /// What its write to a server has to wait for.
    pub(super) announcement: Option<Arc<Announcement>>,
    /// The version that the user gave to the shape of the values.
    pub(super) schema: Option<u32>,
}

impl Rare {
    /// None if there is none of it.
    pub(super) fn of(
        foreign_dependencies: Vec<ForeignDependencies>,
        announcement: Option<Arc<Announcement>>,
        schema: Option<u32>,
    ) -> Option<Box<Self>> {
        let is_any = !foreign_dependencies.is_empty() || announcement.is_some() || schema.is_some();
        is_any.then(|| {
            let foreign_dependencies = foreign_dependencies.into_boxed_slice();
            Box::new(Self { foreign_dependencies, announcement, schema })
        })
    }
}
