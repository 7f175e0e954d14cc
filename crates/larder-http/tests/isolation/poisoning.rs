//! Cache poisoning: what a client says in headers that frameworks and handlers believe comes back to it alone.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use tokio::task::JoinSet;

use crate::{
    support::{
        Handler, Said, TestClock,
        client::{Received, get, send},
        handler,
        servers::Framework,
    },
    world::http_cache,
};

/// Headers that tell a handler another host, scheme, port, path or method than the request has.
const BELIEVED: [(&str, &str); 28] = [
    ("forwarded", "host=evil.example"),
    ("forwarded", "for=192.0.2.1;proto=evil;by=192.0.2.2"),
    ("forwarded", "for=192.0.2.1, for=192.0.2.2; Host = \"evil.example\""),
    ("front-end-https", "evil"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-path", "/evil"),
    ("x-forwarded-port", "evil"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-proto", "evil"),
    ("x-forwarded-protocol", "evil"),
    ("x-forwarded-scheme", "evil"),
    ("x-forwarded-server", "evil.example"),
    ("x-forwarded-ssl", "off"),
    ("x-forwarded-uri", "/evil"),
    ("x-forwarded-url", "/evil"),
    ("x-host", "evil.example"),
    ("x-http-host-override", "evil.example"),
    ("x-http-method", "DELETE"),
    ("x-http-method-override", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-original-host", "evil.example"),
    ("x-original-uri", "/evil"),
    ("x-original-url", "/evil"),
    ("x-rewrite-uri", "/evil"),
    ("x-rewrite-url", "/evil"),
    ("x-scheme", "evil"),
    ("x-script-name", "/evil"),
    ("x-url-scheme", "evil"),
];

/// Ways to write the host of `example.com` so that a link to it leads elsewhere, or nowhere.
const HOSTS: [&str; 7] = [
    "evil.example/@example.com",
    "evil.example?@example.com",
    "evil.example#@example.com",
    "evil@example.com",
    "evil.example:80@example.com:80",
    "example.com:80",
    "example.com:443",
];

/// Says all that it was told in such headers, and builds a link from the host.
fn credulous() -> Handler {
    handler(|seen| async move {
        let told = seen.headers.iter().filter(|(name, _)| BELIEVED.iter().any(|(known, _)| known == name));
        let mut told: Vec<_> = told.map(|(name, value)| format!("{name}: {value}")).collect();
        let hosts = seen.headers.iter().filter(|(name, _)| name == "host");
        told.extend(hosts.map(|(_, host)| format!("http://{host}/")));
        let asked = seen.uri.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        told.extend(asked.map(|(authority, _)| format!("asked at {authority}")));
        Said::new(&[("cache-control", "public, max-age=60")], told.join("\n"))
    })
}

/// What a victim is told, if no other client interferes.
const CLEAN: &str = "http://example.com/";

fn assert_clean(victim: &Received, what: &str) {
    assert_eq!(victim.status, 200, "{what}");
    assert_eq!(victim.text(), CLEAN, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_in_headers_comes_back_to_it_alone() {
    for framework in Framework::ALL {
        let server = framework.serve(http_cache(&TestClock::new()), credulous()).await;
        for (n, (name, value)) in BELIEVED.into_iter().enumerate() {
            let what = &*format!("{framework:?}: {name}: {value}");
            let path = &*format!("/{n}");
            let evil = get(server.address, path, &[(name, value)]).await;
            assert_eq!(evil.text(), format!("{name}: {value}\n{CLEAN}"), "{what}");
            let victim = get(server.address, path, &[]).await;
            assert_clean(&victim, what);
            assert!(!victim.is_hit(), "{what}");
            assert!(get(server.address, path, &[]).await.is_hit(), "{what}: clean ones are shared");
            // The attacker is not a victim of another one, and what the attacker gets is stored for no other client.
            let anothers = value.replace("evil", "worse").replace("DELETE", "POST").replace("off", "on");
            let other = get(server.address, path, &[(name, &anothers)]).await;
            assert_eq!(other.text(), format!("{name}: {anothers}\n{CLEAN}"), "{what}");
            assert_eq!(get(server.address, path, &[(name, value)]).await.text(), evil.text(), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_with_an_attacker_is_no_victim() {
    for framework in Framework::ALL {
        let slow = credulous();
        let handler = handler(move |seen| {
            let said = slow(seen);
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                said.await
            }
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        let address = server.address;
        let mut asking = JoinSet::new();
        for (n, (name, value)) in BELIEVED.into_iter().enumerate() {
            asking.spawn(async move {
                let path = &*format!("/{n}");
                let said = [(name, value)];
                let (evil, one, two) =
                    tokio::join!(get(address, path, &said), get(address, path, &[]), get(address, path, &[]));
                assert_eq!(evil.text(), format!("{name}: {value}\n{CLEAN}"));
                assert_clean(&one, name);
                assert_clean(&two, name);
            });
        }
        asking.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_only_looks_like_ours_is_another() {
    for framework in Framework::ALL {
        let server = framework.serve(http_cache(&TestClock::new()), credulous()).await;
        for (n, host) in HOSTS.into_iter().enumerate() {
            let what = &*format!("{framework:?}: {host}");
            let path = &*format!("/{n}");
            // A framework may refuse it.
            get(server.address, path, &[("host", host)]).await;
            assert_clean(&get(server.address, path, &[]).await, what);
            assert!(get(server.address, path, &[]).await.is_hit(), "{what}");
        }
    }
}

/// Two hosts, and a host beside an absolute URI: which one counts is each framework's own opinion.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_hosts_neither_answers_for_the_other() {
    for framework in Framework::ALL {
        let server = framework.serve(http_cache(&TestClock::new()), credulous()).await;
        for (n, hosts) in
            [["example.com", "evil.example"], ["evil.example", "example.com"]].into_iter().enumerate()
        {
            let path = &*format!("/{n}");
            let mut request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
            for host in hosts {
                request.headers_mut().append("host", HeaderValue::from_static(host));
            }
            send(server.address, request).await;
            assert_clean(&get(server.address, path, &[]).await, &format!("{framework:?}: {hosts:?}"));
        }
        for (n, (uri, host)) in [
            ("http://example.com", "evil.example"),
            ("http://evil.example", "example.com"),
            ("http://evil@example.com", "example.com"),
            ("http://example.com:80", "example.com"),
            ("https://example.com:443", "example.com"),
        ]
        .into_iter()
        .enumerate()
        {
            let path = &*format!("/absolute/{n}");
            let request = Request::get(format!("{uri}{path}")).header("host", host);
            send(server.address, request.body(Full::default()).unwrap()).await;
            assert_clean(&get(server.address, path, &[]).await, &format!("{framework:?}: {uri}, {host}"));
        }
    }
}
