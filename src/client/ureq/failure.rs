//! What an error of ureq's is for the client.

use core::error::Error as StdError;
use std::io;

use rustls::Error as TlsError;
use ureq::{Error, Timeout};

use super::{
    connection::{NotConnected, Stale},
    exhaustion::{Exhausted, is_exhaustion},
};
use crate::{
    client::transport::TransportError,
    policy::{Fault, Outage, Overload},
};

/// Whether the request may be sent once more.
pub(super) fn is_stale(error: &Error) -> bool {
    matches!(error, Error::Other(error) if error.is::<Stale>())
}

/// The table stands in the documentation of [`UreqTransport`](super::UreqTransport).
pub(super) fn transport_error(error: Error) -> TransportError {
    match error {
        Error::HostNotFound => TransportError::Outage(Outage::Dns),
        Error::Timeout(Timeout::Connect) | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => {
            TransportError::Outage(Outage::Connect)
        }
        Error::Timeout(_) => TransportError::Outage(Outage::Timeout),
        Error::Io(error) => io_error(&error),
        Error::Rustls(error) => tls_error(&error),
        Error::Other(error) if error.is::<NotConnected>() => TransportError::Outage(Outage::Connect),
        Error::Other(error) if error.is::<Exhausted>() => TransportError::Overload(Overload::OutOfResources),
        // `Stale` and `Broken`.
        Error::Other(_) => TransportError::Outage(Outage::Reset),
        Error::BodyExceedsLimit(_) => TransportError::OVERSIZED,
        Error::Http(_) | Error::BadUri(_) | Error::RequireHttpsOnly(_) | Error::Tls(_) | Error::TlsRequired => {
            TransportError::Fault(Fault::NotSent)
        }
        // `Protocol`, `LargeResponseHeader` and the like.
        _ => TransportError::Fault(Fault::Unreadable),
    }
}

fn io_error(error: &io::Error) -> TransportError {
    let inner: Option<&(dyn StdError + 'static)> = error.get_ref().map(|inner| -> &(dyn StdError + 'static) { inner });
    match inner.and_then(|inner| inner.downcast_ref()) {
        Some(error) => tls_error(error),
        None if is_exhaustion(error) => TransportError::Overload(Overload::OutOfResources),
        None => TransportError::Outage(Outage::Reset),
    }
}

fn tls_error(error: &TlsError) -> TransportError {
    match error {
        TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented => {
            TransportError::Fault(Fault::UntrustedCertificate)
        }
        TlsError::FailedToGetRandomBytes => TransportError::Overload(Overload::NoRandomness),
        // The peer does not want the connection.
        TlsError::AlertReceived(_) => TransportError::Outage(Outage::Connect),
        _ => TransportError::Fault(Fault::Unreadable),
    }
}
