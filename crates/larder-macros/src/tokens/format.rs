//! Names inside the text that a formatting macro is given.

use proc_macro2::{Literal, TokenStream, TokenTree};

/// Macros that format a text, and how many arguments stand in front of it at least.
const FORMATTING: [(&str, usize); 31] = [
    ("format", 0),
    ("format_args", 0),
    ("print", 0),
    ("println", 0),
    ("eprint", 0),
    ("eprintln", 0),
    ("panic", 0),
    ("todo", 0),
    ("unimplemented", 0),
    ("unreachable", 0),
    ("write", 1),
    ("writeln", 1),
    ("assert", 1),
    ("debug_assert", 1),
    ("assert_eq", 2),
    ("assert_ne", 2),
    ("debug_assert_eq", 2),
    ("debug_assert_ne", 2),
    // log and tracing
    ("log", 0),
    ("event", 0),
    ("trace", 0),
    ("debug", 0),
    ("info", 0),
    ("warn", 0),
    ("error", 0),
    // anyhow and eyre
    ("anyhow", 0),
    ("bail", 0),
    ("ensure", 1),
    ("eyre", 0),
    ("format_err", 0),
    ("context", 0),
];

/// Puts one name in the place of another in the text that the macro of this name formats. All other literals stay as they
/// are.
pub(super) fn rename_captured(macro_name: &str, tokens: TokenStream, name: &str, by: &str) -> TokenStream {
    let Some((_, before)) = FORMATTING.iter().find(|(known, _)| *known == macro_name) else {
        return tokens;
    };
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    if let Some(at) = text_at(&tokens, *before)
        && let TokenTree::Literal(text) = &mut tokens[at]
        && let Some(renamed) = renamed(&text.to_string(), name, by)
        && let Ok(mut renamed) = renamed.parse::<Literal>()
    {
        renamed.set_span(text.span());
        *text = renamed;
    }
    tokens.into_iter().collect()
}

/// Where the first argument is that is no more than a text, after so many others.
fn text_at(tokens: &[TokenTree], before: usize) -> Option<usize> {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',');
    let mut begin = 0;
    for (at, argument) in tokens.split(is_comma).enumerate() {
        if let ([TokenTree::Literal(text)], true) = (argument, at >= before)
            && is_text(text)
        {
            return Some(begin);
        }
        begin += argument.len() + 1;
    }
    None
}

fn is_text(literal: &Literal) -> bool {
    let text = literal.to_string();
    text.starts_with('"') || text.starts_with("r\"") || text.starts_with("r#")
}

/// The text with another name in its placeholders, if there is one to change. `{{` is a brace.
fn renamed(text: &str, name: &str, by: &str) -> Option<String> {
    let (mut renamed, mut rest) = (String::new(), text);
    let mut found = false;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at + 1);
        renamed.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('{') {
            renamed.push('{');
            rest = after;
        } else if let Some(after) = rest.strip_prefix(name)
            && after.trim_start().starts_with(['}', ':'])
        {
            renamed.push_str(by);
            rest = after;
            found = true;
        }
    }
    renamed.push_str(rest);
    found.then_some(renamed)
}
