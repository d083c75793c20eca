//! Connections that know what has gone over them.
//!
//! ```text
//! Fresh ──── answer ───> Answered ── request ──> Reused
//!   closed: no answer        ^  closed: half an     │  closed: Stale, the one
//!                            │  answer              │  case for another try
//!                            └────── answer ────────┘
//! ```
//!
//! A server may close a connection that has been idle just while a request is under way to it. Only on
//! such a connection, and only while no byte of the answer has come, is the end [`Stale`].

use core::{error, fmt};
use std::{boxed::Box, io::ErrorKind};

use ureq::{
    Error,
    unversioned::transport::{
        Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, Transport,
    },
};

use super::{exhaustion::is_exhaustion, fields, tcp::Tcp};

/// A connection that was open before the request ended without a byte of the answer.
#[derive(Debug)]
pub(super) struct Stale;

/// The connection broke, which ureq would else take for the end of an answer without a length.
#[derive(Debug)]
pub(super) struct Broken;

/// The connection could not be made: an error before the first byte of a request.
#[derive(Debug)]
pub(super) struct NotConnected;

macro_rules! message {
    ($($name:ident: $message:literal,)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($message)
            }
        }
        impl error::Error for $name {}
    )*};
}

message! {
    Stale: "the idle connection was closed",
    Broken: "the connection broke",
    NotConnected: "could not connect",
}

/// TCP, through a proxy if there is one, and TLS if the URL says so.
pub(super) struct Connect {
    chain: Box<dyn Connector<(), Out = Box<dyn Transport>>>,
    proxied: bool,
}

impl Connect {
    pub(super) fn new(proxied: bool) -> Self {
        let chain = ().chain(ConnectProxyConnector::default()).chain(Tcp).chain(RustlsConnector::default());
        Self { chain: Box::new(chain.chain(Boxed)), proxied }
    }
}

impl Connector for Connect {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            // The configurations of calls differ in their timeouts only. That of TLS is the agent's,
            // which keeps it, and the sessions that can be resumed.
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let transport = self.chain.connect(&details, chained).map_err(before_request)?;
        // The connection to the proxy is part of the one that is watched.
        if self.proxied && details.config.proxy().is_none() {
            return Ok(transport);
        }
        Ok(transport.map(|inner| -> Self::Out { Box::new(Watched { inner, state: State::Fresh }) }))
    }
}

fn before_request(error: Error) -> Error {
    match error {
        // TLS says what it has against the peer in an error of I/O.
        Error::Io(error) if error.kind() != ErrorKind::InvalidData && !is_exhaustion(&error) => {
            Error::Other(Box::new(NotConnected))
        }
        error => error,
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Boxed;

impl<In: Transport> Connector<In> for Boxed {
    type Out = Box<dyn Transport>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|transport| -> Self::Out { Box::new(transport) }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No byte has ever come.
    Fresh,
    /// An answer comes, or has come.
    Answered,
    /// A request goes out after the answer to another, and no byte of its own answer has come.
    Reused,
}

#[derive(Debug)]
struct Watched {
    inner: Box<dyn Transport>,
    state: State,
}

impl Watched {
    fn ended(&self) -> Error {
        if self.state == State::Reused { Error::Other(Box::new(Stale)) } else { Error::Other(Box::new(Broken)) }
    }

    /// What `error` is, given what has gone over the connection.
    fn check(&self, error: Error) -> Error {
        match error {
            Error::Io(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof
                        | ErrorKind::ConnectionReset
                        | ErrorKind::ConnectionAborted
                        | ErrorKind::BrokenPipe
                        | ErrorKind::NotConnected
                ) =>
            {
                self.ended()
            }
            error => error,
        }
    }
}

impl Transport for Watched {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.state == State::Answered {
            self.state = State::Reused;
        }
        fields::transmit(&mut *self.inner, amount, timeout).map_err(|error| {
            // The peer may have answered before it closed.
            if self.state == State::Reused && matches!(self.inner.await_input(timeout), Ok(true)) {
                self.state = State::Answered;
            }
            self.check(error)
        })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let came = self.inner.await_input(timeout).map_err(|error| self.check(error))?;
        if came {
            self.state = State::Answered;
        } else if self.state == State::Reused {
            return Err(self.ended());
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
