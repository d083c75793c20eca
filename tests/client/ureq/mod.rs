//! The transport over ureq, with handwritten servers on bare sockets.

mod answers;
mod configuration;
mod connections;
mod deadlines;
mod early;
mod environment;
#[cfg(target_os = "linux")]
mod faults;
mod logs;
mod proxy;
pub(crate) mod server;
mod tls;

use std::time::Duration;

use apikee::{
    client::{Call, Received, Transport as _, TransportError, UreqTransport},
    protocol::HttpMethod,
};

/// Enough for everything that must not time out.
const AMPLE: Duration = Duration::from_secs(20);

fn call(timeout: Duration) -> Call<'static> {
    Call {
        method: HttpMethod::Post,
        target: "/client/validate/7",
        headers: &[("x-api-key", "sk_test_secret"), ("User-Agent", "apikee-test/1"), ("Content-Type", "text/plain")],
        body: b"the body",
        timeout,
    }
}

/// Makes the call, and returns the result and the body.
fn post(transport: &UreqTransport, timeout: Duration) -> Result<(Received, Vec<u8>), TransportError> {
    let mut answer = vec![0; 64 * 1024];
    let received = transport.call(&call(timeout), &mut answer)?;
    answer.truncate(received.len);
    Ok((received, answer))
}
