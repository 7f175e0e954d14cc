//! Dictionaries and lists of structured fields (RFC 9651, section 3), parsed as strictly as the RFC demands.

use http::HeaderValue;

/// A value of a dictionary, as far as caching needs to tell values apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    Token(String),
    String(String),
    InnerList(Vec<Value>),
    /// A decimal, byte sequence, date or display string.
    Other,
}

/// The members of the dictionary that these lines make together, in their order. A key may stand there several times: the
/// last one counts. None if it is not a dictionary.
pub(crate) fn dictionary<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> Option<Vec<(String, Value)>> {
    members(lines, |parser| {
        let key = parser.key()?;
        let value = if parser.takes(b'=') { parser.member()? } else { Value::Boolean(true) };
        Some((key, value))
    })
}

/// The strings of the list that these lines make together; none if it is not a list of strings.
pub(crate) fn strings<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Vec<String>> {
    members(lines, |parser| match parser.item()? {
        Value::String(string) => Some(string),
        _ => None,
    })
}

/// The members of the list or dictionary that these lines make together, each without its parameters.
fn members<'a, T>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    mut member: impl FnMut(&mut Parser<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let lines: Vec<_> = lines.into_iter().map(HeaderValue::as_bytes).collect();
    let text = lines.join(&b", "[..]);
    let mut parser = Parser { rest: text.trim_ascii() };
    let mut members = Vec::new();
    while !parser.rest.is_empty() {
        members.push(member(&mut parser)?);
        parser.parameters()?;
        parser.blanks();
        if parser.rest.is_empty() {
            break;
        }
        parser.expect(b',')?;
        parser.blanks();
        // A comma at the end is an error.
        parser.rest.first()?;
    }
    Some(members)
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    fn takes(&mut self, byte: u8) -> bool {
        let taken = self.rest.strip_prefix(&[byte]);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.takes(byte).then_some(())
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !wanted(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Optional blanks between members.
    fn blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn key(&mut self) -> Option<String> {
        let first = *self.rest.first()?;
        if !(first.is_ascii_lowercase() || first == b'*') {
            return None;
        }
        let is_of_key =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
        Some(text(self.take_while(is_of_key)))
    }

    /// An item, or an inner list.
    fn member(&mut self) -> Option<Value> {
        if !self.takes(b'(') {
            return self.item();
        }
        let mut items = Vec::new();
        loop {
            self.take_while(|byte| byte == b' ');
            if self.takes(b')') {
                return Some(Value::InnerList(items));
            }
            items.push(self.item()?);
            self.parameters()?;
            if !matches!(self.rest.first()?, b' ' | b')') {
                return None;
            }
        }
    }

    /// Parameters have no meaning in cache directives (RFC 9213, section 2.1), but must be well-formed.
    fn parameters(&mut self) -> Option<()> {
        while self.takes(b';') {
            self.take_while(|byte| byte == b' ');
            self.key()?;
            if self.takes(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    /// A bare item.
    fn item(&mut self) -> Option<Value> {
        match *self.rest.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Value::String),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                let is_of_token =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
                Some(Value::Token(text(self.take_while(is_of_token))))
            }
            b'?' => {
                self.expect(b'?')?;
                let value = self.takes(b'1');
                if !value {
                    self.expect(b'0')?;
                }
                Some(Value::Boolean(value))
            }
            b':' => {
                self.expect(b':')?;
                self.take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                self.expect(b':')?;
                Some(Value::Other)
            }
            b'@' => {
                self.expect(b'@')?;
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// An integer of at most 15 digits, or a decimal of at most 12 with one to three more after the point.
    fn number(&mut self) -> Option<Value> {
        let is_negative = self.takes(b'-');
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        if self.takes(b'.') {
            let fraction = self.take_while(|byte| byte.is_ascii_digit());
            return (digits.len() <= 12 && matches!(fraction.len(), 1..=3)).then_some(Value::Other);
        }
        let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Value::Integer(if is_negative { -number } else { number }))
    }

    fn string(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut string = String::new();
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(string),
                b'\\' => {
                    let (&escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    matches!(escaped, b'"' | b'\\').then(|| string.push(char::from(escaped)))?;
                }
                b' '..=b'~' => string.push(char::from(byte)),
                _ => return None,
            }
        }
    }

    /// `%"…"`: text in which bytes are percent-encoded with hexadecimal digits in lower case.
    fn display_string(&mut self) -> Option<Value> {
        self.expect(b'%')?;
        self.expect(b'"')?;
        let mut bytes = Vec::new();
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return std::str::from_utf8(&bytes).is_ok().then_some(Value::Other),
                b'%' => {
                    let (digits, rest) = self.rest.split_at_checked(2)?;
                    self.rest = rest;
                    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                    digits.iter().all(is_digit).then_some(())?;
                    bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                }
                b' '..=b'~' => bytes.push(byte),
                _ => return None,
            }
        }
    }
}

/// Text of bytes that were found to be ASCII.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> Option<Vec<(String, Value)>> {
        let lines: Vec<_> =
            lines.iter().map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap()).collect();
        dictionary(&lines)
    }

    fn values(line: &str) -> Vec<Value> {
        parsed(&[line]).unwrap().into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn members_have_types() {
        use Value::{Boolean, InnerList, Integer, Other};
        assert_eq!(values("a, b=?0, c=?1"), [Boolean(true), Boolean(false), Boolean(true)]);
        assert_eq!(values("a=60,b=-1 \t,\t c=0060"), [Integer(60), Integer(-1), Integer(60)]);
        assert_eq!(values("a=999999999999999"), [Integer(999_999_999_999_999)]);
        assert_eq!(
            values(r#"a=x/y:z, b="x, \"y\"""#),
            [Value::Token("x/y:z".into()), Value::String("x, \"y\"".into())]
        );
        assert_eq!(values("a=1.5, b=:aGk=:, c=@12, d=%\"%c3%bc\""), vec![Other; 4]);
        let items = vec![Value::Token("a".into()), Value::String("b".into()), Integer(1)];
        assert_eq!(values("a=(a \"b\";x 1), b=()"), [InnerList(items), InnerList(Vec::new())]);
        assert_eq!(values("a=1;x;y=2; z=\"3\", b;q=1"), [Integer(1), Boolean(true)]);
    }

    #[test]
    fn lines_are_one_dictionary() {
        let members = parsed(&["a=1", "b, a=2"]).unwrap();
        let keys: Vec<_> = members.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "a"]);
        assert_eq!(parsed(&[""]), Some(Vec::new()));
        assert_eq!(parsed(&[]), Some(Vec::new()));
    }

    #[test]
    fn everything_else_is_an_error() {
        for line in [
            "A",
            "a b",
            "a =1",
            "a= 1",
            "a=",
            "a,",
            "a,,b",
            ",a",
            "a, &",
            "a=&",
            "a=1.",
            "a=1.2345",
            "a=--1",
            "a=1234567890123456",
            "a=\"x",
            "a=\"\\x\"",
            "a=\"ü\"",
            "a=?2",
            "a=:x",
            "a=@x",
            "a=@1.5",
            "a=(x",
            "a=(x,y)",
            "a=(\"x\"\"y\")",
            "a;",
            "a;X",
            "a=%\"%C3\"",
            "a=%\"%c3\"",
            "a=%x",
            "a\u{a0}",
            "1=a",
            "\"a\"",
            "a=60s, b",
        ] {
            // A token may follow digits in no valid item.
            assert_eq!(parsed(&[line]), None, "{line}");
        }
    }
}
