//! What an error of `ureq`'s means; the table is in the module above.

use std::io;

use ureq::{Error, Timeout};

use crate::{
    client::TransportError,
    policy::{Fault, Outage},
};

pub(super) fn of(error: &Error) -> TransportError {
    match error {
        Error::Io(error) => of_io(error),
        Error::Timeout(Timeout::Resolve) | Error::HostNotFound => TransportError::Outage(Outage::Dns),
        Error::Timeout(Timeout::Connect) | Error::ConnectionFailed => TransportError::Outage(Outage::Connect),
        Error::Timeout(_) => TransportError::Outage(Outage::Timeout),
        Error::Rustls(error) => of_tls(error),
        _ => TransportError::Fault(Fault::Unreadable),
    }
}

/// Also for what `ureq` and `rustls` wrap.
pub(super) fn of_io(error: &io::Error) -> TransportError {
    if let Some(inner) = error.get_ref() {
        if let Some(error) = inner.downcast_ref::<Error>() {
            return of(error);
        }
        if let Some(error) = inner.downcast_ref::<rustls::Error>() {
            return of_tls(error);
        }
    }
    TransportError::Outage(match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => Outage::Connect,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Outage::Timeout,
        _ => Outage::Reset,
    })
}

fn of_tls(error: &rustls::Error) -> TransportError {
    TransportError::Fault(match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Fault::UntrustedCertificate,
        _ => Fault::Unreadable,
    })
}
