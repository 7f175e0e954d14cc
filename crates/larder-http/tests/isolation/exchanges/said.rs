//! Random fields that say how a response may be cached, each with its meaning by RFC 9111, section 5.2.2 and RFC 9213: known
//! from how it was put together, and not from reading it.

use std::fmt;

use fastrand::Rng;

/// What `Cache-Control` or a targeted field means: what forbids counts however it is written, what permits only where it is
/// written as it should be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meaning {
    pub(crate) no_store: bool,
    pub(crate) private: bool,
    pub(crate) no_cache: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) is_public: bool,
    pub(crate) permits_must_revalidate: bool,
    pub(crate) permits_s_maxage: bool,
    pub(crate) permits_must_understand: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) s_maxage: Option<u64>,
    pub(crate) swr: Option<u64>,
    pub(crate) sie: Option<u64>,
    /// Whether the qualified forms of `private` and `no-cache` name `X-User`.
    pub(crate) private_names_user: bool,
    /// Whether `private` names anything.
    pub(crate) names_private: bool,
    pub(crate) no_cache_names_user: bool,
    /// Whether it is written as the RFC demands, so that it has exactly this meaning and no stricter one.
    pub(crate) is_well_formed: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Field {
    pub(crate) lines: Vec<String>,
    pub(crate) meaning: Meaning,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.fmt(f)
    }
}

const FLAGS: [&str; 8] = [
    "no-store",
    "private",
    "no-cache",
    "must-revalidate",
    "proxy-revalidate",
    "public",
    "must-understand",
    "immutable",
];
const TIMES: [&str; 4] = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"];
const SECONDS: [u64; 6] = [0, 1, 10, 30, 60, 600];

/// One directive: its text, and the way it is written.
fn directive(rng: &mut Rng, meaning: &mut Meaning, behind_quote: bool) -> String {
    match rng.u8(..100) {
        0..55 => time(rng, meaning, behind_quote),
        55..90 => flag(rng, meaning, behind_quote),
        90..94 if !behind_quote => {
            let (name, field) = (rng.choice(["private", "no-cache"]).unwrap(), "x-user");
            match name {
                "private" => (meaning.private_names_user, meaning.names_private) = (true, true),
                _ => meaning.no_cache_names_user = true,
            }
            match rng.u8(..3) {
                0 => format!("{name}=\"{field}\""),
                1 => format!("{}=\" {} , x-other\"", name.to_ascii_uppercase(), field.to_ascii_uppercase()),
                _ => format!("{name}=\"x-other,{field}\""),
            }
        }
        // What is quoted is no directive.
        94..97 => "x=\"no-store, private, max-age=1, public\"".to_owned(),
        _ => rng.choice(["", "x", "x=1", "community=\"UCI\"", "\"\"", "=", "x=\"\\\"\""]).map_or(
            String::new(),
            |odd| {
                if matches!(odd, "\"\"" | "=") {
                    meaning.is_well_formed = false;
                }
                odd.to_owned()
            },
        ),
    }
}

fn flag(rng: &mut Rng, meaning: &mut Meaning, behind_quote: bool) -> String {
    // What lets a response be stored more often than what does not.
    let name = if rng.bool() { FLAGS[rng.usize(3..FLAGS.len())] } else { FLAGS[rng.usize(..FLAGS.len())] };
    let (text, is_exact) = match rng.u8(..20) {
        0 => (format!("{name}; x=1"), false),
        1 => (format!("{name} = 1"), false),
        2 if name != "private" && name != "no-cache" => (format!("{name}=bad"), true),
        3 => (name.to_ascii_uppercase(), true),
        4 => (format!("{name} x"), false),
        _ => (name.to_owned(), true),
    };
    let is_plain = is_exact && !text.contains('=') && !behind_quote;
    meaning.is_well_formed &= is_exact;
    match name {
        "no-store" => meaning.no_store = true,
        "private" => meaning.private = true,
        "no-cache" => meaning.no_cache = true,
        "must-revalidate" => {
            meaning.must_revalidate = true;
            meaning.permits_must_revalidate |= is_plain;
        }
        "proxy-revalidate" => meaning.proxy_revalidate = true,
        "public" => meaning.is_public |= is_plain,
        "must-understand" => {
            meaning.must_understand = true;
            meaning.permits_must_understand |= is_plain;
        }
        _ => {}
    }
    text
}

fn time(rng: &mut Rng, meaning: &mut Meaning, behind_quote: bool) -> String {
    let name = if rng.bool() { "max-age" } else { TIMES[rng.usize(..TIMES.len())] };
    let seconds = if rng.bool() { 60 } else { SECONDS[rng.usize(..SECONDS.len())] };
    // None where it is not a number.
    let (text, value, is_well_formed) = match rng.u8(..40) {
        0 => (format!("{name}=\"{seconds}\""), Some(seconds), true),
        1 => (format!("{name}={seconds}s"), None, true),
        2 => (format!("{name}= {seconds}"), None, false),
        3 => (format!("{name} ={seconds}"), None, false),
        4 => (format!("{name}=-{seconds}"), None, true),
        5 => (name.to_owned(), None, true),
        6 => (format!("{name}=0{seconds}"), Some(seconds), true),
        7 => (format!("{name}={seconds}.0"), None, true),
        8 => (format!("{name}=99999999999999999999"), Some(u64::from(u32::MAX)), true),
        9 => (format!("{}={seconds}", name.to_ascii_uppercase()), Some(seconds), true),
        10 => (format!("{name}={seconds}; x=1"), None, false),
        11 => (format!("{name}='{seconds}'"), None, true),
        _ => (format!("{name}={seconds}"), Some(seconds), true),
    };
    meaning.is_well_formed &= is_well_formed;
    let is_token = value.is_some() && !text.contains('"') && !behind_quote;
    let known = match name {
        "max-age" => &mut meaning.max_age,
        "s-maxage" => &mut meaning.s_maxage,
        "stale-while-revalidate" => &mut meaning.swr,
        _ => &mut meaning.sie,
    };
    let is_first = known.is_none();
    // Section 4.2.1: what is invalid or contradicts itself is stale. (Behind an open quote it may be read either way.)
    *known = Some(match *known {
        Some(other) if value != Some(other) => 0,
        _ => value.unwrap_or(0),
    });
    if name == "s-maxage" {
        let agrees = *known == value;
        meaning.permits_s_maxage = is_token && agrees && (is_first || meaning.permits_s_maxage);
    }
    text
}

