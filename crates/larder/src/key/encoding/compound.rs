//! Values that contain others.

use std::ops::Range;

use serde::{Serialize, ser};

use super::{Buffer, Encoder, Tag, Unencodable, counted, number, write};

/// The elements of sequences and tuples.
pub(super) struct Items<'a> {
    out: &'a mut Buffer,
    /// Where the elements are, if they have no order of their own.
    unordered: Option<Unordered>,
}

impl<'a> Items<'a> {
    pub(super) fn ordered(out: &'a mut Buffer) -> Self {
        Self { out, unordered: None }
    }

    pub(super) fn unordered(out: &'a mut Buffer) -> Self {
        let unordered = Unordered::after(out);
        Self { out, unordered: Some(unordered) }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unencodable> {
        let start = self.out.len();
        write(value, self.out)?;
        if let Some(unordered) = &mut self.unordered {
            let end = self.out.len();
            unordered.parts.push(Part { key: start..end, end });
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Unencodable> {
        if let Some(unordered) = self.unordered {
            unordered.sort(self.out);
        }
        self.out.push(Tag::End as u8);
        Ok(())
    }
}

macro_rules! items {
    ($($serialize:ident: $item:ident;)+) => {$(
        impl ser::$serialize for Items<'_> {
            type Ok = ();
            type Error = Unencodable;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unencodable> {
                self.item(value)
            }

            fn end(self) -> Result<(), Unencodable> {
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
pub(super) struct Entries<'a> {
    out: &'a mut Buffer,
    unordered: Unordered,
    /// The key whose value comes next.
    key: Range<usize>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(out: &'a mut Buffer) -> Self {
        let unordered = Unordered::after(out);
        Self { out, unordered, key: 0..0 }
    }
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Unencodable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unencodable> {
        let start = self.out.len();
        write(key, self.out)?;
        self.key = start..self.out.len();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unencodable> {
        write(value, self.out)?;
        self.unordered.parts.push(Part { key: self.key.clone(), end: self.out.len() });
        Ok(())
    }

    fn end(self) -> Result<(), Unencodable> {
        self.unordered.sort(self.out);
        self.out.push(Tag::End as u8);
        Ok(())
    }
}

/// What is to be put in the order of its bytes.
struct Unordered {
    /// Where the first part begins.
    start: usize,
    parts: Vec<Part>,
}

/// A set's element, or an entry of a map.
struct Part {
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
        let in_order = |left: &Part, right: &Part| out[left.key.clone()] <= out[right.key.clone()];
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
pub(super) struct Fields<'a> {
    out: &'a mut Buffer,
    /// Where the struct begins, if it is a number's.
    number: Option<usize>,
}

impl<'a> Fields<'a> {
    pub(super) fn of_struct(encoder: Encoder<'a>, name: &str) -> Self {
        let start = encoder.out.len();
        let number = (name == number::NAME).then_some(start);
        Self { out: encoder.named(Tag::Struct, name), number }
    }

    pub(super) fn of_variant(out: &'a mut Buffer) -> Self {
        Self { out, number: None }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unencodable> {
        counted(self.out, Tag::Str, name.as_bytes());
        let start = self.out.len();
        write(value, self.out)?;
        let number = self.number.and_then(|begin| Some((begin, number::plain(&self.out[start..])?)));
        match number {
            Some((begin, number)) => {
                self.out.truncate(begin);
                number.serialize(Encoder { out: self.out, ty: "" })?;
            }
            None => self.number = None,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Unencodable> {
        if self.number.is_none() {
            self.out.push(Tag::End as u8);
        }
        Ok(())
    }
}

macro_rules! fields {
    ($($serialize:ident)+) => {$(
        impl ser::$serialize for Fields<'_> {
            type Ok = ();
            type Error = Unencodable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unencodable> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Unencodable> {
                self.finish()
            }
        }
    )+};
}

fields!(SerializeStruct SerializeStructVariant);
