//! RFC 9875: groups of responses.

mod support;

use larder::{CacheExt as _, MemoryCache};
use larder_http::{HttpCache, cache_group};
use support::{
    Said,
    client::{get as ask, request, send},
    eventually, handler,
    servers::Framework,
    table::{Step, case, get, method, run},
};

fn grouped(path: &'static str, groups: &'static str) -> Step {
    get().path(path).says("cache-control", "max-age=60").says("cache-groups", groups)
}

fn change(groups: &'static str) -> Step {
    method("POST").path("/change").says("cache-group-invalidation", groups)
}

#[tokio::test]
async fn a_change_drops_the_groups_that_it_names() {
    let warm =
        || [grouped("/a", r#""news""#), grouped("/b", r#""news", "Sport";x=1"#), grouped("/c", r#""other""#)];
    let with = |steps: Vec<Step>| warm().into_iter().chain(steps).collect::<Vec<_>>();
    run([
        case(
            "one group",
            with(vec![
                change(r#""news""#).has("cache-group-invalidation", r#""news""#),
                grouped("/a", "").asked(),
                grouped("/b", "").asked(),
                grouped("/c", "").hit().has("cache-groups", r#""other""#),
            ]),
        ),
        case(
            "two groups on two lines",
            with(vec![
                change(r#""Sport""#).says("cache-group-invalidation", r#""other";y"#),
                grouped("/a", "").hit(),
                grouped("/b", "").asked(),
                grouped("/c", "").asked(),
            ]),
        ),
        case("case counts", with(vec![change(r#""sport""#), grouped("/b", "").hit()])),
        case(
            "also when it failed",
            with(vec![change(r#""news""#).says_status(500), grouped("/a", "").asked()]),
        ),
        case(
            "what is no list of strings",
            with(vec![change("news"), change(r#""news", other"#), grouped("/a", "").hit()]),
        ),
        case(
            "a safe method drops nothing",
            with(vec![
                get().path("/get").says("cache-group-invalidation", r#""news""#),
                method("OPTIONS").path("/x").says("cache-group-invalidation", r#""news""#),
                method("HEAD").path("/x").says("cache-group-invalidation", r#""news""#),
                grouped("/a", "").hit(),
            ]),
        ),
        case(
            "another host",
            with(vec![
                change(r#""news""#).sends("host", "other.example"),
                grouped("/a", "").hit(),
                change(r#""news""#).sends("host", "EXAMPLE.com:80"),
                grouped("/a", "").asked(),
            ]),
        ),
        case(
            "no group of that name is a tag",
            [
                get().says("cache-control", "max-age=60").says("surrogate-key", "news"),
                change(r#""news""#),
                get().hit(),
            ],
        ),
    ])
    .await;
}

/// Four times what the RFC demands, of each.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_128_with_128_characters_each() {
    for &framework in Framework::ALL {
        let groups: Vec<_> = (0..128).map(|n| format!("\"{n:0>128}\"")).collect();
        let all = groups.join(", ");
        let respond = handler(move |seen| {
            let said = match seen.method.as_str() {
                "GET" => Said::new(&[("cache-control", "max-age=60"), ("cache-groups", &all)], "text"),
                _ => Said::new(&[("cache-group-invalidation", &format!("\"{:0>128}\"", 127))], ""),
            };
            std::future::ready(said)
        });
        let store = MemoryCache::new(100);
        let server = framework.serve(HttpCache::new(store.clone()), respond).await;
        let is_hit = async || ask(server.address, "/", &[]).await.is_hit();
        eventually("it is stored", is_hit).await;
        send(server.address, request("POST", "/change", &[])).await;
        assert!(!is_hit().await, "{framework:?}");
        assert!(is_hit().await);
        store.invalidate(cache_group("example.com:443", &format!("{:0>128}", 5))).await;
        assert!(!is_hit().await, "{framework:?}");
    }
}
