//! The key of what is kept.

use std::{cmp::Ordering, fmt, ops::Deref, sync::Arc};

use super::text::same;

/// The longest key that lies in place: with its length, it fills three words.
const IN_PLACE: usize = Length::ALL.len() - 1;

/// The length of a key that lies in place. As a number it would take a byte more to tell such a key from a longer one, and a
/// comparison more in each hit, with what there is room for.
#[derive(Clone, Copy)]
#[repr(u8)]
#[rustfmt::skip]
enum Length {
    L0, L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11,
    L12, L13, L14, L15, L16, L17, L18, L19, L20, L21, L22, L23,
}

impl Length {
    #[rustfmt::skip]
    const ALL: [Self; 24] = [
        Self::L0, Self::L1, Self::L2, Self::L3, Self::L4, Self::L5, Self::L6, Self::L7, Self::L8, Self::L9, Self::L10, Self::L11,
        Self::L12, Self::L13, Self::L14, Self::L15, Self::L16, Self::L17, Self::L18, Self::L19, Self::L20, Self::L21, Self::L22, Self::L23,
    ];
}

/// A key that is kept with what lies under it: in place if it is short, as most are. So a look at it goes to memory that
/// was looked at already, and it takes no allocation.
#[derive(Clone)]
pub(crate) struct KeptKey(Text);

#[derive(Clone)]
enum Text {
    /// Its length, and its text at the beginning of these bytes.
    Short(Length, [u8; IN_PLACE]),
    Long(Arc<str>),
}

const _: () = assert!(size_of::<KeptKey>() == 24, "a key in place takes three words");

impl KeptKey {
    /// The bytes of its text. The text itself ([`Deref`]) takes a look at each of them.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short(length, bytes) => &bytes[..*length as usize],
            Text::Long(text) => text.as_bytes(),
        }
    }

    /// Whether it is the one with this text: a part of each hit.
    #[inline]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        same(self.as_bytes(), text)
    }

    /// Its text as others keep it. That of a short one is made anew.
    pub(crate) fn to_shared(&self) -> Arc<str> {
        match &self.0 {
            Text::Short(..) => (**self).into(),
            Text::Long(text) => text.clone(),
        }
    }

    fn short(text: &str) -> Option<Self> {
        let mut bytes = [0; IN_PLACE];
        let length = *Length::ALL.get(text.len())?;
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self(Text::Short(length, bytes)))
    }
}

impl Deref for KeptKey {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Short(..) => str::from_utf8(self.as_bytes()).expect("it was made from a text"),
            Text::Long(text) => text,
        }
    }
}

/// A long one is shared.
impl From<&Arc<str>> for KeptKey {
    fn from(text: &Arc<str>) -> Self {
        Self::short(text).unwrap_or_else(|| Self(Text::Long(text.clone())))
    }
}

impl From<&str> for KeptKey {
    fn from(text: &str) -> Self {
        Self::short(text).unwrap_or_else(|| Self(Text::Long(text.into())))
    }
}

impl PartialEq for KeptKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for KeptKey {}

impl PartialOrd for KeptKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As texts are ordered: by their bytes.
impl Ord for KeptKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each length on both sides of what lies in place, of letters of one to four bytes.
    #[test]
    fn a_key_is_the_text_that_it_was_made_from() {
        for letter in ["a", "é", "€", "🦀"] {
            for count in 0..=2 * IN_PLACE {
                let text = letter.repeat(count);
                for key in [KeptKey::from(&*text), KeptKey::from(&Arc::from(&*text))] {
                    assert_eq!((&*key, key.as_bytes()), (&*text, text.as_bytes()));
                    assert_eq!((&*key.to_shared(), &*key.clone()), (&*text, &*text));
                    assert_eq!(matches!(key.0, Text::Short(..)), text.len() <= IN_PLACE, "{text}");
                    assert!(key == KeptKey::from(&*text) && key.is(text.as_bytes()));
                    for other in [format!("{text}\0"), "b".repeat(text.len() + usize::from(text.is_empty()))]
                    {
                        assert!(key != KeptKey::from(&*other) && !key.is(other.as_bytes()), "{text} {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn keys_are_ordered_as_their_texts() {
        let texts = ["", "\0", "a", "a\0", "b", "a key that lies elsewhere", "a key that lies elsewhere too"];
        for (one, other) in texts.into_iter().flat_map(|one| texts.map(|other| (one, other))) {
            assert_eq!(KeptKey::from(one).cmp(&KeptKey::from(other)), one.cmp(other), "{one} {other}");
        }
    }
}
