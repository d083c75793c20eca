//! Whose request it is, behind proxies.

use apikee::web::RequestView;

use crate::{guard, lookup};

/// Proxies at 10.0.0.0/8, at 192.0.2.7 and in 2001:db8::/32.
fn address(peer: &str, forwarded: &[&str]) -> String {
    let guard = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]
        .into_iter()
        .fold(guard(), |guard, network| guard.trusted_proxy(network).unwrap());
    let fields: Vec<_> = forwarded.iter().map(|value| ("X-Forwarded-For", value.as_bytes())).collect();
    let lookup = lookup(&fields);
    let request = RequestView::new("GET", "/", &lookup).peer(peer.parse().unwrap());
    guard.client_address(request).unwrap().to_string()
}

#[test]
fn a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_says() {
    assert_eq!(address("203.0.113.9", &["10.0.0.1", "198.51.100.1"]), "203.0.113.9");
    assert_eq!(address("::ffff:203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
}

#[test]
fn the_list_is_read_from_the_right_up_to_the_first_that_is_not_trusted() {
    for (forwarded, expected) in [
        (&["198.51.100.1"][..], "198.51.100.1"),
        (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (&["1.1.1.1, 198.51.100.1, 10.9.9.9,192.0.2.7"], "198.51.100.1"),
        (&["1.1.1.1", "198.51.100.1", " 10.9.9.9 "], "198.51.100.1"),
        (&["198.51.100.1, 2001:db8::5"], "198.51.100.1"),
        (&["::ffff:198.51.100.1"], "198.51.100.1"),
        (&["2001:dbf::1"], "2001:dbf::1"),
        (&["[2001:dbf::1]"], "2001:dbf::1"),
        (&["[2001:dbf::1]:443"], "2001:dbf::1"),
        (&["198.51.100.1:51234"], "198.51.100.1"),
        (&[", ,198.51.100.1, ,"], "198.51.100.1"),
        // All are proxies: the request comes from the farthest.
        (&["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (&[], "10.0.0.1"),
        (&[""], "10.0.0.1"),
    ] {
        assert_eq!(address("10.0.0.1", forwarded), expected, "{forwarded:?}");
    }
}

#[test]
fn an_entry_that_is_no_address_ends_the_search_at_the_proxy_that_wrote_it() {
    for bad in ["unknown", "_hidden", "1.2.3", "1.2.3.4.5", "1.2.3.4:", "[::1", "::1]", "1.2.3.4 5", "0x7f000001", "é"]
    {
        assert_eq!(address("10.0.0.1", &[&format!("1.1.1.1, {bad}")]), "10.0.0.1", "{bad}");
        assert_eq!(address("10.0.0.1", &[&format!("1.1.1.1, {bad}, 10.3.3.3")]), "10.3.3.3", "{bad}");
    }
}

#[test]
fn more_lists_than_proxies_write_are_not_believed() {
    assert_eq!(address("10.0.0.1", &["198.51.100.1"; 16]), "198.51.100.1");
    assert_eq!(address("10.0.0.1", &["198.51.100.1"; 17]), "10.0.0.1");
}

#[test]
fn without_a_peer_nobody_is_believed() {
    let fields = [("x-forwarded-for", &b"198.51.100.1"[..])];
    let lookup = lookup(&fields);
    let guard = guard().trusted_proxy("0.0.0.0/0").unwrap();
    assert_eq!(guard.client_address(RequestView::new("GET", "/", &lookup)), None);
}

#[test]
fn ipv4_written_as_ipv6_is_ipv4() {
    let fields = [("x-forwarded-for", &b"198.51.100.1"[..])];
    let lookup = lookup(&fields);
    for network in ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "10.0.0.1/32"] {
        let guard = guard().trusted_proxy(network).unwrap();
        let request = RequestView::new("GET", "/", &lookup).peer([10, 0, 0, 1].into());
        assert_eq!(guard.client_address(request), Some([198, 51, 100, 1].into()), "{network}");
    }
    assert!(guard().trusted_proxy("::ffff:0.0.0.0/95").is_err());
}

#[test]
fn what_is_no_network_is_refused() {
    for text in ["", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0/8 ", "::/129"] {
        assert!(guard().trusted_proxy(text).is_err(), "{text:?}");
    }
}
