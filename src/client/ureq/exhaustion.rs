//! Errors that say that this process or machine is out of something.
//!
//! They are not the platform's doing. Whoever sends many requests can bring them about, so they must not
//! look like an outage, which may let a request through.

use core::{
    error, fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};
use std::{
    boxed::Box,
    io::{self, ErrorKind},
    net::UdpSocket,
    string::ToString as _,
};

use ureq::Error;

/// The codes that `ErrorKind` has no stable name for. It does name the lack of memory.
mod code {
    /// `EMFILE`: this process may not open more files.
    #[cfg(unix)]
    const EMFILE: i32 = 24;
    /// `ENFILE`: this machine may not open more files.
    #[cfg(unix)]
    const ENFILE: i32 = 23;
    /// `ENOBUFS`: no memory for the network.
    #[cfg(all(
        any(target_os = "linux", target_os = "android"),
        not(any(
            target_arch = "mips",
            target_arch = "mips32r6",
            target_arch = "mips64",
            target_arch = "mips64r6",
            target_arch = "sparc",
            target_arch = "sparc64"
        ))
    ))]
    const ENOBUFS: i32 = 105;
    #[cfg(any(
        all(
            target_os = "linux",
            any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6")
        ),
        target_os = "solaris",
        target_os = "illumos"
    ))]
    const ENOBUFS: i32 = 132;
    /// macOS, the BSDs, and Linux on SPARC, which has the numbers of SunOS 4.
    #[cfg(all(
        unix,
        not(all(target_os = "linux", not(any(target_arch = "sparc", target_arch = "sparc64")))),
        not(any(target_os = "android", target_os = "solaris", target_os = "illumos"))
    ))]
    const ENOBUFS: i32 = 55;

    #[cfg(unix)]
    pub(super) const ALL: &[i32] = &[EMFILE, ENFILE, ENOBUFS];
    /// `ERROR_TOO_MANY_OPEN_FILES`, `WSAEMFILE`, `WSAENOBUFS`.
    #[cfg(windows)]
    pub(super) const ALL: &[i32] = &[4, 10_024, 10_055];
    #[cfg(not(any(unix, windows)))]
    pub(super) const ALL: &[i32] = &[];
}

/// What `getaddrinfo` says when it lacks memory (`EAI_MEMORY`): glibc, macOS and the BSDs; musl. Rust hands
/// on the text alone.
const NO_MEMORY: [&str; 2] = ["Memory allocation failure", "Out of memory"];

/// This process or machine is out of file descriptors, memory, threads or local ports.
#[derive(Debug)]
pub(super) struct Exhausted;

impl Exhausted {
    pub(super) fn error() -> Error {
        Error::Other(Box::new(Self))
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this process is out of file descriptors, memory, threads or local ports")
    }
}

impl error::Error for Exhausted {}

/// Whether any operation that fails with `error` does so for lack of descriptors or memory.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    error.kind() == ErrorKind::OutOfMemory || error.raw_os_error().is_some_and(|code| code::ALL.contains(&code))
}

/// The same of a connection to `addr`, which also takes a local port.
pub(super) fn refuses_connection(error: &io::Error, addr: &SocketAddr) -> bool {
    match error.kind() {
        // No local port is left. Or no local address can reach the other one: IPv6 is turned off, for
        // example. Then a socket that needs no port of TCP fails as well.
        ErrorKind::AddrNotAvailable => has_route(addr),
        // Linux has no room for the route, Windows no local port. The time for the connection is not up:
        // that is `TimedOut`.
        ErrorKind::WouldBlock | ErrorKind::AddrInUse => true,
        _ => is_exhaustion(error),
    }
}

/// The same of a look-up. `getaddrinfo` often says no more than that the name is not known.
pub(super) fn refuses_look_up(error: &io::Error) -> bool {
    let text = error.to_string();
    is_exhaustion(error) || NO_MEMORY.iter().any(|message| text.contains(message)) || !has_descriptors()
}

/// Whether a look-up can open the files and sockets that it needs.
fn has_descriptors() -> bool {
    let sockets = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)));
    !sockets.iter().any(|socket| matches!(socket, Err(error) if is_exhaustion(error)))
}

/// Whether a packet to `addr` could be sent. No packet is sent.
fn has_route(addr: &SocketAddr) -> bool {
    let socket = match addr {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    };
    socket.and_then(|socket| socket.connect(addr)).map_or_else(|error| is_exhaustion(&error), |()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_exhaustion_are_known_and_others_are_not() {
        assert!(is_exhaustion(&ErrorKind::OutOfMemory.into()));
        for &code in code::ALL {
            assert!(is_exhaustion(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::NotFound, ErrorKind::WouldBlock, ErrorKind::TimedOut] {
            assert!(!is_exhaustion(&kind.into()), "{kind}");
        }
    }

    /// The numbers are those of this machine: the error's text is the system's.
    #[cfg(target_os = "linux")]
    #[test]
    fn codes_are_those_of_the_operating_system() {
        let texts = code::ALL.iter().map(|&code| io::Error::from_raw_os_error(code).to_string());
        let expected = ["Too many open files", "Too many open files in system", "No buffer space available"];
        for (text, expected) in texts.zip(expected) {
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn address_that_nothing_here_can_reach_is_not_exhaustion() {
        let error = ErrorKind::AddrNotAvailable.into();
        assert!(refuses_connection(&error, &SocketAddr::from((Ipv4Addr::LOCALHOST, 1))));
        // A socket must be told that it may broadcast.
        let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, 1));
        assert!(!refuses_connection(&error, &nowhere));
    }

    #[test]
    fn look_up_without_memory_is_exhaustion() {
        for (text, expected) in [
            ("failed to lookup address information: Memory allocation failure", true),
            ("failed to lookup address information: Out of memory", true),
            ("failed to lookup address information: Name or service not known", false),
            ("failed to lookup address information: Temporary failure in name resolution", false),
        ] {
            assert_eq!(refuses_look_up(&io::Error::other(text)), expected, "{text}");
        }
    }
}
