//! The layer that uses ureq's unversioned parts. Its connections keep the deadline of a call, remember what was sent
//! and received, and keep header fields out of logs.
//!
//! ```text
//! ureq ──> Connect: proxy ──> Tcp ──> TLS ──> Watched
//!
//! Fresh ──── answer ───> Answered ── request ──> Reused
//!   closed: no answer        ^  closed: half an     │  closed: Stale, the one
//!                            │  answer              │  case for another try
//!                            └────── answer ────────┘
//! ```
//!
//! - **Deadline.** A call runs on one thread from its look-up to its last byte. So the deadline is in a thread-local
//!   variable. ureq alone would restart the time for some steps, such as a `CONNECT` to a proxy.
//! - **Header fields.** `ureq-proto` logs everything that it sends, at level trace. So ureq does not receive the header
//!   fields of a call: they are in a thread-local variable, too, and written into the head of the request when it is
//!   sent.
//! - **Another try.** A server may close an idle connection while a request is on its way. The error
//!   [`ConnectionError::Stale`] means exactly this: the connection was idle before, and no byte of the answer has
//!   arrived. Some servers also answer 408 before they close it: see [`was_reused`].
//! - **Early answers.** A server may answer after it has read only a part of the request, and then stop reading or
//!   close the connection. ureq does not read before it has written the whole request. So [`Watched`] looks for an
//!   answer before each further part of a request. Once an answer has begun, the rest of the request is not sent, but
//!   ureq believes that it was. The connection is not used again.
//! - **Writing.** ureq's own connections restart the timeout for each part of a write, so a peer that reads a little
//!   from time to time can hold a call longer than its timeout. [`Tcp`] does not restart it. If the peer does not read
//!   but has sent something, the rest of the output is stored, and the layers above read first. It is written when
//!   there is no more input. If the peer has closed the connection and there is input left, the output is thrown away.
//!   The layers above read the input first, and then see that the connection is broken.
//! - **Exhaustion.** Some errors mean that this process or machine is out of a resource. The platform does not cause
//!   them, but a caller who sends many requests can. So they must not look like an outage, which may let a request
//!   through.

use core::{
    cell::{Cell, RefCell},
    fmt, mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use std::{
    boxed::Box,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{TcpStream, UdpSocket},
    string::ToString as _,
    thread_local,
    time::Instant,
    vec::Vec,
};

use ureq::{
    Error, Timeout,
    http::{HeaderName, header},
    unversioned::transport::{
        Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
        RustlsConnector, Transport,
    },
};

use crate::{
    client::gate::{Plaintext, usual_lateness},
    crypto::Zeroize as _,
    error::sentences,
};

/// Time limit for a look for an early answer. It matters if something arrived that is not part of an answer, such as a
/// TLS message.
const LOOK: Duration = Duration::from_millis(1);

/// Time that a write waits before it looks for input. On Windows, a write that times out does not tell how much it has
/// sent.
const PATIENCE: Duration = if cfg!(windows) { Duration::MAX } else { Duration::from_millis(20) };

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The next request's header fields, in the format of HTTP/1.1.
    static FIELDS: RefCell<Plaintext> = const { RefCell::new(Plaintext::EMPTY) };
    static REUSED: Cell<bool> = const { Cell::new(false) };
}

/// While it exists, all work of this thread must end before a deadline. On drop, the earlier deadline applies again,
/// and header fields that were not sent are removed.
#[must_use]
pub(super) struct Scope(Option<Instant>);

impl Scope {
    /// For a call that must end at `deadline`.
    pub(super) fn until(deadline: Instant) -> Self {
        Self(DEADLINE.replace(Some(deadline)))
    }

    /// For a part of a call. It must end at `deadline`, and no later than the call.
    pub(super) fn sooner(deadline: Instant) -> Self {
        Self::until(DEADLINE.get().map_or(deadline, |of_call| of_call.min(deadline)))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DEADLINE.set(self.0);
        FIELDS.take();
    }
}

