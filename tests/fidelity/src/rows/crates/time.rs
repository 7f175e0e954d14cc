//! Dates and times.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use jiff::{Span, Timestamp, ZonedDateTime, civil, tz};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};

use crate::{row::REFUSED, table};

macro_rules! with {
    ($($name:ident: $type:ty, $with:literal;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct $name {
            #[serde(with = $with)]
            at: $type,
        }
    )*};
}

with! {
    Seconds: DateTime<Utc>, "chrono::serde::ts_seconds";
    Milliseconds: DateTime<Utc>, "chrono::serde::ts_milliseconds";
    Nanoseconds: DateTime<Utc>, "chrono::serde::ts_nanoseconds";
    SecondsOption: Option<DateTime<Utc>>, "chrono::serde::ts_seconds_option";
    Rfc3339: OffsetDateTime, "time::serde::rfc3339";
    UnixSeconds: OffsetDateTime, "time::serde::timestamp";
    JiffSeconds: Timestamp, "jiff::fmt::serde::timestamp::second::required";
    Human: Duration, "humantime_serde";
    HumanOption: Option<Duration>, "humantime_serde";
}

fn utc() -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000, 123_456_789).single().expect("it exists")
}

fn whole() -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000, 0).single().expect("it exists")
}

fn tokyo() -> DateTime<FixedOffset> {
    utc().with_timezone(&FixedOffset::east_opt(9 * 3_600).expect("it exists"))
}

fn leap() -> NaiveTime {
    NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).expect("it exists")
}

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 28).expect("it exists")
}

fn offset() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_456_789).expect("it exists")
}

fn offset_hours() -> OffsetDateTime {
    offset().to_offset(UtcOffset::from_hms(-3, -30, 0).expect("it exists"))
}

fn timestamp() -> Timestamp {
    Timestamp::new(1_700_000_000, 123_456_789).expect("it exists")
}

fn new_york() -> ZonedDateTime {
    timestamp().to_zoned_datetime(tz::TimeZone::get("America/New_York").expect("it exists"))
}

table! {
    pub(super) fn rows;
    concrete "chrono::DateTime<Utc>": DateTime<Utc> = [utc(), whole(), DateTime::UNIX_EPOCH];
    "chrono::DateTime<Utc> far away": DateTime<Utc> = [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC];
    concrete "chrono::DateTime<FixedOffset>": DateTime<FixedOffset> = [tokyo()];
    "chrono::DateTime<FixedOffset>, seconds in the offset": DateTime<FixedOffset> = [
        utc().with_timezone(&FixedOffset::east_opt(1).expect("it exists")),
    ] => REFUSED.unseen("chrono writes offsets in whole minutes");
    concrete "chrono::NaiveDate": NaiveDate = [date(), NaiveDate::MIN, NaiveDate::MAX];
    "chrono::NaiveTime": NaiveTime = [NaiveTime::MIN, leap()];
    concrete "chrono::NaiveDateTime": NaiveDateTime = [date().and_time(leap()), NaiveDateTime::MAX];
    "chrono::Weekday": chrono::Weekday = [chrono::Weekday::Sat];
    "chrono::Month": chrono::Month = [chrono::Month::May];
    concrete "chrono::TimeDelta": chrono::TimeDelta = [chrono::TimeDelta::nanoseconds(-1), chrono::TimeDelta::MAX];
    "Option<chrono::DateTime<Utc>>": Option<DateTime<Utc>> = [None, Some(utc())];
    concrete "chrono ts_seconds, whole": Seconds = [Seconds { at: whole() }];
    concrete "chrono ts_seconds": Seconds = [Seconds { at: utc() }] => REFUSED.unseen("what is below a second is not written");
    "chrono ts_milliseconds": Milliseconds = [Milliseconds { at: utc() }]
        => REFUSED.unseen("what is below a millisecond is not written");
    concrete "chrono ts_nanoseconds": Nanoseconds = [Nanoseconds { at: utc() }];
    "chrono ts_seconds_option": SecondsOption = [SecondsOption { at: None }, SecondsOption { at: Some(whole()) }];
    concrete "time::OffsetDateTime": OffsetDateTime = [offset(), offset_hours()];
    concrete "time::Date": time::Date = [offset().date(), time::Date::MIN, time::Date::MAX];
    "time::Time": time::Time = [offset().time(), time::Time::MIDNIGHT];
    "time::PrimitiveDateTime": time::PrimitiveDateTime = [
        time::PrimitiveDateTime::new(offset().date(), offset().time()),
    ];
    "time::UtcOffset": UtcOffset = [offset_hours().offset()];
    "time::Duration": time::Duration = [time::Duration::new(-1, -500_000_000), time::Duration::MAX];
    "time::Month": time::Month = [time::Month::May];
    "time::Weekday": time::Weekday = [time::Weekday::Sunday];
    concrete "time rfc3339": Rfc3339 = [Rfc3339 { at: offset_hours() }];
    "time rfc3339, seconds in the offset": Rfc3339 = [
        Rfc3339 { at: offset().to_offset(UtcOffset::from_hms(0, 0, 1).expect("it exists")) },
    ] => REFUSED;
    concrete "time timestamp": UnixSeconds = [UnixSeconds { at: offset() }]
        => REFUSED.unseen("what is below a second is not written");
    concrete "jiff::Timestamp": Timestamp = [timestamp(), Timestamp::MIN, Timestamp::MAX];
    concrete "jiff::ZonedDateTime": ZonedDateTime = [new_york(), timestamp().to_zoned_datetime(tz::TimeZone::UTC)];
    "jiff::ZonedDateTime, fixed offset": ZonedDateTime = [timestamp().to_zoned_datetime(tz::TimeZone::fixed(tz::offset(-4)))];
    concrete "jiff::civil::Date": civil::Date = [civil::date(2026, 11, 28), civil::Date::MIN];
    "jiff::civil::Time": civil::Time = [civil::time(23, 59, 59, 999_999_999)];
    "jiff::civil::DateTime": civil::DateTime = [civil::date(2026, 2, 28).at(1, 2, 3, 4)];
    "jiff::SignedDuration": jiff::SignedDuration = [jiff::SignedDuration::new(-1, -1), jiff::SignedDuration::MAX];
    concrete "jiff::Span": Span = [Span::new().years(1).days(-0).hours(36)];
    concrete "jiff::Span, milliseconds above a second": Span = [Span::new().milliseconds(1_500)]
        => REFUSED.unseen("ISO 8601 has no milliseconds: they are read as seconds");
    "jiff timestamp in seconds": JiffSeconds = [JiffSeconds { at: timestamp() }]
        => REFUSED.unseen("what is below a second is not written");
    concrete "humantime_serde of a Duration": Human = [Human { at: Duration::new(86_461, 1) }];
    "humantime_serde of an Option": HumanOption = [HumanOption { at: None }, HumanOption { at: Some(Duration::ZERO) }];
}
