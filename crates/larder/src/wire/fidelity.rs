//! Whether what was written is what will be read.
//!
//! Done for each value, not once for each type: what is lost can depend on a `None` or an empty list in it. The
//! message is read back, which also gives the fingerprint of the type; then both values are compared by how they
//! serialize, and
//!
//! - by `PartialEq` and `Debug`, where the macros know that the type has them; or else
//! - by the names that `Serialize` writes and `Deserialize` asks for.

use std::cell::RefCell;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    AnyCodec, BuiltIn, Unencodable, Wire,
    names::{OneSided, Written},
    path::Paths,
    probe::AliasProbe,
    trace::{AskedFields, Fingerprint},
    walk::{NoDigest, Walk},
};
use crate::value::comparison::{Comparison, Evidence};

/// What is known of the value that is to be shared.
pub(super) struct Original {
    digest: u64,
    walk: Walk,
    levels: usize,
}

impl Original {
    /// Tells a codec's own limit from other reasons.
    pub(super) fn explained(&self, codec: &AnyCodec, reason: Unencodable) -> Unencodable {
        match (codec.deepest(), reason) {
            (Some(limit), Unencodable::Codec { .. } | Unencodable::Unreadable { .. })
                if self.levels > limit =>
            {
                Unencodable::TooDeep { codec: codec.name(), limit }
            }
            (_, reason) => reason,
        }
    }
}

impl Wire {
    /// Walks through the value before anything else does: what is too deep for this stack, or too large to be done
    /// here, is known after that.
    pub(super) fn walk_original<V: Serialize>(
        &self,
        value: &V,
        names: bool,
    ) -> Result<Original, Unencodable> {
        let mut walk = Walk::new(self.codec().is_human_readable(), self.levels(), self.limits.largest_raw);
        walk.written = names.then(Written::default);
        let digest = walk.digest(value).map_err(|none| self.no_digest(none))?;
        let levels = self.levels() - walk.least_levels();
        Ok(Original { digest, walk, levels })
    }

    fn no_digest(&self, none: NoDigest) -> Unencodable {
        match none {
            NoDigest::TooDeep => Unencodable::TooDeep { codec: self.codec().name(), limit: self.levels() },
            NoDigest::TooLarge => Unencodable::TooLarge { limit: self.limits.largest_raw },
            NoDigest::Refused(refused) => Unencodable::by_codec(self.codec().name(), refused),
        }
    }

    /// Reads back what was written, compares, and gives the fingerprint of the type.
    pub(super) fn read_back<V>(
        &self,
        value: &V,
        payload: &[u8],
        original: &Original,
        schema: Option<u32>,
        comparison: Option<&Comparison<V>>,
    ) -> Result<Fingerprint, Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        let codec = self.codec();
        let mut budget = codec.budget(payload.len(), &self.limits, schema, None);
        budget.said = Some(RefCell::default());
        let back: V = codec.decode(payload, &budget).map_err(|_| {
            let said = budget.said.take().and_then(RefCell::into_inner);
            original.explained(codec, Unencodable::unreadable(codec.name(), said))
        })?;

        let digest = Walk::new(codec.is_human_readable(), self.levels(), usize::MAX).digest(&back);
        if digest != Ok(original.digest) {
            return Err(self.changed(value, &back, Evidence::Serialized));
        }
        match comparison.and_then(|comparison| comparison.compare(value, &back)) {
            Some(Ok(())) => {}
            Some(Err(evidence)) => return Err(self.changed(value, &back, evidence)),
            None => self.compare_names(value, original, &budget.trace.fields())?,
        }
        let digest = match budget.trace.is_buffered() {
            true => Some(self.fingerprint_digest(codec, &back).map_err(|none| self.no_digest(none))?),
            false => None,
        };
        Ok(budget.trace.fingerprint(digest))
    }

    /// What stands for a value in a fingerprint, where its trace is not enough.
    pub(super) fn fingerprint_digest<V: Serialize>(
        &self,
        codec: &AnyCodec,
        value: &V,
    ) -> Result<u64, NoDigest> {
        Walk::for_fingerprint(codec.is_human_readable(), codec.levels(&self.limits)).digest(value)
    }

    /// Finds where the two values differ.
    fn changed<V: Serialize>(&self, value: &V, back: &V, evidence: Evidence) -> Unencodable {
        let paths = |value: &V| {
            let mut walk = Walk::new(self.codec().is_human_readable(), self.levels(), usize::MAX);
            walk.paths = Some(Paths::default());
            let _ = walk.digest(value);
            walk.paths.unwrap_or_default()
        };
        let at = match evidence {
            Evidence::Serialized => paths(value).first_difference(&paths(back)),
            Evidence::Compared | Evidence::Shown => None,
        };
        Unencodable::Changed { codec: self.codec().name(), at, evidence }
    }

    /// Compares the names that both sides know.
    fn compare_names<V>(
        &self,
        value: &V,
        original: &Original,
        asked: &[AskedFields],
    ) -> Result<(), Unencodable>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        // A comparison that cannot tell leaves it to the names after all.
        let again;
        let written = match &original.walk.written {
            Some(written) => written,
            None => {
                again = self.walk_original(value, true)?;
                again.walk.written.as_ref().expect("it was asked for")
            }
        };
        let known = known::NamesKey::new::<V>(written.hash(asked));
        if known.is_known() {
            return Ok(());
        }
        let one_sided = written.one_sided(asked, |fields, name| self.is_alias(value, fields, name));
        match one_sided {
            Some(OneSided { of, name, is_written }) => Err(Unencodable::OneSided { of, name, is_written }),
            None => {
                known.remember();
                Ok(())
            }
        }
    }

    /// Whether a name is an alias of a field that the value has.
    fn is_alias<V>(&self, value: &V, fields: AskedFields, name: &'static str) -> bool
    where
        V: Serialize + DeserializeOwned,
    {
        // Not all others write names.
        let codec = match self.codec() {
            AnyCodec::BuiltIn(BuiltIn::Json) => BuiltIn::Json.into(),
            _ => AnyCodec::from(BuiltIn::MessagePack),
        };
        let mut payload = Vec::new();
        if codec.encode(value, &mut payload).is_err() {
            return false;
        }
        let mut budget = codec.budget(payload.len(), &self.limits, None, None);
        budget.probe = Some(AliasProbe::new(fields, name));
        let _ = codec.decode::<V>(&payload, &budget);
        budget.probe.is_some_and(|probe| probe.is_alias())
    }
}

/// Types whose names were compared, so that it is done once for each.
mod known {
    use std::{
        any::TypeId,
        collections::HashSet,
        sync::{Arc, LazyLock},
    };

    use arc_swap::ArcSwap;

    type Known = HashSet<NamesKey, foldhash::fast::RandomState>;
    static KNOWN: LazyLock<ArcSwap<Known>> = LazyLock::new(ArcSwap::default);

    /// More are compared each time: names of fields that are not known at compile time have no end.
    const MOST: usize = 4_096;

    /// A type, and a hash of the names in a value of it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(super) struct NamesKey(TypeId, u64);

    impl NamesKey {
        pub(super) fn new<V: 'static>(names: u64) -> Self {
            Self(TypeId::of::<V>(), names)
        }

        pub(super) fn is_known(&self) -> bool {
            KNOWN.load().contains(self)
        }

        pub(super) fn remember(self) {
            // A copy for each type of a program, once: what is looked up for each value takes no lock for it.
            KNOWN.rcu(|known| {
                let mut known = Known::clone(known);
                if known.len() < MOST {
                    known.insert(self);
                }
                Arc::new(known)
            });
        }
    }
}
