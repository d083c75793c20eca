//! Keeps header fields out of logs: `ureq-proto` writes all that it sends to the log, at level trace.
//!
//! So ureq is not told of a call's header fields. They are put into the head of the request when it
//! leaves, behind what ureq has to say. Until then they are kept with the thread that the call runs on.

use core::cell::RefCell;
use std::{thread_local, vec::Vec};

use ureq::{
    Error,
    http::{HeaderName, HeaderValue, header},
    unversioned::transport::{NextTimeout, Transport},
};

thread_local! {
    static FIELDS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Header fields as they stand in a request.
///
/// # Errors
///
/// One is not a header field, or is one that HTTP and ureq decide on.
pub(super) fn write(headers: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
    let mut fields = Vec::new();
    for (name, value) in headers {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|error| Error::Http(error.into()))?;
        HeaderValue::from_str(value).map_err(|error| Error::Http(error.into()))?;
        if [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::EXPECT]
            .contains(&known)
        {
            return Err(Error::BadUri("header".into()));
        }
        for part in [name, ": ", value, "\r\n"] {
            fields.extend_from_slice(part.as_bytes());
        }
    }
    Ok(fields)
}

/// Runs `send`, in which the next request has these fields.
pub(super) fn with<T>(fields: Vec<u8>, send: impl FnOnce() -> T) -> T {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            FIELDS.take();
        }
    }
    let _clear = Clear;
    FIELDS.set(fields);
    send()
}

/// Transmits the first `amount` bytes of the output, and with the first of a request its header fields.
pub(super) fn transmit(transport: &mut dyn Transport, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
    let fields = FIELDS.take();
    if fields.is_empty() {
        return transport.transmit_output(amount, timeout);
    }
    let request = transport.buffers().output().get(..amount).unwrap_or_default();
    // ureq's part of the head fits into the output, since a URL is not that long.
    let end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some((front, rest)) = end.and_then(|end| request.split_at_checked(end.saturating_add(2))) else {
        return Err(Error::BadUri("head".into()));
    };
    let request = [front, &fields, rest].concat();
    let max = transport.buffers().output().len().max(1);
    for part in request.chunks(max) {
        if let Some(output) = transport.buffers().output().get_mut(..part.len()) {
            output.copy_from_slice(part);
        }
        transport.transmit_output(part.len(), timeout)?;
    }
    Ok(())
}
