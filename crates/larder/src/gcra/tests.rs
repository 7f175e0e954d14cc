use super::*;

const SECOND: u64 = 1_000_000_000;

/// The admitted ones of requests for one unit at these times.
fn admitted(rate: &Rate, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut tat = 0;
    let ask = |now: &u64| {
        let (usage, new) = take(tat, *now, rate, 1);
        assert_eq!(usage.wait.is_zero(), new.is_some());
        tat = new.unwrap_or(tat);
        usage.wait.is_zero()
    };
    times.into_iter().filter(ask).collect()
}

/// The most of these times that lie in any stretch of this length.
fn most_within(times: &[u64], stretch: u64) -> usize {
    let within =
        |(first, time): (usize, &u64)| times[first..].partition_point(|other| *other <= time + stretch);
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

#[test]
fn a_burst_and_then_the_rate() {
    let rate = Rate::per_second(10).burst(3);
    let times = admitted(&rate, (0..2_000).map(|step| step * SECOND / 1_000));
    let milliseconds: Vec<u64> = times.iter().take(6).map(|time| time * 1_000 / SECOND).collect();
    assert_eq!(milliseconds, [0, 1, 2, 100, 200, 300]);
}

/// In any stretch of time: no more than the burst and what comes back in it, and no less than 99 % of what there is.
#[test]
fn no_stretch_of_time_has_more_than_the_rate_allows() {
    let mut random = fastrand::Rng::with_seed(7);
    for rate in [
        Rate::per_second(100),
        Rate::per_second(7).burst(1),
        Rate::per_minute(100).burst(20),
        Rate::per_second(3_000),
    ] {
        let interval = rate.interval_nanos();
        let mut now = 1;
        let asked = std::iter::repeat_with(|| {
            // Now and then a pause.
            now += if random.u32(..1_000) == 0 {
                random.u64(..interval * 40)
            } else {
                random.u64(..interval / 4)
            };
            now
        });
        let times = admitted(&rate, asked.take(20_000));
        for intervals in [0, 1, 2, 10, 100, 1_000] {
            let most = u64::from(rate.max_burst()) + intervals;
            assert!(
                most_within(&times, intervals * interval) as u64 <= most,
                "{rate}, {intervals} intervals"
            );
        }
    }
    let rate = Rate::per_second(700).burst(2);
    let times = admitted(&rate, (0..200_000).map(|step| step * SECOND / 20_000));
    assert!((6_930..=7_001).contains(&times.len()), "{} in ten seconds", times.len());
}

#[test]
fn a_refusal_takes_nothing_and_says_when() {
    let rate = Rate::per_second(10).burst(2);
    let (_, tat) = take(0, 5 * SECOND, &rate, 2);
    let tat = tat.expect("a whole burst is there");
    let (usage, new) = take(tat, 5 * SECOND, &rate, 1);
    assert_eq!((usage.wait, new), (Duration::from_millis(100), None));
    let then = 5 * SECOND + 100_000_000;
    assert_eq!(take(tat, then - 1, &rate, 1).0.wait, Duration::from_nanos(1));
    assert!(take(tat, then, &rate, 1).1.is_some(), "not a nanosecond later");
    assert_eq!(take(tat, 5 * SECOND, &rate, 2).0.wait, Duration::from_millis(200));
    assert_eq!(take(tat, 60 * SECOND, &rate, 3).0.wait, Duration::MAX, "more than a burst");
    assert_eq!(take(0, 60 * SECOND, &rate, 0).0, Usage::new(rate.interval(), Duration::ZERO, Duration::ZERO));
}

#[test]
fn a_time_from_elsewhere_is_a_key_that_is_used_up() {
    let rate = Rate::per_second(10).burst(2);
    assert_eq!(take(u64::MAX, SECOND, &rate, 1).0.wait, Duration::from_millis(100));
    let slow = Rate::per_day(1).burst(u32::MAX);
    assert!(slow.capacity_nanos() <= 100 * 366 * 86_400 * SECOND);
    assert!(take(u64::MAX, u64::MAX - 1, &slow, u32::MAX).1.is_none());
}

#[test]
fn rates_are_read_and_written() {
    for (text, rate) in [
        ("100/min", Rate::per_minute(100)),
        ("10/s", Rate::per_second(10)),
        ("7/h", Rate::per_hour(7)),
        ("1/d", Rate::per_day(1)),
        ("5/900s", Rate::new(5, Duration::from_secs(900)).unwrap()),
        ("1/250ms burst 3", Rate::new(1, Duration::from_millis(250)).unwrap().burst(3)),
    ] {
        assert_eq!(text.parse(), Ok(rate));
        assert_eq!(rate.to_string(), text);
    }
    assert_eq!(
        " 5 / 2 hour burst 3 ".parse(),
        Ok(Rate::new(5, Duration::from_secs(7_200)).unwrap().burst(3))
    );
    assert_eq!("5/15m".parse::<Rate>().map(|rate| rate.interval()), Ok(Duration::from_secs(180)));
    for (text, error) in [
        ("100", "`100` is not a rate: write a number, `/` and a period, as in `100/min`, `10/s` or `5/15m`"),
        ("+1/s", "`+1/s` is not a rate"),
        ("1/60", "`1/60` is not a rate"),
        ("1/99999999999999999999s", "`1/99999999999999999999s` is not a rate"),
        ("0/s", "a rate of zero admits nothing: write one or more"),
        ("1/0s", "the period of a rate is whole milliseconds, not 0ns"),
        ("1/week", "`week` in `1/week` is not a unit of time: there are `ms`,"),
        ("1/40000d", "the period of a rate is 100 years at most"),
        ("1/s burst", "`1/s burst` has a burst that is no number"),
        ("1/s burst 0", "a burst of zero admits nothing: write one or more"),
    ] {
        let found = text.parse::<Rate>().unwrap_err().to_string();
        assert!(found.starts_with(error), "{text}: {found}");
    }
}

/// The file has what `#[limited(rate = …)]` reads as well.
#[test]
fn rates_are_read_as_by_the_macro() {
    let lines = include_str!("../../../../tests/texts/rates.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (text, read) = line.split_once("=> ").unwrap();
        let found = text.parse::<Rate>().map_or("refused".to_owned(), |rate| {
            let burst = (rate.max_burst() != rate.units()).then(|| format!(" {}", rate.max_burst()));
            format!("{} {}{}", rate.units(), rate.period().as_millis(), burst.unwrap_or_default())
        });
        assert_eq!(found, read, "{text}");
    }
}
