//! Without the feature `disk`: there is none.

use std::{future::Ready, time::Duration};

use crate::{cache_core::Lookup, entry::Entry, value::ValueType};

/// None is ever made.
#[derive(Debug, Clone)]
pub(crate) enum DiskTier {}

impl DiskTier {
    pub(crate) async fn read(&self, _: &[Lookup<'_>], _: ValueType) -> Vec<Option<Entry>> {
        match *self {}
    }

    pub(crate) fn offer(&self, _: &[Entry]) {
        match *self {}
    }

    pub(crate) async fn settle(&self, _: &[Entry]) {
        match *self {}
    }

    pub(crate) fn is_written(&self) -> bool {
        match *self {}
    }

    pub(crate) fn wait_until_written(&self) -> Ready<bool> {
        match *self {}
    }

    pub(crate) async fn persist(&self, _: Duration) -> bool {
        match *self {}
    }
}