/// The time limit for an operation, at most ureq's `timeout` and the time until the deadline: more than zero.
pub(super) fn remaining(timeout: NextTimeout) -> Result<Duration, Error> {
    let left = DEADLINE
        .get()
        .map_or(*timeout.after, |deadline| deadline.saturating_duration_since(Instant::now()).min(*timeout.after));
    if left.is_zero() { Err(Error::Timeout(timeout.reason)) } else { Ok(left) }
}

/// Sets the header fields of this thread's next request.
///
/// # Errors
///
/// A field is not valid, or HTTP and ureq set it themselves.
pub(super) fn set_fields(headers: &[(&str, &str)]) -> Result<(), Error> {
    // Room for all fields, so that the buffer never moves and leaves no copy.
    let len = headers.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(4)).sum();
    let mut fields = Plaintext::with_capacity(len);
    for (name, value) in headers {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|error| Error::Http(error.into()))?;
        // The rule of `HeaderValue`, which would make a copy.
        if !value.bytes().all(|byte| byte == b'\t' || matches!(byte, b' '..=b'~')) {
            return Err(Error::BadUri("header".into()));
        }
        if [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::EXPECT]
            .contains(&known)
        {
            return Err(Error::BadUri("header".into()));
        }
        for part in [name, ": ", value, "\r\n"] {
            fields.extend(part.as_bytes());
        }
    }
    FIELDS.set(fields);
    Ok(())
}

/// Whether this thread's last request was sent on a connection that had carried another request before.
pub(super) fn was_reused() -> bool {
    REUSED.get()
}

/// Errors that ureq does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionError {
    /// A connection that was open before the request ended without a byte of the answer.
    Stale,
    /// The connection broke. ureq alone would take this for the end of an answer without a length.
    Broken,
    /// The connection could not be made: an error before the first byte of a request.
    NotConnected,
    /// This process or machine is out of file descriptors, memory, threads, local ports or processor time.
    Exhausted,
}

sentences!(
    ConnectionError,
    Stale: "the idle connection was closed",
    Broken: "the connection broke",
    NotConnected: "could not connect",
    Exhausted: "this process is out of file descriptors, memory, threads, local ports or processor time",
);

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Connects by TCP, through a proxy if there is one, and with TLS if the URL needs it.
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
            // The configurations of calls differ only in their timeouts. With `false`, TLS uses the agent's cached
            // configuration, and can resume its sessions.
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let start = Instant::now();
        let transport = self.chain.connect(&details, chained).map_err(|error| match error {
            // Only a lack of processor time makes a time limit end so late. While a proxy connects, ureq restarts the
            // time.
            Error::Timeout(Timeout::Connect)
                if details.config.proxy().is_none()
                    && start.elapsed()
                        > details.timeout.after.saturating_add(usual_lateness(*details.timeout.after)) =>
            {
                ConnectionError::Exhausted.into()
            }
            error => before_request(error),
        })?;
        // The connection to the proxy is inside the one that is watched.
        if self.proxied && details.config.proxy().is_none() {
            return Ok(transport);
        }
        Ok(transport.map(|inner| Watched::new(inner).boxed()))
    }
}

