//! Requests for whatever there is: by types that buffer, and decide later what they have got.
//!
//! Each kind of answer is given once. What the type thinks of them shows in the errors that it makes.

use serde::de::Visitor;

use super::{
    access::Items,
    fault::Fault,
    recorder::Recorder,
    tree::{Choice, Kind},
};

/// Of the answers, in their order: the one that fields can be learned for.
pub(super) const AS_MAP: usize = 0;
const ANSWERS: usize = 8;

/// Buffers in buffers are not followed further than this.
const MOST_BUFFERS: usize = 4;

impl Recorder<'_> {
    pub(super) fn anything<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let id = self.enter(Kind::Any)?;
        if self.buffers > MOST_BUFFERS {
            return visitor.visit_unit();
        }
        let answer = self.choose(id, Choice::Probe, ANSWERS);
        self.exploration.probe(id);
        let inner = Self { buffers: self.buffers + 1, ..self };
        match answer {
            AS_MAP => inner.learned_fields(id, visitor),
            1 => visitor.visit_seq(Items::alike(inner, id, 1)),
            2 => visitor.visit_borrowed_str(""),
            3 => visitor.visit_u64(0),
            4 => visitor.visit_bool(false),
            5 => visitor.visit_f64(0.0),
            6 => visitor.visit_i64(-1),
            _ => visitor.visit_unit(),
        }
    }
}
