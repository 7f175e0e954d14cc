//! Values that contain others.

use std::{marker::PhantomData, ops::Range};

use serde::{Serialize, ser};

use super::{
    bytes::{Buffer, Tag, Unserializable, Write, counted},
    number,
};

/// The elements of sequences and tuples.
pub(super) struct Items<'a, W> {
    out: &'a mut Buffer,
    parts_by: PhantomData<W>,
    /// Where the elements are, if they have no order of their own.
    unordered: Option<Unordered>,
}

impl<'a, W: Write> Items<'a, W> {
    pub(super) fn ordered(out: &'a mut Buffer) -> Self {
        Self { out, parts_by: PhantomData, unordered: None }
    }

    pub(super) fn unordered(out: &'a mut Buffer) -> Self {
        let unordered = Unordered::after(out);
        Self { out, parts_by: PhantomData, unordered: Some(unordered) }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unserializable> {
        let start = self.out.len();
        W::write(value, self.out)?;
        if let Some(unordered) = &mut self.unordered {
            let end = self.out.len();
            unordered.parts.push(UnorderedPart { key: start..end, end });
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Unserializable> {
        if let Some(unordered) = self.unordered {
            unordered.sort(self.out);
        }
        self.out.push(Tag::End as u8);
        Ok(())
    }
}

macro_rules! items {
    ($($serialize:ident: $item:ident;)+) => {$(
        impl<W: Write> ser::$serialize for Items<'_, W> {
            type Ok = ();
            type Error = Unserializable;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unserializable> {
                self.item(value)
            }

            fn end(self) -> Result<(), Unserializable> {
                self.finish()
            }
        }
    )+};
}

items! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

/// The entries of a map.
pub(super) struct Entries<'a, W> {
    out: &'a mut Buffer,
    parts_by: PhantomData<W>,
    unordered: Unordered,
    /// The key whose value comes next.
    key: Range<usize>,
}

impl<'a, W: Write> Entries<'a, W> {
    pub(super) fn new(out: &'a mut Buffer) -> Self {
        let unordered = Unordered::after(out);
        Self { out, parts_by: PhantomData, unordered, key: 0..0 }
    }
}

impl<W: Write> ser::SerializeMap for Entries<'_, W> {
    type Ok = ();
    type Error = Unserializable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unserializable> {
        let start = self.out.len();
        W::write(key, self.out)?;
        self.key = start..self.out.len();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unserializable> {
        W::write(value, self.out)?;
        self.unordered.parts.push(UnorderedPart { key: self.key.clone(), end: self.out.len() });
        Ok(())
    }

    fn end(self) -> Result<(), Unserializable> {
        self.unordered.sort(self.out);
        self.out.push(Tag::End as u8);
        Ok(())
    }
}

/// What is to be put in the order of its bytes.
struct Unordered {
    /// Where the first part begins.
    start: usize,
    parts: Vec<UnorderedPart>,
}

/// A set's element, or an entry of a map.
struct UnorderedPart {
    /// What it is ordered by; it begins the part.
    key: Range<usize>,
    end: usize,
}

impl Unordered {
    fn after(out: &Buffer) -> Self {
        Self { start: out.len(), parts: Vec::new() }
    }

    /// Parts with the same key stay in their order: what is written as a map may have a key twice, and the order
    /// of the two may mean something.
    fn sort(mut self, out: &mut Buffer) {
        let in_order =
            |left: &UnorderedPart, right: &UnorderedPart| out[left.key.clone()] <= out[right.key.clone()];
        if self.parts.is_sorted_by(in_order) {
            return;
        }
        let whole: Box<[u8]> = Box::from(&out[self.start..]);
        let at = |range: Range<usize>| &whole[range.start - self.start..range.end - self.start];
        self.parts.sort_by(|left, right| at(left.key.clone()).cmp(at(right.key.clone())));
        out.truncate(self.start);
        for part in &self.parts {
            out.extend_from_slice(at(part.key.start..part.end));
        }
    }
}

/// The fields of structs, in their order.
pub(super) struct Fields<'a, W> {
    out: &'a mut Buffer,
    parts_by: PhantomData<W>,
    /// Where the struct begins, if it is a number's.
    number: Option<usize>,
}

impl<'a, W: Write> Fields<'a, W> {
    /// Of a struct of this name, which begins at `start`.
    pub(super) fn of_struct(start: usize, out: &'a mut Buffer, name: &str) -> Self {
        let number = (name == number::NAME).then_some(start);
        Self { out, parts_by: PhantomData, number }
    }

    pub(super) fn of_variant(out: &'a mut Buffer) -> Self {
        Self { out, parts_by: PhantomData, number: None }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unserializable> {
        counted(self.out, Tag::Str, name.as_bytes());
        let start = self.out.len();
        W::write(value, self.out)?;
        let number = self.number.and_then(|begin| Some((begin, number::plain(&self.out[start..])?)));
        match number {
            Some((begin, number)) => {
                self.out.truncate(begin);
                W::write(&number, self.out)?;
            }
            None => self.number = None,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Unserializable> {
        if self.number.is_none() {
            self.out.push(Tag::End as u8);
        }
        Ok(())
    }
}

macro_rules! fields {
    ($($serialize:ident)+) => {$(
        impl<W: Write> ser::$serialize for Fields<'_, W> {
            type Ok = ();
            type Error = Unserializable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unserializable> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Unserializable> {
                self.finish()
            }
        }
    )+};
}

fields!(SerializeStruct SerializeStructVariant);