fn before_request(error: Error) -> Error {
    match error {
        // TLS reports its objections to the peer as an I/O error of this kind.
        Error::Io(error) if error.kind() != ErrorKind::InvalidData && !is_exhaustion(&error) => {
            ConnectionError::NotConnected.into()
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
        Ok(chained.map(Transport::boxed))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No byte has been received yet.
    Fresh,
    /// An answer is being received, or was received.
    Answered,
    /// A further request is being sent, and no byte of its answer has been received.
    Reused,
}

#[derive(Debug)]
struct Watched {
    inner: Box<dyn Transport>,
    state: State,
    /// A part of the request was sent.
    sending: bool,
    /// The length of the input that a look has found. ureq would wait for more input, because it does not know about
    /// it.
    found: usize,
    /// The answer began before the whole request was sent. Nothing more is sent.
    early: bool,
}

impl Watched {
    fn new(inner: Box<dyn Transport>) -> Self {
        Self { inner, state: State::Fresh, sending: false, found: 0, early: false }
    }

    fn ended(&self) -> Error {
        if self.state == State::Reused { ConnectionError::Stale } else { ConnectionError::Broken }.into()
    }

    /// Translates an error, depending on the state of the connection.
    fn check(&self, error: Error) -> Error {
        match error {
            Error::Io(error) if is_closed(&error) => self.ended(),
            error => error,
        }
    }

    /// Like [`check`](Self::check), after a part of a request. Then an alert of TLS breaks the connection. A request can
    /// cause it, so it is not a refused connection.
    fn check_input(&self, error: Error) -> Error {
        match error {
            Error::Io(error) if super::is_alert(&error) => self.ended(),
            error => self.check(error),
        }
    }

    /// The first `amount` bytes of the output, which are the start of a request, with these header fields in its head.
    fn request_with(&mut self, fields: &[u8], amount: usize) -> Result<Plaintext, Error> {
        let output = self.inner.buffers().output();
        debug_assert!(amount <= output.len(), "ureq transmits what it has written");
        let request = output.get(..amount).unwrap_or_default();
        // ureq's part of the head fits into the output, because the length of a URL is limited.
        let end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (front, rest) = end
            .and_then(|end| request.split_at_checked(end.saturating_add(2)))
            .ok_or_else(|| Error::BadUri("head".into()))?;
        Ok(Plaintext::of([front, fields, rest].concat()))
    }

    /// Reads the input that has arrived, without waiting for more. Returns whether it is the beginning of an answer.
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
            Err(error) => Err(self.check_input(error)),
        }
    }
}

/// Whether the input contains the status of an answer after all interim answers (100 to 199). After an interim answer,
/// the server still wants the rest of the request.
fn answer_has_begun(mut input: &[u8]) -> bool {
    const VERSION: usize = b"HTTP/1.1 ".len();
    while input.get(VERSION) == Some(&b'1') {
        let end = input.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let Some(rest) = end.and_then(|end| input.get(end.saturating_add(4)..)) else { return false };
        input = rest;
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
        let fields = FIELDS.take();
        if fields.as_bytes().is_empty() {
            return self.inner.transmit_output(amount, timeout).map_err(|error| self.check(error));
        }
        let request = self.request_with(fields.as_bytes(), amount)?;
        let max = self.inner.buffers().output().len().max(1);
        for part in request.as_bytes().chunks(max) {
            if let Some(output) = self.inner.buffers().output().get_mut(..part.len()) {
                output.copy_from_slice(part);
            }
            let sent = self.inner.transmit_output(part.len(), timeout);
            // ureq keeps the buffer for the next request, and does not wipe it.
            if let Some(output) = self.inner.buffers().output().get_mut(..part.len()) {
                output.zeroize();
            }
            sent.map_err(|error| self.check(error))?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.sending = false;
        let found = core::mem::take(&mut self.found);
        if found > 0 && found == self.inner.buffers().input().len() {
            return Ok(true);
        }
        let came = self.inner.await_input(timeout).map_err(|error| self.check_input(error))?;
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

#[derive(Debug)]
struct Tcp;

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, TcpTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // The connection is the tunnel through a proxy.
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let socket = Socket { stream: connect(details)?, closed: false };
        socket.unless_closed(socket.stream.set_nodelay(true))?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TcpTransport { socket, buffers, unsent: Vec::new(), is_below_tls: details.needs_tls() })))
    }
}

/// Tries one address after the other. Each except the last may use half of the remaining time. If none connects, the
/// first that did not answer gets the rest of the time: perhaps one packet was lost. The error is the last one, but a
/// later error does not replace a timeout.
fn connect(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let limit = Limit::new(details.timeout)?;
    let mut failure = Error::HostNotFound;
    let mut exhausted = false;
    let mut silent = None;
    let mut addrs = details.addrs.iter().peekable();
    while let Some(addr) = addrs.next().or_else(|| silent.take()) {
        let left = match limit.left() {
            Ok(left) => left,
            Err(error) => {
                failure = error;
                break;
            }
        };
        let more = addrs.peek().is_some();
        let share = if more { left.checked_div(2).unwrap_or(left).max(Duration::from_millis(1)) } else { left };
        match TcpStream::connect_timeout(addr, share) {
            Ok(stream) => return Ok(stream),
            Err(error) if refuses_connection(&error, addr) => exhausted = true,
            Err(error) if is_timeout(&error) => {
                failure = limit.check(error);
                silent = silent.or(more.then_some(addr));
            }
            // With more time, an earlier address might have answered. Load takes time, too, and must not look like a
            // platform that refuses connections.
            Err(_) if matches!(failure, Error::Timeout(_)) => {}
            Err(error) => failure = limit.check(error),
        }
    }
    // With enough resources, this address might have answered, whatever the errors of the others are.
    Err(if exhausted { ConnectionError::Exhausted.into() } else { failure })
}

