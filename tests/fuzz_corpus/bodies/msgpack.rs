//! MessagePack payloads: `rmp` is the second implementation.

use super::{claims::check_payload, trees};

/// The library reads a payload as `rmp` does.
pub fn body(payload: &[u8]) {
    if trees::is_message_pack(payload) {
        check_payload(payload, trees::msgpack(payload).as_ref());
    }
}
