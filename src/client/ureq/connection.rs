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
//! such a connection, and only while no byte of the answer has come, is the end [`Stale`]. Some servers
//! also say 408 before they close it: see [`was_reused`].
//!
//! A server may also answer before it has the whole request. ureq does not read before it has written all
//! of a request. So a connection looks for an answer before each further part of a request, and once an
//! answer has begun, the rest of the request is not sent: ureq is told that it was. Such a connection is not
//! used again.

use core::{cell::Cell, error, fmt, time::Duration};
use std::{boxed::Box, io::ErrorKind, thread_local};

use ureq::{
    Error,
    unversioned::transport::{
        Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, Transport,
    },
};

use super::{
    exhaustion::is_exhaustion,
    fields,
    tcp::{self, Tcp},
};

/// How long a look for an early answer may take when something has come that is not part of one, such as
/// a message of TLS.
const LOOK: Duration = Duration::from_millis(1);

thread_local! {
    static REUSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the last request of this thread went out on a connection that had carried another.
pub(super) fn was_reused() -> bool {
    REUSED.get()
}

/// A connection that was open before the request ended without a byte of the answer.
#[derive(Debug)]
pub(super) struct Stale;

/// The connection broke. ureq would otherwise take that for the end of an answer without a length.
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
        Ok(transport.map(|inner| -> Self::Out { Box::new(Watched::new(inner)) }))
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
    /// An answer is coming, or has come.
    Answered,
    /// A request goes out after the answer to another, and no byte of its own answer has come.
    Reused,
}

#[derive(Debug)]
struct Watched {
    inner: Box<dyn Transport>,
    state: State,
    /// A part of a request has gone out.
    sending: bool,
    /// The length of the input when a look has found some. ureq waits for input without knowing that.
    found: usize,
    /// The answer began before the request had gone out. Nothing is sent any more.
    early: bool,
}

impl Watched {
    fn new(inner: Box<dyn Transport>) -> Self {
        Self { inner, state: State::Fresh, sending: false, found: 0, early: false }
    }

    fn ended(&self) -> Error {
        if self.state == State::Reused { Error::Other(Box::new(Stale)) } else { Error::Other(Box::new(Broken)) }
    }

    /// What `error` is, given what has gone over the connection.
    fn check(&self, error: Error) -> Error {
        match error {
            Error::Io(error) if tcp::is_closed(&error) => self.ended(),
            error => error,
        }
    }

    /// Reads what has come, without waiting for more, and says whether it is an answer's beginning.
    fn look(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let after = LOOK.min(*timeout.after).into();
        match self.inner.await_input(NextTimeout { after, ..timeout }) {
            Ok(true) => {
                self.state = State::Answered;
                let input = self.inner.buffers().input();
                self.found = input.len();
                Ok(answer_has_begun(input))
            }
            Ok(false) => Err(self.ended()),
            Err(Error::Timeout(_)) => Ok(false),
            Err(error) => Err(self.check(error)),
        }
    }
}

/// Whether the input has come to an answer's status, past those of 100 to 199. After them the rest of the
/// request is still wanted.
fn answer_has_begun(mut input: &[u8]) -> bool {
    const VERSION: usize = b"HTTP/1.1 ".len();
    while input.get(VERSION) == Some(&b'1') {
        let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
        input = input.get(end.saturating_add(4)..).unwrap_or_default();
    }
    input.len() > VERSION
}

impl Transport for Watched {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if !self.sending {
            REUSED.set(self.state == State::Answered);
            if self.state == State::Answered {
                self.state = State::Reused;
            }
        } else if !self.early && !self.inner.is_open() {
            self.early = self.look(timeout)?;
        }
        self.sending = true;
        if self.early {
            return Ok(());
        }
        fields::transmit(&mut *self.inner, amount, timeout).map_err(|error| self.check(error))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.sending = false;
        let found = core::mem::take(&mut self.found);
        if found > 0 && found == self.inner.buffers().input().len() {
            return Ok(true);
        }
        let came = self.inner.await_input(timeout).map_err(|error| self.check(error))?;
        if came {
            self.state = State::Answered;
        } else if self.state == State::Reused {
            return Err(self.ended());
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        !self.early && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