/// Whether the error of a read or write means that the peer has closed the connection.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
    )
}

/// The time limit of an operation.
struct Limit {
    timeout: NextTimeout,
    end: Option<Instant>,
}

impl Limit {
    fn new(timeout: NextTimeout) -> Result<Self, Error> {
        let end = Instant::now().checked_add(remaining(timeout)?);
        Ok(Self { timeout, end })
    }

    /// The time that is left: more than zero.
    fn left(&self) -> Result<Duration, Error> {
        let left = self.end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() { Err(Error::Timeout(self.timeout.reason)) } else { Ok(left) }
    }

    fn check(&self, error: io::Error) -> Error {
        if is_timeout(&error) { Error::Timeout(self.timeout.reason) } else { Error::Io(error) }
    }
}

/// Unix reports the first kind, Windows the second.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// The peer has closed the connection, and output was thrown away.
    closed: bool,
}

impl Socket {
    /// The result of a read that does not wait. `None` if it would have to wait.
    fn glance(&self) -> Option<io::Result<usize>> {
        if let Err(error) = self.stream.set_nonblocking(true) {
            return Some(Err(error));
        }
        let peeked = match self.stream.peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            peeked => Some(peeked),
        };
        match self.stream.set_nonblocking(false) {
            Ok(()) => peeked,
            Err(error) => Some(Err(error)),
        }
    }

    /// The result of setting an option. After the peer has reset the connection, macOS refuses to set any option with
    /// `EINVAL`. That is ignored: the next read or write returns the real error. It does not wait, so it needs no
    /// timeout.
    fn unless_closed(&self, set: io::Result<()>) -> io::Result<()> {
        match set {
            Err(error) if error.kind() == ErrorKind::InvalidInput && self.glance().is_some() => Ok(()),
            set => set,
        }
    }

    fn has_input(&self) -> bool {
        matches!(self.glance(), Some(Ok(1..)))
    }

    /// Writes `output`. It stops if the peer does not read but has sent something. `sent` counts the bytes that the
    /// layers above need not write again.
    fn send(&mut self, output: &[u8], sent: &mut usize, limit: &Limit) -> Result<(), Error> {
        while let Some(rest) = output.get(*sent..).filter(|rest| !rest.is_empty()) {
            if self.closed {
                *sent = output.len();
                return Ok(());
            }
            self.unless_closed(self.stream.set_write_timeout(Some(limit.left()?.min(PATIENCE))))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(Error::Io(ErrorKind::WriteZero.into())),
                Ok(written) => *sent = sent.saturating_add(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    if self.has_input() {
                        return Ok(());
                    }
                }
                Err(error) if is_closed(&error) && self.has_input() => self.closed = true,
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(())
    }

    fn read(&self, input: &mut [u8], limit: &Limit) -> Result<usize, Error> {
        loop {
            self.unless_closed(self.stream.set_read_timeout(Some(limit.left()?)))?;
            match (&self.stream).read(input) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(|error| limit.check(error)),
            }
        }
    }
}

#[derive(Debug)]
struct TcpTransport {
    socket: Socket,
    buffers: LazyBuffers,
    /// Output that was not written: the peer had sent something first, or did not read in time.
    unsent: Vec<u8>,
    /// TLS leaves records in the buffer that it has not decrypted. Without TLS, ureq sees the buffer itself.
    is_below_tls: bool,
}

