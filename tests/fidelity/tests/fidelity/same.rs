//! What the rows are compared by.

use std::collections::HashSet;

use larder_fidelity::traits;

#[test]
fn all_that_a_type_offers_is_compared() {
    assert!(traits!(f64).is_same(&f64::NAN, &f64::NAN));
    assert!(!traits!(f64).is_same(&0.0, &-0.0));
    let set = |from| (from..from + 100).collect::<HashSet<u32>>();
    assert!(traits!(HashSet<u32>).is_same(&set(0), &set(0)));
    assert!(!traits!(HashSet<u32>).is_same(&set(0), &set(1)));
}
