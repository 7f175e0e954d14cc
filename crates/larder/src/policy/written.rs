//! Policies as configuration files have them: `ttl = "5m"`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Lock, Policy};

/// What is written, without what is as it would be anyhow.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Policy", deny_unknown_fields)]
struct Written {
    ttl: Length,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adaptive_to: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stale_while_revalidate: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stale_if_error: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_ahead: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_ttl: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    negative_ttl: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_err: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Length>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<WrittenLock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    detached: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    spawn: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takeover_after: Option<Length>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Lock", rename_all = "lowercase")]
enum WrittenLock {
    Process,
    Deployment,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// As text (`"5m"`, `"1h30m"`, `"300ms"`), or as a number of seconds.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = |length: Duration| (!length.is_zero()).then_some(Length(length));
        let unusual = |length: Duration, usual| (length != usual).then_some(Length(length));
        let written = Written {
            ttl: Length(self.ttl),
            adaptive_to: self.adaptive_to.map(Length),
            jitter: (self.jitter != 0.0).then_some(self.jitter),
            stale_while_revalidate: length(self.stale_while_revalidate),
            stale_if_error: length(self.stale_if_error),
            refresh_ahead: self.refresh_ahead,
            idle: self.idle.map(Length),
            memory_ttl: self.memory_ttl.map(Length),
            negative_ttl: length(self.negative_ttl),
            cache_err: length(self.cache_err),
            timeout: self.timeout.map(Length),
            deadline: self.deadline.map(Length),
            retry_after: unusual(self.retry_after, Self::RETRY_AFTER),
            tags: self.tags.clone(),
            lock: self.lock.map(|lock| match lock {
                Lock::Process => WrittenLock::Process,
                Lock::Deployment => WrittenLock::Deployment,
            }),
            schema: self.schema,
            detached: self.detached,
            spawn: self.spawn,
            takeover_after: unusual(self.takeover_after, Self::TAKEOVER_AFTER),
        };
        written.serialize(serializer)
    }
}

/// What is not written is as [`Policy::ttl`] has it. A field that there is not is an error that names those that there are,
/// and so is what [`build`](crate::PolicyBuilder::build) refuses.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let length = |length: Option<Length>| length.map_or(Duration::ZERO, |Length(length)| length);
        let mut builder = Self::builder()
            .ttl(written.ttl.0)
            .jitter(written.jitter.unwrap_or(0.0))
            .stale_while_revalidate(length(written.stale_while_revalidate))
            .stale_if_error(length(written.stale_if_error))
            .negative_ttl(length(written.negative_ttl))
            .cache_err(length(written.cache_err));
        let policy = &mut builder.policy;
        policy.adaptive_to = written.adaptive_to.map(|length| length.0);
        policy.refresh_ahead = written.refresh_ahead;
        policy.idle = written.idle.map(|length| length.0);
        policy.memory_ttl = written.memory_ttl.map(|length| length.0);
        policy.timeout = written.timeout.map(|length| length.0);
        policy.deadline = written.deadline.map(|length| length.0);
        policy.retry_after = written.retry_after.map_or(Self::RETRY_AFTER, |length| length.0);
        policy.tags = written.tags;
        policy.lock = written.lock.map(|lock| match lock {
            WrittenLock::Process => Lock::Process,
            WrittenLock::Deployment => Lock::Deployment,
        });
        policy.schema = written.schema;
        policy.detached = written.detached;
        policy.spawn = written.spawn;
        if let Some(Length(limit)) = written.takeover_after {
            policy.set_takeover_after(limit);
        }
        builder.build().map_err(de::Error::custom)
    }
}

/// A length of time.
struct Length(Duration);

/// The larger one first; in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_nanos();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, nanoseconds) in UNITS {
            let count = left / nanoseconds;
            left %= nanoseconds;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Length {
    /// `1h30m`: whole numbers with units, each unit once, the larger one first. None if it is anything else.
    fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut units, mut total) = (text.trim(), UNITS.iter(), 0_u128);
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let (_, nanoseconds) = units.find(|(name, _)| *name == unit)?;
            total = number.parse::<u128>().ok()?.checked_mul(*nanoseconds)?.checked_add(total)?;
            rest = after.trim_start();
        }
        let (seconds, nanoseconds) = (total / 1_000_000_000, total % 1_000_000_000);
        Some(Self(Duration::new(u64::try_from(seconds).ok()?, nanoseconds as u32)))
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(OfLength),
            false => deserializer.deserialize_str(OfLength),
        }
    }
}

