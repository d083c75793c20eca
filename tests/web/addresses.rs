//! The client's address, behind proxies.

use std::{cell::Cell, net::IpAddr};

use apikee::web::{Guard, RequestView};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{guard, lookup};

const PROXIES: [&str; 3] = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];

fn trusting() -> Guard {
    PROXIES.into_iter().fold(guard(), |guard, network| guard.trusted_proxy(network).unwrap())
}

/// The client's address, as a guard that trusts [`PROXIES`] finds it.
fn client_address<V: AsRef<[u8]>>(guard: &Guard, name: &str, peer: &str, values: &[V]) -> Option<IpAddr> {
    let fields: Vec<_> = values.iter().map(|value| (name, value.as_ref())).collect();
    let lookup = lookup(&fields);
    guard.client_address(RequestView::new("GET", "/", &lookup).peer(peer.parse().unwrap()))
}

fn address(peer: &str, forwarded: &[&str]) -> String {
    client_address(&trusting(), "X-Forwarded-For", peer, forwarded).unwrap().to_string()
}

/// The client's address in the `Forwarded` fields of the proxy 10.0.0.1.
fn of_forwarded(values: &[&str]) -> Option<String> {
    client_address(&trusting().forwarded(), "forwarded", "10.0.0.1", values).map(|address| address.to_string())
}

