//! Connections. Each has its own thread, so a slow answer does not delay other connections. All threads end with the
//! server.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read as _},
    net::{Shutdown, TcpListener, TcpStream},
    string::ToString as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use super::{
    console,
    handle::Platform,
    http::{NoRequest, Request, Stop},
};

/// The longest silence of a connection, and the longest wait for a client to read an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause before a failed operation is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Interval in which changes of the state file are synced to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The maximum number of bytes of a refused request that are read before the connection is closed.
const MAX_UNWANTED: u64 = 1024 * 1024;

/// Listens until it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    /// Holds the port until all threads have ended, so that the connection which wakes the thread reaches no other
    /// process.
    _listener: Arc<TcpListener>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
    /// A descriptor for the connection that wakes the thread, in case the process has no other.
    spare: Option<TcpListener>,
}

impl Server {
    pub(super) fn start(
        listener: TcpListener,
        address: SocketAddr,
        max_connections: usize,
        platform: Arc<Platform>,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let spare = Some(listener.try_clone()?);
        let listener = Arc::new(listener);
        let (told, listening) = (Arc::clone(&stop), Arc::clone(&listener));
        let listen = move || accept(&listening, max_connections, &platform, &told);
        let thread = builder().spawn(listen)?;
        Ok(Self { address, _listener: listener, stop, thread: Some(thread), spare })
    }

    pub(super) const fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.set();
        let Some(thread) = self.thread.take() else { return };
        drop(self.spare.take());
        // The thread waits for a connection, so this makes one.
        while !thread.is_finished() && TcpStream::connect_timeout(&self.address, AGAIN).is_err() {
            thread::sleep(AGAIN);
        }
        // A panic of the thread does not matter here.
        let _ = thread.join();
    }
}

fn builder() -> thread::Builder {
    thread::Builder::new().name("apikee-emulator".to_string())
}

/// The open connections, for closing them at the end.
type Open = Mutex<BTreeMap<u64, TcpStream>>;

/// Removes a connection when its thread ends, even after a panic of the observer. A second handle would keep the
/// connection open.
struct Registered<'o>(&'o Open, u64);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        locked(self.0).remove(&self.1);
    }
}

fn locked(open: &Open) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, max_connections: usize, platform: &Platform, stop: &Stop) {
    let open = Open::default();
    thread::scope(|scope| {
        if platform.state().file().is_some() {
            let sync = || {
                while !stop.wait(SYNC_EVERY) {
                    platform.sync_if_needed();
                }
            };
            // Without this thread, only a power failure can lose data that the system still has in memory.
            let _ = builder().spawn_scoped(scope, sync);
        }
        loop {
            let accepted = listener.accept();
            if stop.is_set() {
                break;
            }
            let Ok((stream, peer)) = accepted else {
                // The process may have too many open files.
                stop.wait(AGAIN);
                continue;
            };
            let number = {
                let mut state = platform.state();
                state.connections = state.connections.saturating_add(1);
                state.connections
            };
            let Ok(handle) = stream.try_clone() else { continue };
            if locked(&open).len() >= max_connections {
                continue;
            }
            locked(&open).insert(number, handle);
            let registered = Registered(&open, number);
            let serve = move || {
                let _registered = registered;
                // The client notices a broken connection itself.
                let _ = converse(&stream, number, peer, platform, stop);
            };
            // Without a thread the connection is closed.
            let _ = builder().spawn_scoped(scope, serve);
        }
        for stream in locked(&open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
}

/// Answers requests until the connection ends.
fn converse(stream: &TcpStream, number: u64, peer: SocketAddr, platform: &Platform, stop: &Stop) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    loop {
        let request = match Request::read(&mut reader, &mut &*stream) {
            Ok(request) => request,
            Err(NoRequest::Ended) => return Ok(()),
            Err(NoRequest::Bad(status)) => {
                platform.refuse(status, number).send(stream, stop)?;
                // Closing a connection with unread input resets it, and the client may lose the answer.
                stream.shutdown(Shutdown::Write)?;
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                io::copy(&mut reader.take(MAX_UNWANTED), &mut io::sink())?;
                return Ok(());
            }
        };
        let (last, is_head) = (request.last, request.method == "HEAD");
        let message = match console::answer(platform, &request, stream.local_addr()?.port()) {
            Some(message) => message,
            None => platform.answer(request, number, peer.ip()),
        };
        let message = if is_head { message.without_body() } else { message };
        if !message.send(stream, stop)? || last {
            return Ok(());
        }
    }
}
