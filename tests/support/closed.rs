//! An address at which nobody listens any more.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// Binds the address of a platform that has ended, so that no other test gets it. It does not listen.
pub fn closed(url: &str) -> Socket {
    let address = url.split('/').nth(2).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}
