//! Building keys: what a placeholder's value becomes, so that no argument can forge another key.

mod digest;
pub(crate) mod encoding;
mod hidden;
mod integer;
pub(crate) mod kept;
pub(crate) mod text;
mod unusable;

use std::{
    ffi::OsStr,
    fmt::{self, Write as _},
};

use arrayvec::ArrayVec;
use serde::Serialize;

use crate::error::Kind;

/// The longest key that a cache accepts, in bytes.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Keys up to this many bytes are built without allocating.
const ON_STACK: usize = 128;

/// A digest of what serde sees of a value, for this process alone; none if it cannot be serialized.
pub(crate) fn digest_of<T: serde::Serialize>(value: &T) -> Option<u64> {
    digest::short(value).ok()
}

/// Whether a full key can be used.
pub(crate) fn check(key: &str) -> crate::error::Result<()> {
    match key.len() {
        0 => Err(Kind::EmptyKey.into()),
        length if length > LONGEST => Err(Kind::KeyTooLong { length, longest: LONGEST }.into()),
        _ => Ok(()),
    }
}

/// A key that is being built: on the stack while it is short.
#[derive(Debug, Clone, Default)]
pub struct Key {
    /// Its text as bytes; full to the end, with whatever, once it is long.
    short: ArrayVec<u8, ON_STACK>,
    #[expect(
        clippy::box_collection,
        reason = "a hit looks at whether there is one: a word that is not zero"
    )]
    long: Option<Box<String>>,
    failed: bool,
}

impl Key {
    /// Appends text as it stands.
    #[inline]
    pub fn literal(&mut self, text: &str) {
        if self.short.try_extend_from_slice(text.as_bytes()).is_err() {
            self.spill(text);
        }
    }

    #[cold]
    fn spill(&mut self, text: &str) {
        let mut long = self.long.take().unwrap_or_else(|| Box::new(self.as_str().to_owned()));
        long.push_str(text);
        self.long = Some(long);
        self.short.extend([0; ON_STACK].into_iter().take(self.short.remaining_capacity()));
    }

    /// Appends a value's text, escaped: `:`, `*`, `%` and control characters become `%` and two
    /// hexadecimal digits a byte.
    #[inline]
    pub fn escaped(&mut self, text: &str) {
        // Looks at all bytes, whatever it finds: that way many are looked at in one instruction.
        if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            self.literal(text);
        } else {
            self.escape(text);
        }
    }

    #[cold]
    fn escape(&mut self, text: &str) {
        let mut plain = 0;
        for (at, character) in text.char_indices() {
            if character.is_control() || matches!(character, ':' | '*' | '%') {
                self.literal(&text[plain..at]);
                plain = at + character.len_utf8();
                text[at..plain].bytes().for_each(|byte| self.percent(byte));
            }
        }
        self.literal(&text[plain..]);
    }

    /// Appends what the operating system takes for text, escaped: as [`escaped`](Self::escaped), and bytes that are
    /// no Unicode too become `%` and two hexadecimal digits.
    pub(crate) fn os_text(&mut self, text: &OsStr) {
        for chunk in text.as_encoded_bytes().utf8_chunks() {
            self.escaped(chunk.valid());
            chunk.invalid().iter().for_each(|byte| self.percent(*byte));
        }
    }

    fn percent(&mut self, byte: u8) {
        let digits = [b'%', hex(byte >> 4), hex(byte & 15)];
        self.literal(std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"));
    }

    /// Appends an integer.
    #[inline]
    pub fn integer(&mut self, value: impl itoa::Integer + TryInto<u32>) {
        if !value.try_into().is_ok_and(|number| self.small_integer(number)) {
            self.literal(itoa::Buffer::new().format(value));
        }
    }

    /// The same in one store, if the number is small and there is room for one that is not; else nothing.
    #[inline]
    fn small_integer(&mut self, number: u32) -> bool {
        let Some((digits, count)) = integer::digits(number) else { return false };
        let end = self.short.len() + count;
        let is_written = self.short.try_extend_from_slice(&digits).is_ok();
        if is_written {
            self.short.truncate(end);
        }
        is_written
    }

    /// Appends what `Display` writes, escaped.
    ///
    /// Values of several types can stand behind a `dyn Trait`, and have the same text: such a value makes the key unusable.
    pub fn display<T: fmt::Display + ?Sized>(&mut self, value: &T) {
        if hidden::is_hidden::<T>() {
            self.refuse::<T>(hidden::VALUE);
        }
        if write!(Escaping(self), "{value}").is_err() {
            self.failed = true;
        }
    }

    /// Appends the MD5 of the value, as 32 hexadecimal digits.
    ///
    /// A value whose `Serialize` fails makes the key unusable: the call it is for computes without the cache.
    pub fn md5<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.digest::<T>(":md5", digest::md5(value));
    }

    /// Appends a digest of the value that no two values share, even ones that an attacker chose, as 32 letters and digits.
    /// Otherwise like [`md5`](Self::md5).
    pub fn hash<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.digest::<T>(":hash", digest::hash(value));
    }

    fn digest<T: ?Sized>(&mut self, written: &str, digest: Result<digest::Text, encoding::Unserializable>) {
        match digest {
            Ok(digest) => self.literal(&digest),
            Err(error) => {
                self.failed = true;
                if unusable::first::<T>() {
                    crate::panic_guard::report!(
                        warn,
                        r#type = std::any::type_name::<T>(),
                        %error,
                        "a `{written}` value cannot be serialized; calls with such a value are not cached"
                    );
                }
            }
        }
    }

    /// Appends the name of a type, as the compiler writes it.
    ///
    /// All closures in one function have one name, and so have all types behind a `dyn Trait`: either makes the key
    /// unusable. A pointer to a `dyn Trait` is a type of its own.
    #[inline]
    pub fn type_name<T: ?Sized>(&mut self) {
        let name = std::any::type_name::<T>();
        if let Some(reason) = hidden::reason(name) {
            self.refuse::<T>(reason);
        }
        self.escaped(name);
    }

    #[cold]
    fn refuse<T: ?Sized>(&mut self, reason: &str) {
        self.failed = true;
        if unusable::first::<T>() {
            let name = std::any::type_name::<T>();
            crate::panic_guard::report!(
                warn,
                r#type = name,
                "{reason}; calls with such a type in the key are not cached"
            );
        }
    }

    /// The bytes of the key's text so far.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.long.as_ref().map_or(&self.short, |long| long.as_bytes())
    }

    /// The key's text so far. What needs no more than its bytes is cheaper with those.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.long {
            Some(long) => long,
            None => std::str::from_utf8(&self.short).expect("it is made of whole texts"),
        }
    }

    /// The key's text.
    pub(crate) fn into_string(self) -> String {
        self.as_str().to_owned()
    }

    /// Whether a value had no text: the key is not that of any entry.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }
}

struct Escaping<'a>(&'a mut Key);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

/// Whether a byte needs no escape, whatever stands around it. C1 control characters are two bytes in
/// UTF-8, of which the first is 0xC2; the bytes of other characters that start so take the slow path.
#[inline]
fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0..0x20 | b':' | b'*' | b'%' | 0x7f | 0xc2)
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..10 => b'0' + digit,
        _ => b'A' + digit - 10,
    }
}

#[cfg(test)]
mod tests;