impl TcpTransport {
    fn send_unsent(&mut self, limit: &Limit) -> Result<(), Error> {
        let mut sent = 0;
        let result = self.socket.send(&self.unsent, &mut sent, limit);
        let rest = self.unsent.split_off(sent.min(self.unsent.len()));
        mem::replace(&mut self.unsent, rest).zeroize();
        result
    }
}

/// Without TLS, the head of a request has the project key.
impl Drop for TcpTransport {
    fn drop(&mut self) {
        self.unsent.zeroize();
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limit = Limit::new(timeout)?;
        self.send_unsent(&limit)?;
        let output = self.buffers.output();
        debug_assert!(amount <= output.len(), "ureq transmits what it has written");
        let output = output.get(..amount).unwrap_or_default();
        let mut sent = 0;
        if self.unsent.is_empty() {
            match self.socket.send(output, &mut sent, &limit) {
                // After an error, TLS would write everything again.
                Err(Error::Timeout(_)) if sent > 0 => {}
                result => result?,
            }
        }
        debug_assert!(sent <= output.len(), "no more is sent than there is");
        let rest = output.get(sent..).unwrap_or_default();
        if !rest.is_empty() {
            // Growing a buffer may move it and leave a copy behind.
            let unsent = [&*self.unsent, rest].concat();
            mem::replace(&mut self.unsent, unsent).zeroize();
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limit = Limit::new(timeout)?;
        if !self.unsent.is_empty() && !self.socket.has_input() {
            self.send_unsent(&limit)?;
        }
        let amount = self.socket.read(self.buffers.input_append_buf(), &limit)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// Whether the peer has neither closed the connection nor sent unexpected data.
    fn is_open(&mut self) -> bool {
        let has_records = self.is_below_tls && !self.buffers.input().is_empty();
        !self.socket.closed && !has_records && self.unsent.is_empty() && self.socket.glance().is_none()
    }
}

/// Error codes without a stable name in `ErrorKind`. (Lack of memory has one.)
mod code {
    /// `EMFILE`: this process has too many open files.
    #[cfg(unix)]
    const EMFILE: i32 = 24;
    /// `ENFILE`: this machine has too many open files.
    #[cfg(unix)]
    const ENFILE: i32 = 23;
    /// `ENOBUFS`: no memory for the network.
    #[cfg(all(
        any(target_os = "linux", target_os = "android"),
        not(any(
            target_arch = "mips",
            target_arch = "mips32r6",
            target_arch = "mips64",
            target_arch = "mips64r6",
            target_arch = "sparc",
            target_arch = "sparc64"
        ))
    ))]
    const ENOBUFS: i32 = 105;
    #[cfg(any(
        all(
            target_os = "linux",
            any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6")
        ),
        target_os = "solaris",
        target_os = "illumos"
    ))]
    const ENOBUFS: i32 = 132;
    /// macOS, the BSDs, and Linux on SPARC, which uses the numbers of SunOS 4.
    #[cfg(all(
        unix,
        not(all(target_os = "linux", not(any(target_arch = "sparc", target_arch = "sparc64")))),
        not(any(target_os = "android", target_os = "solaris", target_os = "illumos"))
    ))]
    const ENOBUFS: i32 = 55;

    #[cfg(unix)]
    pub(super) const ALL: &[i32] = &[EMFILE, ENFILE, ENOBUFS];
    /// `ERROR_TOO_MANY_OPEN_FILES`, `WSAEMFILE`, `WSAENOBUFS`.
    #[cfg(windows)]
    pub(super) const ALL: &[i32] = &[4, 10_024, 10_055];
    #[cfg(not(any(unix, windows)))]
    pub(super) const ALL: &[i32] = &[];
}

/// Texts of `getaddrinfo` for lack of memory (`EAI_MEMORY`): glibc, macOS and the BSDs; musl. Rust passes on only the
/// text.
const NO_MEMORY: [&str; 2] = ["Memory allocation failure", "Out of memory"];

/// Whether an operation failed for lack of descriptors or memory.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    error.kind() == ErrorKind::OutOfMemory || error.raw_os_error().is_some_and(|code| code::ALL.contains(&code))
}

