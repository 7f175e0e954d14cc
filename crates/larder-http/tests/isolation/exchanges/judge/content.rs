//! Whether what a client got is what was made, whole or in part.

use crate::exchanges::{
    asked::{Answer, Ask},
    origin::Made,
};

/// Whether an answer has the content of a response, or the part of it that was asked for.
pub(super) fn judge_content(made: &Made, ask: &Ask, answer: &Answer) -> Result<(), String> {
    let whole = &made.body;
    if ask.method == "HEAD" {
        let length = answer.text("content-length").map(|length| length.parse::<usize>().unwrap());
        let is_right = answer.body.as_ref().is_some_and(|body| body.is_empty())
            && length.is_none_or(|length| made.method == "HEAD" || length == whole.len());
        return if is_right { Ok(()) } else { Err("the content of a HEAD".into()) };
    }
    let is_part = matches!(answer.status, 206 | 416) && made.status == 200;
    if !is_part && answer.status != made.status {
        return Err(format!("the status is {}, not {}", answer.status, made.status));
    }
    let Some(body) = &answer.body else {
        return if made.is_whole { Err("broken off".into()) } else { Ok(()) };
    };
    if !made.is_whole {
        return Err("cut off, and none the wiser".into());
    }
    if !is_part {
        return if body == whole { Ok(()) } else { Err("another body".into()) };
    }
    let range = ask.header("range").ok_or("a part that was not asked for")?;
    let content_range = answer.text("content-range");
    let condition = ask.header("if-range");
    if condition
        .is_some_and(|tag| tag.contains('"') && made.head.etag.as_deref().is_some_and(|etag| etag != tag))
    {
        return Err("a part of another version".into());
    }
    let (length, is_multiple) = (whole.len(), range.contains(','));
    let expected = match (range, answer.status) {
        (_, 416) => {
            return if body.is_empty() && content_range == Some(format!("bytes */{length}")) {
                Ok(())
            } else {
                Err("416".into())
            };
        }
        _ if is_multiple => return Ok(()),
        ("bytes=0-2", _) => 0..length.min(3),
        ("bytes=1-", _) => 1..length,
        ("bytes=-2", _) => length.saturating_sub(2)..length,
        _ => return Err("a part of nothing".into()),
    };
    let told = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
    let is_right = *body == whole.slice(expected) && content_range == Some(told);
    if is_right { Ok(()) } else { Err("another part".into()) }
}
