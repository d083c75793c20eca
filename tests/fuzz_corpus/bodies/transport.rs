//! Answers of a server over loopback, as `UreqTransport` reads them. Each input needs a connection, so this is the
//! slowest target.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener},
    sync::{LazyLock, Mutex},
    thread,
    time::Duration,
};

use apikee::{
    client::{Call, Received, Transport as _, TransportError, UreqTransport},
    policy::{Fault, Outage},
    protocol::HttpMethod,
};
use arbitrary::{Result, Unstructured};

/// What the server sends to the next client.
static SCRIPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Reads a request, sends the script and ends the connection.
static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while line != "\r\n" && stream.read_line(&mut line).unwrap_or(0) > 0 {
                line = if line == "\r\n" { line } else { String::new() };
            }
            // The whole request has arrived, so the end of the connection is not a reset.
            let _ = stream.read_exact(&mut [0; BODY.len()]);
            let script = SCRIPT.lock().unwrap().clone();
            let _ = stream.get_mut().write_all(&script);
            let _ = stream.get_mut().shutdown(Shutdown::Write);
            // Waits until the client has read everything.
            let _ = stream.read(&mut [0]);
        }
    });
    addr
});

static TRANSPORT: LazyLock<UreqTransport> = LazyLock::new(|| {
    UreqTransport::builder().base_url(&format!("http://{}", *SERVER)).max_idle_connections(0).build().unwrap()
});

const BODY: &[u8; 2] = b"{}";

/// Longer than any call takes, even on a busy machine.
const AMPLE: Duration = Duration::from_secs(60);

