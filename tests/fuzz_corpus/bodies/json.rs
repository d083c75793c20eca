//! JSON payloads: `serde_json` is the second implementation.

use super::{claims::check_payload, trees};

/// The library reads a payload as `serde_json` does.
pub fn body(payload: &[u8]) {
    if !trees::is_message_pack(payload) {
        check_payload(payload, trees::json(payload).as_ref());
    }
}
