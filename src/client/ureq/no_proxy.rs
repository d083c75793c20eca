//! `no_proxy`, as curl reads it. The format stands in the documentation of
//! [`proxy_from_env`](super::UreqTransportBuilder::proxy_from_env).

use core::net::IpAddr;

use ipnet::IpNet;

/// Whether that list has the host, which is a name or an address without brackets.
pub(super) fn exempts(list: &str, host: &str, port: u16) -> bool {
    let entries = || list.split([',', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty());
    if entries().eq(["*"]) {
        return true;
    }
    let host = Host::new(host);
    entries().filter_map(|entry| at_port(entry, port)).any(|entry| host.is_in(entry))
}

/// The entry without its port, unless that is another one.
fn at_port(entry: &str, port: u16) -> Option<&str> {
    let (host, its_port) = match entry.strip_prefix('[') {
        Some(rest) => {
            let (addr, rest) = rest.split_once(']')?;
            (addr, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match entry.split_once(':') {
            // Two colons are of an IPv6 address.
            Some((host, its_port)) if !its_port.contains(':') => (host, Some(its_port)),
            _ => (entry, None),
        },
    };
    its_port.is_none_or(|its_port| its_port.parse() == Ok(port)).then_some(host)
}

enum Host<'h> {
    Name(&'h str),
    Addr(IpAddr),
}

impl<'h> Host<'h> {
    fn new(host: &'h str) -> Self {
        host.parse().map_or_else(|_| Self::Name(without_dot(host)), Self::Addr)
    }

    fn is_in(&self, entry: &str) -> bool {
        match self {
            Self::Addr(addr) => match entry.parse::<IpNet>() {
                Ok(network) => network.contains(addr),
                Err(_) => entry.parse() == Ok(*addr),
            },
            Self::Name(name) => {
                let domain = without_dot(entry.strip_prefix('.').unwrap_or(entry));
                let Some((above, end)) =
                    name.len().checked_sub(domain.len()).and_then(|start| name.split_at_checked(start))
                else {
                    return false;
                };
                !domain.is_empty() && end.eq_ignore_ascii_case(domain) && (above.is_empty() || above.ends_with('.'))
            }
        }
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::exempts;

    #[test]
    fn hosts_without_a_proxy_are_those_that_curl_finds() {
        const HTTPS: u16 = 443;
        #[rustfmt::skip]
        let table: &[(&str, &str, u16, bool)] = &[
            ("", "example.com", HTTPS, false),
            (",, ,", "example.com", HTTPS, false),
            // All hosts.
            ("*", "example.com", HTTPS, true),
            (" *, ", "192.0.2.1", HTTPS, true),
            ("*", "::1", 8080, true),
            ("*,other.example", "example.com", HTTPS, false),
            ("*.example.com", "a.example.com", HTTPS, false),
            ("*com", "example.com", HTTPS, false),
            // Names and the names below.
            ("example.com", "example.com", HTTPS, true),
            ("example.com", "a.example.com", HTTPS, true),
            ("example.com", "a.b.example.com", HTTPS, true),
            ("example.com", "badexample.com", HTTPS, false),
            ("example.com", "example.com.evil", HTTPS, false),
            ("example.com", "com", HTTPS, false),
            ("example.com", "example.org", HTTPS, false),
            (".example.com", "example.com", HTTPS, true),
            (".example.com", "a.example.com", HTTPS, true),
            (".example.com", "badexample.com", HTTPS, false),
            ("a.example.com", "example.com", HTTPS, false),
            ("com", "example.com", HTTPS, true),
            (".", "example.com", HTTPS, false),
            ("..", "example.com", HTTPS, false),
            ("localhost", "localhost", 80, true),
            // Case and dots.
            ("EXAMPLE.com", "example.COM", HTTPS, true),
            ("example.com.", "a.example.com", HTTPS, true),
            ("example.com", "a.example.com.", HTTPS, true),
            (".Example.Com.", "EXAMPLE.com.", HTTPS, true),
            ("пример", "р", HTTPS, false),
            // Separators.
            ("other.example,example.com", "example.com", HTTPS, true),
            ("other.example, example.com", "example.com", HTTPS, true),
            ("other.example example.com", "example.com", HTTPS, true),
            ("\tother.example\texample.com ", "example.com", HTTPS, true),
            ("other.example;example.com", "example.com", HTTPS, false),
            // Ports.
            ("example.com:443", "example.com", HTTPS, true),
            ("example.com:443", "a.example.com", HTTPS, true),
            ("example.com:8443", "example.com", HTTPS, false),
            ("example.com:8443", "example.com", 8443, true),
            ("example.com:", "example.com", HTTPS, false),
            ("example.com:port", "example.com", HTTPS, false),
            ("example.com:65979", "example.com", HTTPS, false),
            // Addresses.
            ("192.0.2.1", "192.0.2.1", HTTPS, true),
            ("192.0.2.1", "192.0.2.10", HTTPS, false),
            ("192.0.2.1:80", "192.0.2.1", 80, true),
            ("192.0.2.1:80", "192.0.2.1", HTTPS, false),
            ("0.2.1", "192.0.2.1", HTTPS, false),
            (".0.2.1", "192.0.2.1", HTTPS, false),
            ("192.0.2.1", "1.192.0.2.1.example", HTTPS, false),
            ("::1", "::1", HTTPS, true),
            ("[::1]", "::1", HTTPS, true),
            ("[::1]:8080", "::1", 8080, true),
            ("[::1]:8080", "::1", HTTPS, false),
            ("[::1]8080", "::1", 8080, false),
            ("[::1", "::1", HTTPS, false),
            ("0:0:0:0:0:0:0:1", "::1", HTTPS, true),
            ("2001:DB8::A", "2001:db8::a", HTTPS, true),
            ("::2", "::1", HTTPS, false),
            // Networks.
            ("192.0.2.0/24", "192.0.2.255", HTTPS, true),
            ("192.0.2.77/24", "192.0.2.1", HTTPS, true),
            ("192.0.2.0/24", "192.0.3.0", HTTPS, false),
            ("192.0.2.0/33", "192.0.2.0", HTTPS, false),
            ("192.0.2.0/", "192.0.2.0", HTTPS, false),
            ("0.0.0.0/0", "198.51.100.7", HTTPS, true),
            ("0.0.0.0/0", "::1", HTTPS, false),
            ("0.0.0.0/0", "example.com", HTTPS, false),
            ("2001:db8::/32", "2001:db8:1::2", HTTPS, true),
            ("2001:db8::/32", "2001:db9::", HTTPS, false),
            ("::/0", "::1", HTTPS, true),
            ("::/0", "127.0.0.1", HTTPS, false),
        ];
        for &(list, host, port, expected) in table {
            assert_eq!(exempts(list, host, port), expected, "{list:?} for {host:?} at {port}");
        }
    }
}
