//! A line of the file: a key and its value.

use std::time::Duration;

use larder::{
    Scope, ScopeHash,
    internal::{inspect::OutsideValue, own_scopes},
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a line has to be.
const FORM: &str = r#"a line is an object: {"key": "user:7", "value": {"id": 7, "name": "Ada"}, "ttl": 300}; "tags" and "from" are lists of texts, and may be missing"#;

/// What is wrong with a line, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongLine {
    pub(super) text: String,
    pub(super) mend: String,
}

impl WrongLine {
    fn new(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { text: text.into(), mend: mend.into() }
    }

    /// No process could read it.
    pub(super) fn refused(error: &larder::Error) -> Self {
        Self::new(error.to_string(), "leave it out: a process would not store it either")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: String,
    value: Box<RawValue>,
    #[serde(default)]
    ttl: Option<Ttl>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    from: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ttl {
    Seconds(f64),
    Text(String),
}

/// Reads a line; none of an empty one. `ttl` is that of lines without one.
pub(super) fn read(text: &[u8], ttl: Option<Duration>) -> Result<Option<OutsideValue>, WrongLine> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let written: Written = serde_json::from_slice(text).map_err(|error| {
        let said = error.to_string();
        let said = said.rsplit_once(" at line ").map_or(&*said, |(said, _)| said);
        WrongLine::new(format!("column {}: {said}", error.column()), FORM)
    })?;
    let ttl = match written.ttl {
        Some(Ttl::Seconds(seconds)) => of_seconds(seconds),
        Some(Ttl::Text(text)) => duration(&text),
        None => ttl.ok_or_else(|| "it has no \"ttl\"".to_owned()),
    };
    let ttl = ttl.map_err(|text| {
        WrongLine::new(text, "write \"ttl\" in seconds, or as \"5m\"; or give those without one --ttl 5m")
    })?;
    Ok(Some(OutsideValue {
        key: written.key,
        json: written.value.get().to_owned(),
        ttl,
        tags: written.tags,
        sources: sources(&written.from)?,
    }))
}

/// The scopes of keys that a value was made from: what is invalidated with them, it is too.
fn sources(texts: &[String]) -> Result<Vec<ScopeHash>, WrongLine> {
    let mut scopes = Vec::new();
    for text in texts {
        let before = text.strip_suffix('*').unwrap_or(text);
        match () {
            () if !text.contains('*') => scopes.extend(own_scopes(text).into_iter().map(|(scope, _)| scope)),
            () if before.ends_with(':') && !before.contains('*') => scopes.push(Scope::prefix(before).hash()),
            () => {
                return Err(WrongLine::new(
                    format!("\"from\" has {text:?}: a `*` stands only at the end, after a `:`"),
                    "name keys, and prefixes as PREFIX:*",
                ));
            }
        }
    }
    Ok(scopes)
}

/// `90`, `90s`, `5m`, `2h`, `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(format!("{text:?} is no time: write 90, 90s, 5m, 2h or 1d")),
    };
    let number: f64 =
        number.trim().parse().map_err(|_| format!("{text:?} is no time: write 90, 90s, 5m, 2h or 1d"))?;
    of_seconds(number * seconds)
}

fn of_seconds(seconds: f64) -> Result<Duration, String> {
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| duration.as_millis() > 0);
    duration.ok_or_else(|| format!("a \"ttl\" of {seconds} s: it has to be above zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<OutsideValue>, WrongLine> {
        read(text.as_bytes(), None)
    }

    #[test]
    fn lines() {
        let value = of(
            r#"{"ttl":"5m","key":"user:7","value":{"b": 1.50, "a":[]},"tags":["t"],"from":["a:b","c:*"]}"#,
        );
        let value = value.expect("it is right").expect("it is one");
        assert_eq!((&*value.key, &*value.json), ("user:7", r#"{"b": 1.50, "a":[]}"#), "as it is written");
        assert_eq!((value.ttl, &value.tags[..]), (Duration::from_secs(300), &["t".to_owned()][..]));
        let expected =
            [Scope::key("a:b"), Scope::prefix("a:"), Scope::prefix("c:")].map(|scope| scope.hash());
        assert_eq!(value.sources, expected);
        for empty in ["", "  \r", "\u{feff}"] {
            assert!(of(empty).expect("it is right").is_none());
        }
        let by_option = read(br#"{"key":"a","value":null}"#, Some(Duration::from_secs(1)));
        assert_eq!(by_option.expect("it is right").expect("it is one").json, "null");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("{", "column 1: EOF"),
            ("[1]", "column"),
            (r#"{"key":"a","value":1} x"#, "column 23: trailing"),
            (r#"{"key":"a","value":1,"ttl":1,"tll":1}"#, "unknown field `tll`"),
            (r#"{"key":7,"value":1,"ttl":1}"#, "column 8: invalid type"),
            (r#"{"value":1,"ttl":1}"#, "missing field `key`"),
            (r#"{"key":"a","ttl":1}"#, "missing field `value`"),
            (r#"{"key":"a","value":1}"#, "it has no \"ttl\""),
            (r#"{"key":"a","value":1,"ttl":0}"#, "above zero"),
            (r#"{"key":"a","value":1,"ttl":-1}"#, "above zero"),
            (r#"{"key":"a","value":1,"ttl":"5 weeks"}"#, "is no time"),
            (r#"{"key":"a","value":1,"ttl":1,"from":["a*b"]}"#, "a `*` stands only at the end"),
            ("{\"key\":\"a\u{0}\",\"value\":1}", "control character"),
        ] {
            let wrong = of(text).expect_err(text);
            assert!(wrong.text.contains(words) && !wrong.mend.is_empty(), "{text}: {wrong:?}");
            assert!(!wrong.text.contains("line 1"), "{wrong:?}");
        }
    }

    #[test]
    fn times() {
        for (text, millis) in [
            ("90", 90_000),
            ("1.5s", 1_500),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("20ms", 20),
        ] {
            assert_eq!(duration(text).map(|duration| duration.as_millis()), Ok(millis));
        }
        for text in ["", "m", "0", "-5m", "5 m m", "1e400", "nan", "5é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
