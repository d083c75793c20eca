//! A small web server that runs a CGI program (RFC 3875). Each request runs in a new process.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::{LONG, service::Output};

/// The longest request that the gateway reads.
const MAX_LEN: u64 = 1024 * 1024;

type Variables = BTreeMap<OsString, OsString>;

/// Runs until it is dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// The path of the program.
    pub(crate) const SCRIPT_NAME: &str = "/cgi-bin/api";

    pub(crate) fn start(program: PathBuf, environment: &[(&str, &str)], output: Output) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let environment: Variables = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let accept = move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                // Errors are ignored: the client has closed the connection.
                let _ = serve(&stream.unwrap(), &program, &environment, &output);
            }
        };
        Self { address, stop, thread: Some(thread::spawn(accept)) }
    }

    /// Whether the gateway still runs. Its thread panics if the program's output is not valid.
    pub(crate) fn lives(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread waits for a connection, so this makes one.
        drop(TcpStream::connect(self.address));
        let panicked = self.thread.take().is_some_and(|thread| thread.join().is_err());
        assert!(!panicked || thread::panicking(), "the gateway has panicked");
    }
}

/// Answers one request, and closes the connection.
fn serve(mut stream: &TcpStream, program: &Path, environment: &Variables, output: &Output) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LONG))?;
    let mut reader = BufReader::new(stream.take(MAX_LEN));
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") && reader.read_until(b'\n', &mut head)? > 0 {}
    let Some(mut variables) = variables(&head) else {
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    variables.insert("REMOTE_ADDR".into(), stream.peer_addr()?.ip().to_string().into());
    variables.extend(environment.clone());

    let mut command = Command::new(program);
    command.env_clear().envs(variables).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = command.spawn()?.wait_with_output()?;
    output.lock().unwrap().extend_from_slice(&answer.stderr);

    let text = String::from_utf8(answer.stdout).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{text:?}, {}", answer.status));
    let (status, fields): (Vec<_>, Vec<_>) = head.lines().partition(|line| line.starts_with("Status: "));
    assert!(answer.status.success() && status.len() == 1, "{text:?}, {}", answer.status);
    write!(stream, "HTTP/1.1 {}\r\n", status[0].trim_start_matches("Status: "))?;
    for field in fields {
        write!(stream, "{field}\r\n")?;
    }
    write!(stream, "Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// The meta-variables of a request (RFC 3875, section 4.1). `None` if the request is not valid, or if a value contains
/// a NUL byte.
fn variables(head: &[u8]) -> Option<Variables> {
    let mut lines = head.strip_suffix(b"\r\n\r\n")?.split(|byte| *byte == b'\n');
    let line = String::from_utf8(lines.next()?.trim_ascii_end().to_owned()).ok()?;
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut fields = BTreeMap::<String, Vec<u8>>::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8(line[..colon].to_ascii_uppercase()).ok()?;
        // `X_Api_Key` would look like `X-Api-Key`.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            continue;
        }
        let value = line[colon + 1..].trim_ascii();
        let name = format!("HTTP_{}", name.replace('-', "_"));
        match fields.get_mut(&name) {
            Some(others) => others.extend_from_slice(&[b", ", value].concat()),
            None => drop(fields.insert(name, value.to_owned())),
        }
    }
    fields.insert("REQUEST_METHOD".into(), method.into());
    fields.insert("SCRIPT_NAME".into(), Gateway::SCRIPT_NAME.into());
    fields.insert("PATH_INFO".into(), decoded(path.strip_prefix(Gateway::SCRIPT_NAME)?)?);
    fields.insert("QUERY_STRING".into(), query.into());
    fields.insert("GATEWAY_INTERFACE".into(), "CGI/1.1".into());
    fields.insert("SERVER_PROTOCOL".into(), "HTTP/1.1".into());
    let holds = fields.values().all(|value| !value.contains(&0));
    holds.then(|| fields.into_iter().map(|(name, value)| (name.into(), OsString::from_vec(value))).collect())
}

/// Decodes percent-encoding. `None` if an escape is not valid.
fn decoded(path: &str) -> Option<Vec<u8>> {
    let mut parts = path.split('%');
    let mut bytes = parts.next()?.as_bytes().to_owned();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}
