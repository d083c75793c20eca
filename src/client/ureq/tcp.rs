//! TCP connections whose every operation ends by the deadline, and that notice an early answer.
//!
//! ureq's own connections start the count anew for each part of a write, so that a peer that reads a
//! little now and then holds a call for longer than it may take. They also write a whole request before
//! they read a byte. A server may answer a request that it has read only a part of, and then stop reading or
//! close the connection. So there are two rules for writing:
//!
//! * If the peer does not take the output while it has sent something, the rest of the output is kept, to be
//!   written before the next read. The layers above get a chance to read.
//! * If the peer has closed the connection and there is input left, the output is thrown away. Whoever wrote
//!   it reads what has come, and then learns that the connection is broken.

use core::time::Duration;
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
    vec::Vec,
};

use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport},
};

use super::{
    deadline,
    exhaustion::{self, Exhausted},
};

/// How long a write may wait before it looks for input. On Windows it is not known how much of a write that
/// times out was sent.
const PATIENCE: Duration = if cfg!(windows) { Duration::MAX } else { Duration::from_millis(20) };

#[derive(Debug)]
pub(super) struct Tcp;

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, TcpTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // The tunnel through a proxy.
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let socket = Socket { stream: connect(details)?, closed: false };
        socket.unless_closed(socket.stream.set_nodelay(true))?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TcpTransport { socket, buffers, unsent: Vec::new() })))
    }
}

/// Tries one address after the other. Each but the last may take half of the time that is left.
fn connect(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let limit = Limit::new(details.timeout)?;
    let mut failure = Error::HostNotFound;
    let mut exhausted = false;
    let mut addrs = details.addrs.iter().peekable();
    while let Some(addr) = addrs.next() {
        let left = match limit.left() {
            Ok(left) => left,
            Err(error) => {
                failure = error;
                break;
            }
        };
        let share = if addrs.peek().is_some() {
            left.checked_div(2).unwrap_or(left).max(Duration::from_millis(1))
        } else {
            left
        };
        match TcpStream::connect_timeout(addr, share) {
            Ok(stream) => return Ok(stream),
            Err(error) if exhaustion::refuses_connection(&error, addr) => exhausted = true,
            Err(error) => failure = limit.check(error),
        }
    }
    // Whatever the others say, this address might have answered.
    Err(if exhausted { Exhausted::error() } else { failure })
}

/// Whether the peer has closed the connection, by what a read or write says.
pub(super) fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
    )
}

/// Until when an operation may take.
struct Limit {
    timeout: NextTimeout,
    end: Option<Instant>,
}

impl Limit {
    fn new(timeout: NextTimeout) -> Result<Self, Error> {
        let end = Instant::now().checked_add(deadline::remaining(timeout)?);
        Ok(Self { timeout, end })
    }

    /// More than zero.
    fn left(&self) -> Result<Duration, Error> {
        let left = self.end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() { Err(Error::Timeout(self.timeout.reason)) } else { Ok(left) }
    }

    fn check(&self, error: io::Error) -> Error {
        if is_timeout(&error) { Error::Timeout(self.timeout.reason) } else { Error::Io(error) }
    }
}

/// The one on Unix, the other on Windows.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// The peer has closed the connection, and output has been thrown away.
    closed: bool,
}

impl Socket {
    /// What a read would say that does not wait: `None` if it would have to wait.
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

    /// The result of setting an option. macOS refuses with `EINVAL` to set any once the peer has reset the
    /// connection. The next read or write tells what has happened. It does not wait, so it needs no timeout.
    fn unless_closed(&self, set: io::Result<()>) -> io::Result<()> {
        match set {
            Err(error) if error.kind() == ErrorKind::InvalidInput && self.glance().is_some() => Ok(()),
            set => set,
        }
    }

    fn has_input(&self) -> bool {
        matches!(self.glance(), Some(Ok(1..)))
    }

    /// Writes `output`, unless the peer does not take it and has sent something. `sent` grows by what the
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
pub(super) struct TcpTransport {
    socket: Socket,
    buffers: LazyBuffers,
    /// Output that the peer did not take when it had sent something, or in time.
    unsent: Vec<u8>,
}

impl TcpTransport {
    fn send_unsent(&mut self, limit: &Limit) -> Result<(), Error> {
        let mut sent = 0;
        let result = self.socket.send(&self.unsent, &mut sent, limit);
        self.unsent.drain(..sent.min(self.unsent.len()));
        result
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limit = Limit::new(timeout)?;
        self.send_unsent(&limit)?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let mut sent = 0;
        if self.unsent.is_empty() {
            match self.socket.send(output, &mut sent, &limit) {
                // TLS would write all of it again.
                Err(Error::Timeout(_)) if sent > 0 => {}
                result => result?,
            }
        }
        self.unsent.extend_from_slice(output.get(sent..).unwrap_or_default());
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

    /// Whether the peer has neither closed the connection nor sent what nobody asked for.
    fn is_open(&mut self) -> bool {
        !self.socket.closed && self.unsent.is_empty() && self.socket.glance().is_none()
    }
}
