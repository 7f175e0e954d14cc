use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn only_known_proxies_are_believed() {
    let behind = |proxies: &[&str]| ClientAddress::behind(proxies.iter().copied()).expect("networks");
    let one = behind(&["10.0.0.0/8", "2001:db8::/32"]);
    for (peer, lines, client) in [
        // No proxy stands between.
        ("192.0.2.7", &["6.6.6.6"][..], "192.0.2.7"),
        ("192.0.2.7", &[], "192.0.2.7"),
        // One proxy, and what a client made up before it.
        ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", &["6.6.6.6, 10.6.6.6,192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", &["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        ("::ffff:10.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
        // Several proxies.
        ("10.0.0.1", &["6.6.6.6, 192.0.2.7, 10.0.0.3 , 10.0.0.2"], "192.0.2.7"),
        ("2001:db8::1", &["192.0.2.7:4711, [2001:db8::2]:80"], "192.0.2.7"),
        ("2001:db8::1", &["[2001:db9::7]"], "2001:db9::7"),
        // Proxies all the way: the first of them asks for itself.
        ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", &[], "10.0.0.1"),
        // What is no address ends the search.
        ("10.0.0.1", &["192.0.2.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &["192.0.2.7,"], "10.0.0.1"),
    ] {
        assert_eq!(one.of(ip(peer), lines), ip(client), "{peer} {lines:?}");
    }
    assert_eq!(ClientAddress::direct().of(ip("10.0.0.1"), ["192.0.2.7"]), ip("10.0.0.1"));
    assert_eq!(behind(&["0.0.0.0/0"]).of(ip("2001:db9::1"), ["192.0.2.7"]), ip("2001:db9::1"));
    assert_eq!(behind(&["10.0.0.1"]).of(ip("10.0.0.2"), ["192.0.2.7"]), ip("10.0.0.2"));
}

#[test]
fn what_is_no_network_is_an_error() {
    for text in ["", "10.0.0", "10.0.0.0/33", "2001:db8::/129", "10.0.0.0/x", "example.org"] {
        let error = ClientAddress::behind([text]).expect_err("no network");
        assert!(error.to_string().starts_with(&format!("{text:?} is neither")), "{error}");
    }
}
