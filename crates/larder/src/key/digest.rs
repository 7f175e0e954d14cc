//! `<value:md5>`: a digest that is the same for equal values, whatever order their maps iterate in.

use arrayvec::ArrayString;
use md5::{Digest, Md5};
use serde::Serialize;

/// The MD5 ([RFC 1321](https://www.rfc-editor.org/rfc/rfc1321)) of the value's JSON with sorted map
/// keys, as hexadecimal digits.
///
/// MD5 because it is short and known everywhere; a key is no place for a secret, so what it must
/// resist is accident.
pub(super) fn md5<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<ArrayString<32>> {
    let canonical = canonical(&serde_json::to_string(value)?);
    let mut digits = ArrayString::new();
    for byte in Md5::digest(canonical.as_bytes()) {
        for nibble in [byte >> 4, byte & 15] {
            digits.push(char::from_digit(nibble.into(), 16).expect("a nibble is a hexadecimal digit"));
        }
    }
    Ok(digits)
}

/// A JSON text with the members of its objects in the order of their names, and no spaces.
pub(super) fn canonical(json: &str) -> String {
    let mut canonical = String::with_capacity(json.len());
    let rest = copy_sorted(json, &mut canonical);
    debug_assert!(rest.is_empty(), "one JSON value was serialized");
    canonical
}

/// Copies the JSON value at the start of `json` with the members of its objects in the order of their
/// names, and returns what follows it.
///
/// Works on serde_json's own output (compact, but for what a `RawValue` brings along), text to text: going through `serde_json::Value` would
/// round numbers, and print them differently by which of its features another crate turned on.
fn copy_sorted<'a>(json: &'a str, out: &mut String) -> &'a str {
    let json = json.trim_ascii_start();
    let rest = match json.as_bytes().first() {
        Some(b'{') => copy_object(&json[1..], out),
        Some(b'[') => copy_array(&json[1..], out),
        _ => {
            let (scalar, rest) = json.split_at(scalar_length(json));
            out.push_str(scalar);
            rest
        }
    };
    rest.trim_ascii_start()
}

fn copy_object<'a>(mut json: &'a str, out: &mut String) -> &'a str {
    let mut members = Vec::new();
    json = json.trim_ascii_start();
    while !json.starts_with('}') {
        let (name, rest) = json.split_at(scalar_length(json));
        let mut value = String::new();
        // Behind the colon.
        json = copy_sorted(&rest.trim_ascii_start()[1..], &mut value);
        json = json.strip_prefix(',').unwrap_or(json).trim_ascii_start();
        members.push((name, value));
    }
    members.sort();
    out.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        out.extend([comma, name, ":", value]);
    }
    out.push('}');
    &json[1..]
}

fn copy_array<'a>(mut json: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    json = json.trim_ascii_start();
    while !json.starts_with(']') {
        json = copy_sorted(json, out);
        if let Some(rest) = json.strip_prefix(',') {
            out.push(',');
            json = rest;
        }
    }
    out.push(']');
    &json[1..]
}

/// The length of the string, number or word at the start of `json`.
fn scalar_length(json: &str) -> usize {
    let bytes = json.as_bytes();
    if bytes.first() != Some(&b'"') {
        return bytes.iter().position(|byte| b",:]} \t\r\n".contains(byte)).unwrap_or(bytes.len());
    }
    let mut end = 1;
    while bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}
