//! Which policies can be built.

use std::time::Duration;

use larder::{Lock, Policy};

fn ttl() -> larder::PolicyBuilder {
    Policy::builder().ttl(Duration::from_secs(1))
}

#[test]
fn a_ttl_is_all_it_takes() {
    assert_eq!(ttl().build().unwrap(), Policy::ttl(Duration::from_secs(1)));
    assert!(Policy::builder().ttl(Duration::ZERO).build().is_ok());
}

#[test]
fn a_missing_ttl_is_refused() {
    let error = Policy::builder().jitter(0.1).build().unwrap_err();
    assert!(error.is_invalid_policy());
    assert_eq!(error.to_string(), "invalid policy: `ttl` is missing: set it, or `adaptive`");
}

#[test]
fn fractions_are_between_0_and_1() {
    for good in [0.0, -0.0, 0.5, 1.0] {
        assert!(ttl().jitter(good).refresh_ahead(good).build().is_ok());
    }
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = ttl().jitter(bad).build().unwrap_err();
        assert!(error.is_invalid_policy());
        assert!(error.to_string().contains("`jitter` is a fraction between 0 and 1"), "{error}");
        let error = ttl().refresh_ahead(bad).build().unwrap_err();
        assert!(error.is_invalid_policy());
        assert!(error.to_string().contains("`refresh_ahead` is a fraction between 0 and 1"), "{error}");
    }
}

#[test]
fn every_option_makes_a_difference() {
    let second = Duration::from_secs(1);
    let all = [
        ttl(),
        ttl().ttl(second * 2),
        ttl().jitter(0.1),
        ttl().stale_while_revalidate(second),
        ttl().stale_if_error(second),
        ttl().refresh_ahead(0.1),
        ttl().negative_ttl(second),
        ttl().timeout(second),
        ttl().tag("a"),
        ttl().tags(["a", "b"]),
        ttl().lock(Lock::Process),
        ttl().lock(Lock::Deployment),
        ttl().detached(),
    ]
    .map(|builder| builder.build().unwrap());
    for (index, policy) in all.iter().enumerate() {
        assert_eq!(all.iter().position(|other| other == policy), Some(index));
    }
}
