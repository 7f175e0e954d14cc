//! Values that are made of others: lists, maps, structs.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::wire::{
    mix::{mix, text},
    walk::{Refused, Walk, kind},
};

/// A compound, so far; each of its parts is digested by `D`.
pub(super) struct Parts<'w, D> {
    pub(super) digest: D,
    pub(super) walk: &'w Walk,
    pub(super) sum: u64,
    pub(super) index: u64,
    pub(super) key: u64,
    /// The names of its fields are wanted.
    pub(super) has_names: bool,
}

impl<D: Serializer<Ok = u64, Error = Refused> + Copy> Parts<'_, D> {
    /// The digest of the next part.
    #[inline]
    pub(super) fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<u64, Refused> {
        let Some(paths) = &self.walk.paths else { return value.serialize(self.digest) };
        paths.index(self.index);
        self.index += 1;
        let part = value.serialize(self.digest)?;
        paths.leave();
        Ok(part)
    }

    /// The same for a part with a name.
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<u64, Refused> {
        if self.walk.written.is_none() && self.walk.paths.is_none() {
            return value.serialize(self.digest);
        }
        self.noted_field(name, value)
    }

    #[cold]
    fn noted_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<u64, Refused> {
        let Walk { written, paths, .. } = self.walk;
        if let Some(written) = written {
            written.name(name);
        }
        if let Some(paths) = paths {
            paths.field(name);
        }
        let part = value.serialize(self.digest)?;
        if let Some(paths) = paths {
            paths.leave();
        }
        if let Some(written) = written {
            written.named();
        }
        Ok(part)
    }

    /// Adds what counts wherever it stands.
    #[inline]
    pub(super) fn add(&mut self, part: u64) {
        self.sum = self.sum.wrapping_add(mix(kind::SEQ, part));
    }

    /// Adds what counts by its place.
    #[inline]
    pub(super) fn next(&mut self, part: u64) {
        self.sum = mix(self.sum, part);
    }

    pub(super) fn finish(self) -> u64 {
        let walk = self.walk;
        if let Some(written) = walk.written.as_ref().filter(|_| self.has_names) {
            written.end();
        }
        walk.back();
        mix(kind::END, self.sum)
    }
}

macro_rules! compounds {
    ($($of:ident: $method:ident by $add:ident;)+) => {$(
        impl<D: Serializer<Ok = u64, Error = Refused> + Copy> $of for Parts<'_, D> {
            type Ok = u64;
            type Error = Refused;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                let part = self.part(value)?;
                self.$add(part);
                Ok(())
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(self.finish())
            }
        }
    )+};
}

compounds! {
    SerializeSeq: serialize_element by add;
    SerializeTuple: serialize_element by next;
    SerializeTupleStruct: serialize_field by next;
    SerializeTupleVariant: serialize_field by next;
}

macro_rules! structs {
    ($($of:ident),+) => {$(
        impl<D: Serializer<Ok = u64, Error = Refused> + Copy> $of for Parts<'_, D> {
            type Ok = u64;
            type Error = Refused;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                let part = self.field(name, value)?;
                self.next(mix(text(name), part));
                Ok(())
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Refused> {
                if let Some(written) = &self.walk.written {
                    written.name(name);
                }
                Ok(())
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(self.finish())
            }
        }
    )+};
}

structs!(SerializeStruct, SerializeStructVariant);

impl<D: Serializer<Ok = u64, Error = Refused> + Copy> SerializeMap for Parts<'_, D> {
    type Ok = u64;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let paths = self.walk.paths.as_ref();
        paths.inspect(|paths| paths.mute(true));
        self.key = key.serialize(self.digest)?;
        paths.inspect(|paths| paths.mute(false));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        if let Some(paths) = &self.walk.paths {
            paths.key(self.key);
        }
        let value = value.serialize(self.digest)?;
        if let Some(paths) = &self.walk.paths {
            paths.leave();
        }
        self.add(mix(self.key, value));
        Ok(())
    }

    fn end(self) -> Result<u64, Refused> {
        Ok(self.finish())
    }
}
