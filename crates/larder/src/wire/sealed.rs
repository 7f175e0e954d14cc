//! Sealed messages: encrypted, and bound to the name under which they are stored.
//!
//! `docs/wire-format.md` has them byte by byte. A whole message of the format without a seal is inside, so that nothing of
//! its header can be seen or changed; outside is what a reader needs to open it, and the epoch, which a script on the
//! server compares. Nothing inside is looked at before all of it is known to be authentic.

use super::{
    header::{MAGIC, SEALED, VERSION},
    limits::Limits,
    reason::{Rejected, Unencodable},
};
use crate::seal::{Cipher, ID, Keyring, NONCE, TAG};

/// The parts of the head, in bytes: what every message begins with, the ID of the key, the epoch, and the nonce.
const KEY: usize = 4;
const EPOCH: usize = KEY + ID;
const EPOCH_END: usize = EPOCH + 8;
const HEAD: usize = EPOCH_END + NONCE;

/// How much longer a message is when it is sealed.
pub(crate) const OVERHEAD: usize = HEAD + TAG;

/// Seals a message that is to be stored under this name.
///
/// # Errors
///
/// If the operating system gives no random numbers.
pub(crate) fn seal(keyring: &Keyring, name: &str, message: &[u8]) -> Result<Vec<u8>, Unencodable> {
    let nonce = Cipher::nonce().ok_or_else(|| refused("the operating system gave no random numbers"))?;
    seal_with(keyring.keys().writing(), nonce, name, message)
}

fn refused(why: &'static str) -> Unencodable {
    Unencodable::by_codec("a sealed message", why)
}

fn seal_with(
    cipher: &Cipher,
    nonce: [u8; NONCE],
    name: &str,
    message: &[u8],
) -> Result<Vec<u8>, Unencodable> {
    let mut sealed = Vec::with_capacity(message.len() + OVERHEAD);
    sealed.extend_from_slice(&MAGIC);
    sealed.push(SEALED);
    sealed.extend_from_slice(cipher.id());
    sealed.extend_from_slice(&message[EPOCH..EPOCH_END]);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(message);
    let (head, text) = sealed.split_at_mut(HEAD);
    let tag = cipher.encrypt(&nonce, &associated(head, name), text);
    sealed.extend_from_slice(&tag.ok_or_else(|| refused("it is too long to be encrypted"))?);
    Ok(sealed)
}

/// The message in a sealed one that was found under this name.
///
/// # Errors
///
/// If it was not sealed under this name with one of these keys, to the last bit.
pub(crate) fn open(
    keyring: &Keyring,
    name: &str,
    mut sealed: Vec<u8>,
    limits: &Limits,
) -> Result<Vec<u8>, Rejected> {
    if sealed.len() > limits.largest_stored.saturating_add(OVERHEAD) {
        return Err(Rejected::TooLarge);
    }
    match sealed.split_first_chunk() {
        Some((&[a, b, c, version], _)) if [a, b, c] == MAGIC => match version {
            SEALED => {}
            VERSION => return Err(Rejected::Unsealed),
            _ => return Err(Rejected::Version),
        },
        _ => return Err(Rejected::Magic),
    }
    let Some(end) = sealed.len().checked_sub(TAG).filter(|&end| end >= HEAD) else {
        return Err(Rejected::Truncated);
    };
    let keys = keyring.keys();
    let cipher = keys.of_id(&sealed[KEY..EPOCH]).ok_or(Rejected::UnknownKey)?;
    let (head, rest) = sealed.split_at_mut(HEAD);
    let (text, tag) = rest.split_at_mut(end - HEAD);
    let nonce = head[EPOCH_END..].try_into().expect("the head ends with a nonce");
    let tag = (&*tag).try_into().expect("a tag is what is left");
    if !cipher.decrypt(nonce, &associated(head, name), text, tag) {
        return Err(Rejected::NotAuthentic);
    }
    sealed.truncate(end);
    sealed.drain(..HEAD);
    Ok(sealed)
}

/// What is authenticated and not encrypted: the head up to the nonce, and the name in Redis, which has the prefix, the
/// namespace and the key in it.
fn associated(head: &[u8], name: &str) -> Vec<u8> {
    [&head[..EPOCH_END], name.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
