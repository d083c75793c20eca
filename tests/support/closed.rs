//! An address at which nobody listens any more.

use std::{net::SocketAddr, thread, time::Duration};

use socket2::{Domain, Socket, Type};

/// Binds the address of a platform that has ended, so that no other test gets it. It does not listen. While another test
/// starts a program, the new process holds a copy of the platform's listener for a moment. So this waits for the address.
pub fn closed(url: &str) -> Socket {
    let address = url.split('/').nth(2).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    let is_bound = || socket.bind(&address.into()).is_ok();
    let waits = || {
        thread::sleep(Duration::from_millis(10));
        false
    };
    assert!((0..1000).any(|_| is_bound() || waits()), "{address} stays in use");
    socket
}
