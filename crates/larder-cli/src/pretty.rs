//! JSON with line ends, and its numbers and the order of its fields as they are.

/// Lays out a valid JSON text. Parsing it would round numbers that are large, and sort its fields.
pub(crate) fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    let mut symbols = json.chars().peekable();
    let new_line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    while let Some(symbol) = symbols.next() {
        if in_string {
            match symbol {
                // What controls a terminal, or turns the direction of text, and JSON need not escape.
                '\u{7f}'..='\u{9f}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    text.push_str(&format!("\\u{:04x}", u32::from(symbol)));
                }
                _ => text.push(symbol),
            }
            (escaped, in_string) = match symbol {
                _ if escaped => (false, true),
                '\\' => (true, true),
                '"' => (false, false),
                _ => (false, true),
            };
            continue;
        }
        match symbol {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                text.push(symbol);
                while symbols.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = symbols.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(symbol);
            }
            ',' => {
                text.push(symbol);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            '"' => {
                in_string = true;
                text.push(symbol);
            }
            _ => text.push(symbol),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let json = r#"{"z":[1,{}, [ ]],"a":"x{,:\"y\\","n":340282366920938463463374607431768211455}"#;
        let expected = "{\n  \"z\": [\n    1,\n    {},\n    []\n  ],\n  \"a\": \"x{,:\\\"y\\\\\",\n  \
                        \"n\": 340282366920938463463374607431768211455\n}";
        assert_eq!(pretty(json), expected);
        assert_eq!(pretty("7"), "7");
        assert_eq!(pretty("\"\u{9b}2J\u{202e}\""), r#""\u009b2J\u202e""#);
    }
}