/// A random `Cache-Control`.
pub(crate) fn cache_control(rng: &mut Rng) -> Field {
    let mut meaning = Meaning { is_well_formed: true, ..Meaning::default() };
    let mut lines = vec![String::new()];
    let mut behind_quote = false;
    for n in 0..rng.usize(1..4) {
        if n > 0 {
            if rng.u8(..8) == 0 {
                lines.push(String::new());
            } else {
                let comma = rng.choice([",", ", ", " ,\t", ",,"]).unwrap();
                lines.last_mut().unwrap().push_str(comma);
            }
        }
        let text = if rng.u8(..60) == 0 {
            (behind_quote, meaning.is_well_formed) = (true, false);
            "x=\"a".to_owned()
        } else {
            directive(rng, &mut meaning, behind_quote)
        };
        lines.last_mut().unwrap().push_str(&text);
    }
    if !meaning.is_well_formed {
        // Nothing permits more than usual in a field that is not well-formed.
        (meaning.is_public, meaning.permits_s_maxage) = (false, false);
        (meaning.permits_must_revalidate, meaning.permits_must_understand) = (false, false);
    }
    Field { lines, meaning }
}

/// A random targeted field. It has no meaning if it is not valid, except that it forbids.
pub(crate) fn targeted(rng: &mut Rng) -> Field {
    let mut meaning = Meaning { is_well_formed: true, ..Meaning::default() };
    let mut members = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let parameter = if rng.u8(..8) == 0 { ";a=b" } else { "" };
        let name = if rng.bool() { TIMES[rng.usize(..TIMES.len())] } else { FLAGS[rng.usize(..FLAGS.len())] };
        if TIMES.contains(&name) {
            let seconds = SECONDS[rng.usize(..SECONDS.len())];
            // The last one counts.
            *match name {
                "max-age" => &mut meaning.max_age,
                "s-maxage" => &mut meaning.s_maxage,
                "stale-while-revalidate" => &mut meaning.swr,
                _ => &mut meaning.sie,
            } = Some(seconds);
            meaning.permits_s_maxage |= name == "s-maxage";
            members.push(format!("{name}={seconds}{parameter}"));
            continue;
        }
        match name {
            "no-store" => meaning.no_store = true,
            "private" => meaning.private = true,
            "no-cache" => meaning.no_cache = true,
            "must-revalidate" => (meaning.must_revalidate, meaning.permits_must_revalidate) = (true, true),
            "proxy-revalidate" => meaning.proxy_revalidate = true,
            "public" => meaning.is_public = true,
            "must-understand" => (meaning.must_understand, meaning.permits_must_understand) = (true, true),
            _ => {}
        }
        members.push(format!("{name}{parameter}"));
    }
    if rng.u8(..4) == 0 {
        members.push(
            rng.choice(["", "&", "Max-Age=60", "max-age=\"60\"", "max-age=60s", "public=1"])
                .unwrap()
                .to_owned(),
        );
        meaning.is_well_formed = false;
    }
    Field { lines: vec![members.join(", ")], meaning }
}

impl Meaning {
    /// What is left of it in a private cache.
    pub(crate) fn in_private_cache(self) -> Self {
        Self {
            private: false,
            s_maxage: None,
            permits_s_maxage: false,
            proxy_revalidate: false,
            private_names_user: false,
            ..self
        }
    }

    /// What counts of all fields of a response (RFC 9213, section 2.2), and whether that is a targeted one, and which.
    pub(crate) fn of(own: Option<&Field>, cdn: Option<&Field>, cache_control: &Field) -> (Self, Counting) {
        let (mut forbidden, mut found) = (Self::default(), None);
        for (field, which) in [(own, Counting::Own), (cdn, Counting::Targeted)] {
            let Some(field) = field else { continue };
            if field.meaning.is_well_formed {
                found = Some((field, which));
                break;
            }
            forbidden.no_store |= field.meaning.no_store;
            forbidden.private |= field.meaning.private;
            forbidden.no_cache |= field.meaning.no_cache;
        }
        let (field, which) = found.unwrap_or((cache_control, Counting::CacheControl));
        let mut meaning = field.meaning.clone();
        meaning.permits_must_understand &= !forbidden.no_store;
        meaning.no_store |= forbidden.no_store;
        meaning.private |= forbidden.private;
        meaning.no_cache |= forbidden.no_cache;
        (meaning, which)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    Own,
    Targeted,
    CacheControl,
}
