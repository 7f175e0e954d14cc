//! Keys for values that Redis cannot read or change, and for names that it cannot read.
//!
//! What is sealed, what it protects from and what not: [the guide](crate::guide::seal).

mod key;
mod keyring;
mod names;

pub use self::{key::SealKey, keyring::Keyring};
pub(crate) use self::{
    keyring::{Cipher, ID, NONCE, TAG},
    names::NameKey,
};