#[test]
fn forwarding_headers_of_an_untrusted_peer_are_ignored() {
    assert_eq!(address("203.0.113.9", &["10.0.0.1", "198.51.100.1"]), "203.0.113.9");
    assert_eq!(address("::ffff:203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
}

#[test]
fn the_last_untrusted_address_in_the_list_is_the_client() {
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
        // All are proxies: the farthest one sent the request.
        (&["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (&[], "10.0.0.1"),
        (&[""], "10.0.0.1"),
    ] {
        assert_eq!(address("10.0.0.1", forwarded), expected, "{forwarded:?}");
    }
}

#[test]
fn an_entry_that_is_not_an_address_makes_its_writer_the_client() {
    for bad in ["unknown", "_hidden", "1.2.3", "1.2.3.4.5", "1.2.3.4:", "[::1", "::1]", "1.2.3.4 5", "0x7f000001", "é"]
    {
        assert_eq!(address("10.0.0.1", &[&format!("1.1.1.1, {bad}")]), "10.0.0.1", "{bad}");
        assert_eq!(address("10.0.0.1", &[&format!("1.1.1.1, {bad}, 10.3.3.3")]), "10.3.3.3", "{bad}");
    }
}

#[test]
fn many_forged_entries_do_not_change_the_clients_address() {
    for number in [1, 15, 16, 17, 255, 256, 257, 5_000] {
        let mut fields = vec!["10.0.0.9"; number];
        fields.push("203.0.113.9, 10.0.0.2");
        assert_eq!(address("10.0.0.1", &fields), "203.0.113.9", "{number}");
    }
    for junk in ["10.0.0.9,".repeat(100_000), ",".repeat(1_000_000), "x".repeat(1_000_000), "\u{e9}\",".repeat(10_000)]
    {
        let long = format!("{junk}, 203.0.113.9");
        assert_eq!(address("10.0.0.1", &[&junk, &long, "10.0.0.2"]), "203.0.113.9");
        let long = format!("{junk}, for=203.0.113.9");
        assert_eq!(of_forwarded(&[&junk, &long, "for=10.0.0.2"]).as_deref(), Some("203.0.113.9"));
    }
}

#[test]
fn behind_more_than_255_proxies_the_address_is_unknown() {
    let guards = [(trusting(), "x-forwarded-for", ""), (trusting().forwarded(), "forwarded", "for=")];
    for (guard, name, before) in guards {
        let (proxy, client) = (format!("{before}10.0.0.2"), format!("{before}203.0.113.9"));
        for (number, expected) in [(255, Some([203, 0, 113, 9].into())), (256, None), (1_000, None)] {
            let one_each: Vec<_> = [&client].into_iter().chain(vec![&proxy; number]).collect();
            assert_eq!(client_address(&guard, name, "10.0.0.1", &one_each), expected, "{name}: {number}");
            let one_field = one_each.iter().map(|entry| &***entry).collect::<Vec<_>>().join(",");
            assert_eq!(client_address(&guard, name, "10.0.0.1", &[&one_field]), expected, "{name}: {number}");
            let empty = format!("{client}{}", ",".repeat(number));
            assert_eq!(client_address(&guard, name, "10.0.0.1", &[&empty]), expected, "{name}: {number} commas");
        }
    }
}

#[test]
fn many_header_fields_are_counted_in_few_look_ups() {
    for number in [0, 1, 2, 3, 16, 17, 1_000, 1_000_000, usize::MAX] {
        let looked = Cell::new(0);
        let lookup = |name: &str, nth: usize| {
            looked.set(looked.get() + 1);
            (name == "x-forwarded-for" && nth < number).then_some(&b"203.0.113.9"[..])
        };
        let expected: Option<IpAddr> = match number {
            0 => Some([10, 0, 0, 1].into()),
            usize::MAX => None,
            _ => Some([203, 0, 113, 9].into()),
        };
        let request = RequestView::new("GET", "/", &lookup).peer([10, 0, 0, 1].into());
        assert_eq!(trusting().client_address(request), expected, "{number}");
        assert!(looked.get() <= 45, "{number}: {}", looked.get());
    }
}

#[test]
fn only_the_configured_header_is_read() {
    let guards =
        [(trusting(), "forwarded", "for=203.0.113.9"), (trusting().forwarded(), "x-forwarded-for", "203.0.113.9")];
    for (guard, name, value) in guards {
        assert_eq!(client_address(&guard, name, "10.0.0.1", &[value]), Some([10, 0, 0, 1].into()), "{name}");
    }
}

#[test]
fn forwarded_is_read_in_all_its_spellings() {
    for (values, expected) in [
        (&["for=203.0.113.9"][..], Some("203.0.113.9")),
        (&["For=203.0.113.9;proto=https;by=10.0.0.1"], Some("203.0.113.9")),
        (&["proto=https;by=\"_a,b;for=1.1.1.1\";for=203.0.113.9"], Some("203.0.113.9")),
        (&["proto=https ; FOR=203.0.113.9 ; host=a"], Some("203.0.113.9")),
        (&["for=\"203.0.113.9:443\""], Some("203.0.113.9")),
        (&["for=\"203.0.113.9:_port\""], Some("203.0.113.9")),
        (&["for=203.0.113.9:443"], Some("203.0.113.9")),
        (&["for=\"203.0.\\113.9\""], Some("203.0.113.9")),
        (&["for=\"[2001:dbf::1]\""], Some("2001:dbf::1")),
        (&["for=\"[2001:DBF::1]:443\""], Some("2001:dbf::1")),
        (&["for=\"[::ffff:203.0.113.9]:443\""], Some("203.0.113.9")),
        (&["for=1.1.1.1, for=203.0.113.9,for=10.0.0.2, for=\"[2001:db8::2]:80\""], Some("203.0.113.9")),
        (&["for=1.1.1.1", "for=203.0.113.9", "for=10.0.0.2"], Some("203.0.113.9")),
        (&[", for=203.0.113.9, ,"], Some("203.0.113.9")),
        // A quote that the client leaves open does not swallow the proxies' entries.
        (&["for=\"1.1.1.1, for=203.0.113.9"], Some("203.0.113.9")),
        (&["for=\"\\, for=203.0.113.9"], Some("203.0.113.9")),
        (&["for=\"1.1.1.1, for=\"[2001:dbf::1]\""], Some("2001:dbf::1")),
        (&["host=\"a,b\\\", for=1.1.1.1, c\";for=203.0.113.9"], Some("203.0.113.9")),
        // All are proxies: the farthest one sent the request.
        (&["for=10.1.1.1, for=10.2.2.2"], Some("10.1.1.1")),
        (&[], Some("10.0.0.1")),
        (&[""], Some("10.0.0.1")),
        // The proxy hides the address.
        (&["for=1.1.1.1, for=unknown"], None),
        (&["for=1.1.1.1, for=_hidden"], None),
        (&["for=1.1.1.1, for=\"_hidden:_port\""], None),
        (&["for=1.1.1.1, for=\"unknown:80\", for=10.0.0.2"], None),
        (&["for=1.1.1.1, proto=https"], None),
        (&["for=1.1.1.1, by=203.0.113.9"], None),
    ] {
        assert_eq!(of_forwarded(values).as_deref(), expected, "{values:?}");
    }
}

#[test]
fn a_malformed_element_of_forwarded_gives_no_address() {
    for bad in [
        "203.0.113.9",
        "for",
        "for=",
        "for=\"\"",
        "for=\"203.0.113.9",
        "for=203.0.113.9\"",
        "for=\"203.0.113.9\" x",
        "for=\"203.0.113.9\\\"",
        "for=203.0.113.9;for=203.0.113.9",
        "for=2001:dbf::1",
        "for=\"2001:dbf::1\"",
        "for=\"[203.0.113.9]\"",
        "for=\"[2001:dbf::1\"",
        "for=\"[2001:dbf::1]443\"",
        "for=\"[2001:dbf::1]:\"",
        "for=\"203.0.113.9:\"",
        "for=\"203.0.113.9:_\"",
        "for=\"203.0.113.9:123456\"",
        "for=\"203.0.113.9:x\"",
        "for=\"203.0.113.9 \"",
        "for=0x7f000001",
        "f\u{f6}r=203.0.113.9",
        "xfor=203.0.113.9",
    ] {
        assert_eq!(of_forwarded(&[&format!("for=1.1.1.1, {bad}")]), None, "{bad}");
    }
}

/// An entry, and the address in it. `None` if it contains no address.
fn entry() -> impl Strategy<Value = (String, Option<IpAddr>)> {
    let address =
        select(vec!["10.0.0.2", "10.9.9.9", "192.0.2.7", "203.0.113.9", "1.1.1.1", "2001:db8::7", "2001:dbf::1"]);
    let spelt = (address, 0..4_u8).prop_map(|(text, spelling)| {
        let address: IpAddr = text.parse().unwrap();
        let bracketed = if address.is_ipv6() { format!("[{text}]") } else { text.into() };
        let text = match spelling {
            0 | 1 => bracketed,
            _ => format!("{bracketed}:4711"),
        };
        (text, Some(address))
    });
    prop_oneof![9 => spelt, 1 => Just(("unknown".to_owned(), None)), 1 => Just(("_hidden".to_owned(), None))]
}

/// An element of `Forwarded` around a node, with commas, semicolons and quotes in quoted strings.
fn element(node: &str, quoted: bool, more: &str) -> String {
    let needs = !node.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
    let node = if quoted || needs { format!("\"{node}\"") } else { node.into() };
    match more {
        "" => format!("for={node}"),
        more if more.starts_with(';') => format!("for={node}{more}"),
        more => format!("{more};FOR={node}"),
    }
}

/// A simple model without limits. It reads the entries from the last to the first.
fn model(entries: &[(String, Option<IpAddr>)], peer: IpAddr, hides: bool) -> Option<IpAddr> {
    let trusted = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets()[0] == 10 || address == std::net::Ipv4Addr::new(192, 0, 2, 7),
        IpAddr::V6(address) => address.segments()[..2] == [0x2001, 0xdb8],
    };
    let mut address = peer;
    for (_, named) in entries.iter().rev() {
        if !trusted(address) {
            break;
        }
        match named {
            Some(named) => address = *named,
            None if hides => return None,
            None => break,
        }
    }
    Some(address)
}

proptest! {
    #[test]
    fn both_headers_agree_with_a_simple_model(
        entries in vec((entry(), any::<bool>(), any::<bool>()), 0..12),
        more in select(vec!["", ";proto=https", "by=\"_a,\\\";for=1.1.1.1\"", ";host=\"a;b, for=2.2.2.2\"", "proto=http"]),
        peer in select(vec!["10.0.0.1", "192.0.2.7", "198.51.100.1", "2001:db8::1"]),
    ) {
        let named: Vec<_> = entries.iter().map(|(entry, ..)| entry.clone()).collect();
        // The proxies decide where a new field begins.
        let fields = |write: &dyn Fn(&str, bool) -> String| {
            let mut fields: Vec<String> = vec![];
            for ((text, _), quoted, begins) in &entries {
                let text = write(text, *quoted);
                match fields.last_mut() {
                    Some(field) if !begins => *field += &format!(", {text}"),
                    _ => fields.push(text),
                }
            }
            fields
        };
        let peer_address = peer.parse().unwrap();
        let plain = fields(&|text, _| text.into());
        let found = client_address(&trusting(), "x-forwarded-for", peer, &plain);
        prop_assert_eq!(found, model(&named, peer_address, false), "{:?}", plain);
        let elements = fields(&|text, quoted| element(text, quoted, more));
        let found = client_address(&trusting().forwarded(), "forwarded", peer, &elements);
        prop_assert_eq!(found, model(&named, peer_address, true), "{:?}", elements);
    }

    #[test]
    fn text_from_the_client_does_not_change_the_address_that_proxies_report(
        junk in vec(vec(any::<u8>(), 0..60), 0..20),
        opened in select(vec!["", "\"", "for=\"", "\\", "for=\"\\", "a;\"b", "for=10.0.0.5"]),
    ) {
        for (guard, name, before) in [(trusting(), "x-forwarded-for", ""), (trusting().forwarded(), "forwarded", "for=")] {
            let own = format!("{opened}, {before}203.0.113.9");
            let mut fields = junk.clone();
            fields.push([junk.concat(), own.into_bytes()].concat());
            fields.push(format!("{before}10.0.0.2").into());
            prop_assert_eq!(client_address(&guard, name, "10.0.0.1", &fields), Some([203, 0, 113, 9].into()), "{}", name);
        }
    }
}

#[test]
fn without_a_peer_address_no_header_is_trusted() {
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
fn malformed_networks_are_refused() {
    for text in ["", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0/8 ", "::/129"] {
        assert!(guard().trusted_proxy(text).is_err(), "{text:?}");
    }
}