struct OfLength;

impl de::Visitor<'_> for OfLength {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a length of time: text (`"5m"`, `"1h30m"`, `"300ms"`), or a number of seconds"#)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
        Length::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Length, E> {
        Ok(Length(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Length, E> {
        let length = u64::try_from(seconds).map(Duration::from_secs).map(Length);
        length.map_err(|_| E::invalid_value(de::Unexpected::Signed(seconds), &self))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Length, E> {
        let length = Duration::try_from_secs_f64(seconds).map(Length);
        length.map_err(|_| E::invalid_value(de::Unexpected::Float(seconds), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policy, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for (text, nanoseconds) in
            [("0s", 0), ("5m", 300_000_000_000), ("1h30m", 5_400_000_000_000), ("1s5ms7ns", 1_005_000_007)]
        {
            let length = Length::parse(text).unwrap();
            assert_eq!((length.0.as_nanos(), length.to_string().as_str()), (nanoseconds, text));
        }
        let longest = Length(Duration::MAX);
        assert_eq!(Length::parse(&longest.to_string()).unwrap().0, Duration::MAX);
        for wrong in ["", "5", "m", "5 m", "30m1h", "5m5m", "-5m", "5w", "1.5h", "99999999999999999999d"] {
            assert!(Length::parse(wrong).is_none(), "{wrong}");
        }
    }

    /// The file has what the options of the macros read as well.
    #[test]
    fn lengths_are_read_as_by_the_macros() {
        let lines = include_str!("../../../../tests/texts/lengths.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let (text, read) = line.split_once("=> ").unwrap();
            let found = Length::parse(text);
            let found = found.map_or("refused".to_owned(), |length| length.0.as_millis().to_string());
            assert_eq!(found, read, "{text}");
        }
    }

    #[test]
    fn a_policy_comes_back_as_it_was() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let builder = Policy::builder().ttl(minutes(5)).jitter(0.1).stale_while_revalidate(minutes(1));
        let builder = builder.stale_if_error(minutes(60)).negative_ttl(minutes(2)).cache_err(minutes(3));
        let builder = builder
            .timeout(Duration::from_millis(200))
            .memory_ttl(minutes(4))
            .deadline(minutes(7))
            .retry_after(Duration::ZERO);
        let builder = builder
            .tag("a")
            .tag("b")
            .lock(Lock::Process)
            .schema(2)
            .detached()
            .spawn()
            .takeover_after(minutes(8));
        let all = [
            Policy::ttl(minutes(5)),
            Policy::ttl(Duration::ZERO),
            Policy::adaptive(minutes(5)..=minutes(60)),
            builder.clone().refresh_ahead(0.8).build().unwrap(),
            builder.idle(minutes(9)).build().unwrap(),
        ];
        for policy in all {
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(read(&text).as_ref(), Ok(&policy), "{text}");
            #[cfg(feature = "shared")]
            {
                let bytes = rmp_serde::to_vec_named(&policy).unwrap();
                assert_eq!(rmp_serde::from_slice::<Policy>(&bytes).unwrap(), policy);
            }
        }
        let text = serde_json::to_string(&Policy::ttl(minutes(90))).unwrap();
        assert_eq!(text, r#"{"ttl":"1h30m"}"#, "nothing but what was said");
    }

    #[test]
    fn numbers_are_seconds_and_mistakes_are_named() {
        assert_eq!(read(r#"{"ttl": 300}"#), Ok(Policy::ttl(Duration::from_secs(300))));
        assert_eq!(read(r#"{"ttl": 0.5}"#), Ok(Policy::ttl(Duration::from_millis(500))));
        for (text, parts) in [
            (r#"{"tll": 300}"#, ["unknown field `tll`", "`ttl`, `adaptive_to`, `jitter`"]),
            ("{}", ["missing field `ttl`", ""]),
            (r#"{"ttl": "5 minutes"}"#, ["5 minutes", r#"`"1h30m"`"#]),
            (r#"{"ttl": -5}"#, ["-5", "a number of seconds"]),
            (r#"{"ttl": 5, "jitter": 2}"#, ["`jitter`", "between 0 and 1"]),
            (r#"{"ttl": 5, "lock": "cluster"}"#, ["cluster", "`process` or `deployment`"]),
        ] {
            let error = read(text).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        }
    }
}