/// Whether a connection to `addr` failed for lack of a resource. It also needs a local port.
fn refuses_connection(error: &io::Error, addr: &SocketAddr) -> bool {
    match error.kind() {
        // No local port is left. Or no local address can reach `addr`, for example because IPv6 is turned off. Then a
        // UDP socket, which needs no TCP port, fails, too.
        ErrorKind::AddrNotAvailable => has_route(addr),
        // Linux has no memory for the route, or Windows has no local port. This is not a timeout, which would be
        // `TimedOut`.
        ErrorKind::WouldBlock | ErrorKind::AddrInUse => true,
        _ => is_exhaustion(error),
    }
}

/// Whether a look-up failed for lack of a resource. `getaddrinfo` often reports that as an unknown name.
pub(super) fn refuses_look_up(error: &io::Error) -> bool {
    let text = error.to_string();
    is_exhaustion(error) || NO_MEMORY.iter().any(|message| text.contains(message)) || !has_descriptors()
}

/// Whether a look-up can open the files and sockets that it needs.
fn has_descriptors() -> bool {
    let sockets = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)));
    !sockets.iter().any(|socket| matches!(socket, Err(error) if is_exhaustion(error)))
}

/// Whether a packet to `addr` could be sent. No packet is sent.
fn has_route(addr: &SocketAddr) -> bool {
    let socket = match addr {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    };
    socket.and_then(|socket| socket.connect(addr)).map_or_else(|error| is_exhaustion(&error), |()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_exhaustion_are_known_and_others_are_not() {
        assert!(is_exhaustion(&ErrorKind::OutOfMemory.into()));
        for &code in code::ALL {
            assert!(is_exhaustion(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::NotFound, ErrorKind::WouldBlock, ErrorKind::TimedOut] {
            assert!(!is_exhaustion(&kind.into()), "{kind}");
        }
    }

    /// The numbers are correct on this machine, because the operating system makes the text of the error.
    #[cfg(target_os = "linux")]
    #[test]
    fn error_codes_match_those_of_the_operating_system() {
        let texts = code::ALL.iter().map(|&code| io::Error::from_raw_os_error(code).to_string());
        let expected = ["Too many open files", "Too many open files in system", "No buffer space available"];
        for (text, expected) in texts.zip(expected) {
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn address_that_nothing_here_can_reach_is_not_exhaustion() {
        let error = ErrorKind::AddrNotAvailable.into();
        assert!(refuses_connection(&error, &SocketAddr::from((Ipv4Addr::LOCALHOST, 1))));
        // Without the option for broadcasts, a socket refuses this address.
        let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, 1));
        assert!(!refuses_connection(&error, &nowhere));
    }

    #[test]
    fn look_up_without_memory_is_exhaustion() {
        for (text, expected) in [
            ("failed to lookup address information: Memory allocation failure", true),
            ("failed to lookup address information: Out of memory", true),
            ("failed to lookup address information: Name or service not known", false),
            ("failed to lookup address information: Temporary failure in name resolution", false),
        ] {
            assert_eq!(refuses_look_up(&io::Error::other(text)), expected, "{text}");
        }
    }

    #[test]
    fn part_of_a_call_ends_no_later_than_the_call() {
        let left = || {
            remaining(NextTimeout {
                after: ureq::unversioned::transport::time::Duration::from_secs(90),
                ..NextTimeout::default()
            })
            .unwrap()
        };
        let at = |secs| Instant::now() + Duration::from_secs(secs);
        assert!(left() > Duration::from_secs(60));
        let call = Scope::until(at(60));
        let part = Scope::sooner(at(30));
        assert!(left() <= Duration::from_secs(30));
        drop(part);
        assert!(left() > Duration::from_secs(30));
        let part = Scope::sooner(at(90));
        assert!(left() <= Duration::from_secs(60));
        drop((part, call));
        let part = Scope::sooner(at(30));
        assert!(left() <= Duration::from_secs(30));
        drop(part);
        assert!(left() > Duration::from_secs(60));
    }
}
