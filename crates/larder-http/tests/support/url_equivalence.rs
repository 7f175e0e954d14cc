//! Which queries are equivalent by `No-Vary-Search`: section 6 of draft-ietf-httpbis-no-vary-search-10 step by step, and the
//! parser of the URL standard, with none of the crate's code.

fn percent_decode(text: &[u8]) -> Vec<u8> {
    match text {
        [] => Vec::new(),
        [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let digits = String::from_utf8(vec![*high, *low]).unwrap();
            [vec![u8::from_str_radix(&digits, 16).unwrap()], percent_decode(rest)].concat()
        }
        [byte, rest @ ..] => [vec![*byte], percent_decode(rest)].concat(),
    }
}

pub(crate) fn parse_key(text: &str) -> String {
    String::from_utf8_lossy(&percent_decode(text.replace('+', " ").as_bytes())).into_owned()
}

pub(crate) fn parse(query: Option<&str>) -> Vec<(String, String)> {
    let mut list = Vec::new();
    for sequence in query.unwrap_or("").split('&') {
        if sequence.is_empty() {
            continue;
        }
        let (name, value) = match sequence.find('=') {
            Some(at) => (&sequence[..at], &sequence[at + 1..]),
            None => (sequence, ""),
        };
        list.push((parse_key(name), parse_key(value)));
    }
    list
}

pub(crate) fn are_equivalent(
    (params, except, key_order): (Option<&[String]>, Option<&[String]>, bool),
    queries: [Option<&str>; 2],
) -> bool {
    let [one, other] = queries.map(|query| {
        let mut list = parse(query);
        list.retain(|(name, _)| match (params, except) {
            (Some(params), _) => !params.iter().any(|param| parse_key(param) == *name),
            (None, Some(except)) => except.iter().any(|param| parse_key(param) == *name),
            (None, None) => true,
        });
        if key_order {
            list.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
        }
        list
    });
    one == other
}
