//! What a 304 takes back: a header that it calls private, without sending it, is of the client whose request was answered
//! with the stored response first.

use crate::{
    Cell, Tally, VARY, Way, makers,
    oracle::Terms,
    support::{TestClock, servers::Framework},
    try_out,
    world::{Front, Teller, http_cache},
};

const TAKING_BACK: [&str; 4] = [
    "private=\"x-user\", max-age=60",
    "max-age=60, Private=\" X-USER , x-other\"",
    "public, max-age=60, private=\"x-other,x-user\"",
    "max-age=0, private=\"x-user\"",
];

async fn try_all(front: &Front, teller: &Teller, clock: &TestClock) {
    let mut tally = Tally::default();
    let mut seed = 0;
    for cache_control in TAKING_BACK {
        for vary in VARY.into_iter().filter(|vary| *vary != "*") {
            for maker in makers() {
                seed += 1;
                let terms = Terms { cache_control, vary, sets_cookie: false };
                try_out(front, teller, clock, &Cell { way: Way::Withdrawn, terms, maker, seed }, &mut tally)
                    .await;
            }
        }
    }
    let some: Vec<_> = tally.failures.iter().take(10).map(String::as_str).collect();
    assert!(tally.failures.is_empty(), "{} failures, as\n{}", tally.failures.len(), some.join("\n"));
    assert!(tally.given[&Way::Withdrawn] > 500, "too little was shared: {:?}", tally.given);
}

#[tokio::test]
async fn a_header_that_a_304_calls_private_stays_with_its_client() {
    let (teller, clock) = (Teller::new(), TestClock::new());
    try_all(&Front::tower(&teller, http_cache(&clock)), &teller, &clock).await;
}

#[cfg(feature = "actix")]
#[tokio::test(flavor = "multi_thread")]
async fn so_it_does_in_actix() {
    let (teller, clock) = (Teller::new(), TestClock::new());
    try_all(&Front::server(Framework::Actix, &teller, http_cache(&clock)).await, &teller, &clock).await;
}