/// An answer made from parts has exactly their data. Any other bytes give a result, too, and in time.
pub fn body(input: &[u8]) {
    match input {
        [b'#', parts @ ..] => drop(check_parts(&mut Unstructured::new(parts))),
        any => {
            let mut buf = [0; 256];
            match call(any.to_vec(), &mut buf) {
                Ok(received) => assert!(received.len <= buf.len() && (100..1000).contains(&received.status)),
                Err(
                    TransportError::Outage(Outage::Reset) | TransportError::Fault(Fault::Unreadable | Fault::Oversized),
                ) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

fn call(script: Vec<u8>, answer: &mut [u8]) -> core::result::Result<Received, TransportError> {
    *SCRIPT.lock().unwrap() = script;
    let headers = [("x-api-key", "sk_test_example"), ("content-type", "application/json")];
    TRANSPORT.call(
        &Call { method: HttpMethod::Post, target: "/client", headers: &headers, body: BODY, timeout: AMPLE },
        answer,
    )
}

fn check_parts(u: &mut Unstructured<'_>) -> Result<()> {
    let status: u16 = match u.int_in_range(0..=3)? {
        0 => u.int_in_range(200..=599)?,
        _ => *u.choose(&[200, 200, 200, 201, 299, 301, 400, 401, 403, 408, 413, 429, 500, 503])?,
    };
    // These have no body, whatever their header fields say.
    let status = if matches!(status, 204 | 304) { 200 } else { status };
    let mut answer = Vec::new();
    for _ in 0..u.int_in_range(0..=2)? {
        let interim = ["HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"];
        if u.ratio(1, 8)? {
            answer.extend(u.choose(&interim)?.bytes());
        }
    }
    let reason = *u.choose(&["OK", "", "Not \u{e9} Found"])?;
    answer.extend(format!("HTTP/1.1 {status} {reason}\r\n").bytes());

    let mut fields: Vec<String> = Vec::new();
    for _ in 0..u.int_in_range(0..=6)? {
        fields.push(
            (*u.choose(&["Server: a", "X-Empty:", "x:y", "Content-Type: application/json", "Date: \t x "])?).to_owned(),
        );
    }
    let mut retries = Vec::new();
    for _ in 0..u.int_in_range(0..=7)?.max(5) - 5 {
        let value = match u.int_in_range(0..=2)? {
            0 => u.arbitrary::<u64>()?.to_string(),
            1 => u.int_in_range(0..=9_999)?.to_string(),
            _ => (*u.choose(&[
                "",
                "-1",
                "1e9",
                "+7",
                "Wed, 21 Oct 2026 07:28:00 GMT",
                "007",
                "4294967295",
                "4294967296",
            ])?)
            .to_owned(),
        };
        let name = *u.choose(&["Retry-After", "retry-after", "RETRY-AFTER"])?;
        fields.push(format!("{name}:{}{value}", u.choose(&["", " ", "\t "])?));
        retries.push(value);
    }

    let body: Vec<u8> = {
        let len = u.int_in_range(0..=80)?;
        (0..len).map(|_| u.arbitrary()).collect::<Result<_>>()?
    };
    let (framing, sent) = framed(&body, u)?;
    let is_whole = sent.is_whole;
    fields.extend(framing);
    // The order of fields has no meaning.
    for at in (1..fields.len()).rev() {
        fields.swap(at, u.int_in_range(0..=at)?);
    }
    answer.extend(fields.iter().flat_map(|field| [field.as_bytes(), b"\r\n"].concat()));
    answer.extend(b"\r\n");
    answer.extend(&sent.bytes);

    let retry_after = match &retries[..] {
        [digits] if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse::<u128>().unwrap().min(u32::MAX.into()) as u32)
        }
        _ => None,
    };
    let mut buf = vec![0xAA; u.int_in_range(0..=80)?];
    let room = buf.len();
    let shown = String::from_utf8_lossy(&answer).into_owned();
    let result = call(answer, &mut buf);
    let success = (200..300).contains(&status);
    let expected = match () {
        () if !success => Ok(Received { status, len: 0, retry_after }),
        // Either of the two errors may come first.
        () if !is_whole && body.len() > room => {
            assert!(result.is_err(), "{shown}");
            return Ok(());
        }
        () if !is_whole => Err(TransportError::Outage(Outage::Reset)),
        () if body.len() > room => Err(TransportError::OVERSIZED),
        () => Ok(Received { status, len: body.len(), retry_after }),
    };
    assert_eq!(result, expected, "{shown}");
    if success && expected.is_ok() {
        assert_eq!(buf[..body.len()], body, "{shown}");
    }
    Ok(())
}

struct Sent {
    bytes: Vec<u8>,
    /// False if the connection ends before the body does.
    is_whole: bool,
}

/// Frames the body in one of the ways of RFC 9112, section 6. Returns the header field and the bytes on the wire.
fn framed(body: &[u8], u: &mut Unstructured<'_>) -> Result<(Option<String>, Sent)> {
    let (mut bytes, mut data_len) = (Vec::new(), body.len());
    let framing = match u.int_in_range(0..=2)? {
        0 => {
            bytes.extend(body);
            return Ok((None, Sent { bytes, is_whole: true }));
        }
        1 => {
            bytes.extend(body);
            format!("Content-Length: {}", body.len())
        }
        _ => {
            let mut rest = body;
            while !rest.is_empty() {
                let (chunk, behind) = rest.split_at(u.int_in_range(1..=rest.len())?);
                let zeros = if u.ratio(1, 8)? { "00" } else { "" };
                let size = if u.arbitrary()? {
                    format!("{zeros}{:x}", chunk.len())
                } else {
                    format!("{zeros}{:X}", chunk.len())
                };
                let extension = if u.ratio(1, 8)? { ";a=b" } else { "" };
                bytes.extend([size.as_bytes(), extension.as_bytes(), b"\r\n", chunk, b"\r\n"].concat());
                rest = behind;
            }
            data_len = bytes.len();
            bytes.extend(b"0\r\n");
            if u.ratio(1, 8)? {
                bytes.extend(b"X-Trailer: a\r\n");
            }
            bytes.extend(b"\r\n");
            (*u.choose(&["Transfer-Encoding: chunked", "transfer-encoding:chunked", "Transfer-Encoding: Chunked"])?)
                .to_owned()
        }
    };
    let mut is_whole = true;
    if u.ratio(1, 4)? {
        // Nothing is cut after the last chunk, because the bytes there have no meaning.
        let at = u.int_in_range(0..=data_len)?;
        bytes.truncate(at);
        is_whole = framing.starts_with("Content-Length") && at == body.len();
    }
    Ok((Some(framing), Sent { bytes, is_whole }))
}
