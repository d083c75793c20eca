//! Connections that tell whether they were used before, and whether anything has come back.
//!
//! A call is made on one thread from its start to its end, so what its connection sees is noted there.

use core::cell::Cell;
use std::thread_local;

use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
};

/// What is seen of the call on this thread.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Something was sent.
    sent: bool,
    /// That was over a connection that had been used before.
    reused: bool,
    /// Something came back.
    answered: bool,
}

thread_local! {
    static SEEN: Cell<Seen> = const { Cell::new(Seen { sent: false, reused: false, answered: false }) };
}

/// A call begins on this thread.
pub(super) fn begin() {
    SEEN.set(Seen::default());
}

/// The call went out over a kept connection, over which nothing came back.
pub(super) fn broke_unused() -> bool {
    let seen = SEEN.get();
    seen.sent && seen.reused && !seen.answered
}

/// Goes around every connection, outside of TLS.
#[derive(Debug)]
pub(super) struct Watch;

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|connection| Watched { connection, used: false }))
    }
}

#[derive(Debug)]
pub(super) struct Watched<T> {
    connection: T,
    /// A call has been sent over it.
    used: bool,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let seen = SEEN.get();
        if !seen.sent {
            SEEN.set(Seen { sent: true, reused: self.used, ..seen });
            self.used = true;
        }
        self.connection.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let progress = self.connection.await_input(timeout)?;
        if !self.connection.buffers().input().is_empty() {
            SEEN.set(Seen { answered: true, ..SEEN.get() });
        }
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}
