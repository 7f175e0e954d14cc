//! Building keys: what a placeholder's value becomes, so that no argument can forge another key.

mod digest;

use std::fmt::{self, Write as _};

use arrayvec::ArrayString;
use serde::Serialize;

use crate::error::{Kind, Result};

/// The longest key that a cache accepts, in bytes.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Keys up to this many bytes are built without allocating.
const ON_STACK: usize = 128;

/// Whether a full key can be used.
pub(crate) fn check(key: &str) -> Result<()> {
    match key.len() {
        0 => Err(Kind::EmptyKey.into()),
        length if length > LONGEST => Err(Kind::KeyTooLong { length, longest: LONGEST }.into()),
        _ => Ok(()),
    }
}

/// A key that is being built: on the stack while it is short.
#[derive(Debug, Clone, Default)]
pub struct Key {
    short: ArrayString<ON_STACK>,
    long: Option<String>,
    failed: bool,
}

impl Key {
    /// Appends text as it stands.
    #[inline]
    pub fn literal(&mut self, text: &str) {
        if self.long.is_some() || self.short.try_push_str(text).is_err() {
            self.spill(text);
        }
    }

    #[cold]
    fn spill(&mut self, text: &str) {
        self.long.get_or_insert_with(|| self.short.as_str().to_owned()).push_str(text);
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
        let mut buffer = [0; 4];
        for character in text.chars() {
            let encoded = character.encode_utf8(&mut buffer);
            if character.is_control() || matches!(character, ':' | '*' | '%') {
                for byte in encoded.bytes() {
                    let digits = [b'%', hex(byte >> 4), hex(byte & 15)];
                    self.literal(std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"));
                }
            } else {
                self.literal(encoded);
            }
        }
    }

    /// Appends an integer.
    #[inline]
    pub fn integer(&mut self, value: impl itoa::Integer) {
        self.literal(itoa::Buffer::new().format(value));
    }

    /// Appends what `Display` writes, escaped.
    pub fn display(&mut self, value: &(impl fmt::Display + ?Sized)) {
        if write!(Escaping(self), "{value}").is_err() {
            self.failed = true;
        }
    }

    /// Appends the MD5 of the value's JSON with sorted map keys, as 32 hexadecimal digits.
    ///
    /// A value that JSON cannot express (a map with keys that are no strings, say) makes the key
    /// unusable: the call it is for computes without the cache.
    pub fn md5<T: Serialize + ?Sized>(&mut self, value: &T) {
        match digest::md5(value) {
            Ok(digits) => self.literal(&digits),
            Err(error) => {
                crate::foreign::report!(
                warn,
                    r#type = std::any::type_name::<T>(),
                    %error,
                    "a `:md5` value has no JSON form; the call is not cached"
                );
                self.failed = true;
            }
        }
    }

    /// Appends the name of a type, as the compiler writes it.
    pub fn type_name<T: ?Sized>(&mut self) {
        self.escaped(std::any::type_name::<T>());
    }

    /// The key's text so far.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.long.as_deref().unwrap_or(&self.short)
    }

    /// The key's text.
    pub(crate) fn into_string(self) -> String {
        self.long.unwrap_or_else(|| self.short.as_str().to_owned())
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
