//! TCP connections whose every operation ends by the deadline.
//!
//! ureq's own count anew for each part of a write, so that a peer that reads a little now and then
//! holds a call for longer than it may take.

use core::time::Duration;
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport},
};

use super::{
    deadline,
    exhaustion::{self, Exhausted},
};

#[derive(Debug)]
pub(super) struct Tcp;

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, TcpTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // The tunnel through a proxy.
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let stream = connect(details)?;
        stream.set_nodelay(true)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TcpTransport { stream, buffers })))
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
        match error.kind() {
            // The one on Unix, the other on Windows.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(self.timeout.reason),
            _ => Error::Io(error),
        }
    }
}

#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limit = Limit::new(timeout)?;
        let mut rest = self.buffers.output().get(..amount).unwrap_or_default();
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(limit.left()?))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(Error::Io(ErrorKind::WriteZero.into())),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(limit.check(error)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limit = Limit::new(timeout)?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            self.stream.set_read_timeout(Some(limit.left()?))?;
            match self.stream.read(input) {
                Ok(amount) => break amount,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(limit.check(error)),
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// Whether the peer has neither closed the connection nor sent what nobody asked for.
    fn is_open(&mut self) -> bool {
        let quiet = self.stream.set_nonblocking(true).is_ok()
            && matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        quiet && self.stream.set_nonblocking(false).is_ok()
    }
}
