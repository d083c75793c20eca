//! A guide for firmware: from choosing the features to a request over your own network stack. This module has no items.
//!
//! The kernel is this crate with `default-features = false`. It does not have an allocator, a clock, a source of
//! randomness or a socket. It does not block. A constant or the length of one of your buffers limits every loop.
//!
//! | you bring | as |
//! |---|---|
//! | the time | a [`UnixTime`] for each call |
//! | random bytes | a [`rand_core::TryCryptoRng`] |
//! | memory | your buffers, and values that you place |
//! | TLS and a connection | your own code, only for server mode |
//!
//! `tests/checks/bare-metal/budget.toml` in the repository lists the kernel's flash, stack and instructions on small
//! cores, and a check enforces these limits. With `opt-level = "s"`, verifying takes at most 1,280 bytes of stack on a
//! Cortex-M4, and 1,408 on a Cortex-M0, also for the keys that take the most. Issuing takes less, except in
//! MessagePack: a long decimal in `meta` takes 2.2 or 2.5 kB. For firmware in C see `bindings/c` there.
//!
//! # Features
//!
//! ```toml
//! [dependencies]
//! # Local mode. For server mode, add `features = ["envelope"]`.
//! apikee = { path = "PATH/TO/apikee", default-features = false }
//! ```
//!
//! Leave `msgpack` out unless keys come from a Python SDK that has `msgpack` installed. Without the feature, such a key
//! is a [`Decode`](crate::KeyError::Decode) error. `tables` needs `std`, and 30 kB for a server key. `defmt` gives the
//! errors a `Format`.
//!
//! # Sizes
//!
//! | buffer for | bytes |
//! |---|---|
//! | verifying a key | [`verify_buffer_len`]: 3/4 of the key's length, plus at most 3 |
//! | issuing a key | [`issue_buffer_len`]: 17/7 of the claims, plus 68 |
//! | an envelope | `sealed_len`: 4/3 of the plaintext, plus 115 |
//! | the target of a validate call | 82, plus 3 for each byte of its parts |
//! | the answer | 4/3 of its plaintext, plus 115, and the head of HTTP: often more than 1 kB |
//! | the body of a validate call | about 80, plus the headers; 6 for each byte that JSON escapes |
//!
//! The buffer also limits the time that a forged key can cost. Base conversion takes quadratic time, and it comes
//! before the signature check. A key that does not fit into the buffer is refused before that. If your keys have 300
//! characters, 256 bytes of buffer are the right size; 8 KiB would only help an attacker.
//!
//! Such a key is [`KeyError::BufferTooSmall`](crate::KeyError::BufferTooSmall), which counts as a mistake of the
//! service: [`http_status`](crate::KeyError::http_status) is 500. If your buffer is the limit for keys, then the sender
//! has made the mistake. Answer as for [`KeyError::Decode`](crate::KeyError::Decode), with 401.
//!
//! A [`Keyring`] takes about 0.7 kB, however many secrets it holds. Make it once, in a `static` cell, and share it:
//! verifying takes `&self`.
//!
//! Printing, comparing and serializing a [`Meta`](crate::meta::Meta) recurse, once for each level, up to 31 levels. So
//! they need much stack. Look-ups do not recurse.
//!
//! # A clock without a battery
//!
//! With a clock that starts at 1970, every expired key would be valid. So **there is no `now` until the time is
//! known**, and no key is verified before:
//!
//! ```
//! use apikee::UnixTime;
//!
//! /// Counts on from the last known time, with a timer that starts with the device.
//! struct Clock {
//!     learnt: Option<(i64, u64)>,
//! }
//!
//! impl Clock {
//!     /// Takes the time from a trusted source: authenticated network time, or the `Date` of the platform's
//!     /// answer. Never goes back: an attacker who could set the clock back could use expired keys again.
//!     fn learn(&mut self, unix: i64, uptime: u64) {
//!         if self.now(uptime).is_none_or(|now| unix > now.as_secs()) {
//!             self.learnt = Some((unix, uptime));
//!         }
//!     }
//!
//!     fn now(&self, uptime: u64) -> Option<UnixTime> {
//!         let (unix, at) = self.learnt?;
//!         let elapsed = uptime.saturating_sub(at);
//!         // Slower by 100 ppm, more than the error of the timer: `learn` corrects only a slow clock.
//!         let elapsed = elapsed - elapsed / 10_000;
//!         Some(UnixTime::from_secs(unix.saturating_add_unsigned(elapsed)))
//!     }
//! }
//!
//! let mut clock = Clock { learnt: None };
//! assert_eq!(clock.now(5), None);
//! clock.learn(1_760_000_000, 5);
//! clock.learn(1_750_000_000, 6);
//! assert_eq!(clock.now(15), Some(UnixTime::from_secs(1_760_000_010)));
//! ```
//!
//! Save the time in flash or in a register that survives a reset, for example once an hour, and start from it. That
//! time is too early, but it never goes back, so it limits how long an expired key is accepted. The build time also
//! works as such a limit. A time that is too late is never corrected, so trust its source.
//!
//! With a crystal of 50 ppm, this clock is late by 4 to 13 seconds a day. [`Keyring::set_leeway`] makes keys valid a
//! little longer, and also a little earlier: a device with a slow clock would refuse a new key because of its `nbf`.
//! Twice the drift between two synchronisations of the clock is enough. An hour is too much: it works like a later
//! expiry.
//!
//! # Randomness
//!
//! Verifying needs none. A new key takes 10 random bytes, a session 32 and an envelope 12. They must come from a
//! generator fit for keys: the one of the chip, or a ChaCha seeded from it. Sensor noise, the uptime or a serial number
//! are not enough. The kernel does not check the bytes. With a generator that returns only zeros, anyone can compute
//! the session keys and the ids. (The C binding refuses bytes that are all zeros.) The example below notices a
//! generator that repeats its last word.
//!
//! A generator implements `apikee::rand_core::TryCryptoRng`. This is version 0.10 of the crate `rand_core`.
//!
//! ```
//! use apikee::rand_core::{TryCryptoRng, TryRng};
//! use core::fmt;
//!
//! /// The chip's generator. `word` waits a limited time for the next 32 bits, and returns `None` if the peripheral
//! /// reports an error.
//! struct Trng<W> {
//!     word: W,
//!     last: u32,
//! }
//!
//! #[derive(Debug)]
//! struct TrngError;
//!
//! impl fmt::Display for TrngError {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         f.write_str("the random number generator failed")
//!     }
//! }
//!
//! impl core::error::Error for TrngError {}
//!
//! impl<W: FnMut() -> Option<u32>> TryRng for Trng<W> {
//!     type Error = TrngError;
//!
//!     fn try_next_u32(&mut self) -> Result<u32, TrngError> {
//!         // A generator whose clock has stopped repeats itself (FIPS 140-2, section 4.9.2).
//!         let word = (self.word)().filter(|word| *word != self.last).ok_or(TrngError)?;
//!         self.last = word;
//!         Ok(word)
//!     }
//!
//!     fn try_next_u64(&mut self) -> Result<u64, TrngError> {
//!         Ok(u64::from(self.try_next_u32()?) << 32 | u64::from(self.try_next_u32()?))
//!     }
//!
//!     fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), TrngError> {
//!         for chunk in out.chunks_mut(4) {
//!             chunk.copy_from_slice(&self.try_next_u32()?.to_le_bytes()[..chunk.len()]);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! impl<W: FnMut() -> Option<u32>> TryCryptoRng for Trng<W> {}
//!
//! # use apikee::{Keyring, NewKey, UnixTime, key::IssueError};
//! let mut dead = Trng { word: || Some(0), last: 0 };
//! let issued = Keyring::new(b"secret")?.issue(&NewKey::new("acme"), UnixTime::from_secs(0), &mut dead, &mut [0; 512])
//!     .map(str::len);
//! assert_eq!(issued, Err(IssueError::Rng));
//! # Ok::<_, apikee::key::KeyringError>(())
//! ```
//!
//! If the generator fails, then issuing a key, establishing a session and sealing return an error.
//!
//! # A request over your own stack
//!
//! With the feature `envelope`, the kernel writes the request and reads the answer. You send the request and receive
//! the answer. The example does this over any `embedded-io` stream. Your TLS must have opened it and checked its
//! certificate.
//!
//! ```
//! # #[cfg(feature = "envelope")] mod sketch {
//! use apikee::{
//!     envelope::{OpenError, SealError, Session},
//!     policy::{Fault, Outage, Outcome, Overload},
//!     protocol::{Answer, ProjectKey, Request, UserAgent, ValidateRequest},
//!     rand_core::TryCryptoRng,
//! };
//! use embedded_io::{Error as _, ErrorKind, Read, Write, WriteFmtError};
//!
//! /// The fault of this device, not of the platform.
//! const NO_MEMORY: Outcome = Outcome::Overload(Overload::OutOfResources);
//!
//! /// Asks the platform. The connection is used once.
//! pub fn ask<S: Read + Write>(
//!     stream: &mut S,
//!     host: &str,
//!     key: &ProjectKey,
//!     request: &ValidateRequest<'_>,
//!     session: Session,
//!     rng: &mut impl TryCryptoRng,
//! ) -> Outcome {
//!     // A request that does not fit was not sent. That is not an outage, and must not fail open.
//!     const NOT_SENT: Outcome = Outcome::Fault(Fault::NotSent);
//!     // `wire` has room for the head and the envelope of the answer.
//!     let (mut target, mut body, mut wire) = ([0; 256], [0; 512], [0; 2048]);
//!     let Ok(target) = request.write_target(&mut target) else { return NOT_SENT };
//!     let Ok(plaintext) = request.write_body(&mut body) else { return NOT_SENT };
//!     let (envelope, pending) = match session.seal(plaintext.as_bytes(), rng, &mut wire) {
//!         Ok(sealed) => sealed,
//!         Err(SealError::Rng) => return Outcome::Overload(Overload::NoRandomness),
//!         Err(_) => return NOT_SENT,
//!     };
//!
//!     let fields = request.header_fields(key, UserAgent::DEFAULT);
//!     // The platform may answer before it has read all of the request, and then writing fails. The answer counts. This
//!     // is the outcome if there is none.
//!     let lost = match send(stream, host, target, &fields, envelope) {
//!         Err(WriteFmtError::Other(error)) if error.kind() == ErrorKind::OutOfMemory => NO_MEMORY,
//!         _ => Outcome::Outage(Outage::Reset),
//!     };
//!     let (answer, missing) = match receive(stream, lost, &mut wire) {
//!         Ok(answer) => answer,
//!         Err(outcome) => return outcome,
//!     };
//!     let fault = match pending.open(answer) {
//!         Ok(opened) => match Answer::read_opened(opened) {
//!             // An answer about another request decides nothing, whatever it says.
//!             Ok(answer) if !answer.is_about(request) => Fault::Forged,
//!             Ok(answer) => return Outcome::from_success(answer.success()),
//!             Err(_) => Fault::Unreadable,
//!         },
//!         Err(OpenError::Unsealed) => Fault::Unsealed,
//!         Err(OpenError::WrongKey | OpenError::Reflected | OpenError::Forged) => Fault::Forged,
//!         Err(OpenError::Malformed) => return missing.unwrap_or(Outcome::Fault(Fault::Unreadable)),
//!         Err(_) => Fault::Unreadable,
//!     };
//!     Outcome::Fault(fault)
//! }
//!
//! /// HTTP/1.0: the connection ends with the answer, and the answer is not chunked.
//! fn send<S: Write>(
//!     stream: &mut S,
//!     host: &str,
//!     target: &str,
//!     fields: &[(&str, &str)],
//!     body: &str,
//! ) -> Result<(), WriteFmtError<S::Error>> {
//!     write!(stream, "POST /api/v1{target} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len())?;
//!     for (name, value) in fields {
//!         write!(stream, "{name}: {value}\r\n")?;
//!     }
//!     write!(stream, "\r\n{body}")?;
//!     Ok(stream.flush()?)
//! }
//!
//! /// Reads until the connection ends. Returns the body of an answer with a status from 200 to 299, and the reason if
//! /// a part of it may be missing. (If the connection ends normally, nothing tells that a part is missing. A part of an
//! /// envelope is unreadable then, not an outage.)
//! fn receive<'b, S: Read>(
//!     stream: &mut S,
//!     lost: Outcome,
//!     buf: &'b mut [u8],
//! ) -> Result<(&'b mut [u8], Option<Outcome>), Outcome> {
//!     let mut len = 0;
//!     let missing = loop {
//!         if len == buf.len() {
//!             break Some(Outcome::Fault(Fault::Oversized));
//!         }
//!         match stream.read(&mut buf[len..]) {
//!             Ok(0) if len == 0 => break Some(lost),
//!             Ok(0) => break None,
//!             Ok(more) => len += more,
//!             Err(error) if error.kind() == ErrorKind::OutOfMemory => break Some(NO_MEMORY),
//!             Err(_) => break Some(lost),
//!         }
//!     };
//!     let answer = &mut buf[..len];
//!     let unreadable = Outcome::Fault(Fault::Unreadable);
//!     // `HTTP/1.1 200 OK`
//!     let digits = answer.strip_prefix(b"HTTP/1.").and_then(|line| core::str::from_utf8(line.get(2..5)?).ok());
//!     let status = digits.and_then(|digits| digits.parse().ok()).ok_or(missing.unwrap_or(unreadable))?;
//!     // 403 and 429 are refusals, 5xx is an outage, whatever is missing. Redirects are not followed. `None`: this
//!     // sketch does not read `Retry-After`, so a 429 is remembered for 60 s only.
//!     if let Some(outcome) = Outcome::from_status(status, None) {
//!         return Err(outcome);
//!     }
//!     let head = answer.windows(4).position(|end| end == b"\r\n\r\n").ok_or(missing.unwrap_or(unreadable))?;
//!     // A whole envelope counts, even if the connection breaks after it. A part of one cannot be opened.
//!     Ok((&mut answer[head + 4..], missing))
//! }
//! # }
//! # #[cfg(not(feature = "envelope"))] fn main() {}
//! # #[cfg(feature = "envelope")]
//! # fn main() {
//! #     use apikee::{*, envelope::*, policy::*, protocol::*};
//! #     #[derive(Default)]
//! #     struct Platform { recipient: Option<Recipient>, sent: Vec<u8>, answer: Vec<u8>, status: &'static str, said: &'static str, forge: bool, page: usize, early: Option<&'static str>, resets: bool, starves: bool }
//! #     impl embedded_io::ErrorType for Platform { type Error = embedded_io::ErrorKind; }
//! #     impl embedded_io::Write for Platform {
//! #         fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
//! #             if let Some(early) = self.early && self.sent.len() > 300 {
//! #                 self.answer = early.as_bytes().to_vec();
//! #                 let starved = self.starves && early.is_empty();
//! #                 return Err(if starved { embedded_io::ErrorKind::OutOfMemory } else { embedded_io::ErrorKind::BrokenPipe });
//! #             }
//! #             let some = bytes.len().min(7);
//! #             self.sent.extend_from_slice(&bytes[..some]);
//! #             Ok(some)
//! #         }
//! #         fn flush(&mut self) -> Result<(), Self::Error> {
//! #             let head = self.sent.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
//! #             let text = String::from_utf8(self.sent[..head].to_vec()).unwrap();
//! #             assert!(text.starts_with("POST /api/v1/client/497f6eca-6276-4993-bfeb-53cbbbba6f08?project_env=my-app"));
//! #             for field in ["x-api-key: sk_test_example\r\n", "X-Apikee-Encrypted: 1\r\n", "Host: apikee.dev\r\n"] {
//! #                 assert!(text.contains(field), "{text}");
//! #             }
//! #             let mut body = self.sent[head..].to_vec();
//! #             assert!(text.contains(&format!("Content-Length: {}\r\n", body.len())));
//! #             let (_, reply) = self.recipient.as_ref().unwrap().open(&mut body).unwrap();
//! #             let mut buf = [0; 256];
//! #             let mut sealed = reply.seal(self.said.as_bytes(), &mut Counter(9), &mut buf).unwrap().to_owned();
//! #             if self.forge { sealed = sealed.replace(r#""ct":"#, r#""ct" :"#).replace("\"}", "A\"}"); }
//! #             self.answer = format!("HTTP/1.1 {}\r\nServer: x\r\n\r\n{sealed}{}", self.status, "x".repeat(self.page)).into_bytes();
//! #             Ok(())
//! #         }
//! #     }
//! #     impl embedded_io::Read for Platform {
//! #         fn read(&mut self, out: &mut [u8]) -> Result<usize, Self::Error> {
//! #             assert!(!out.is_empty(), "embedded-io leaves open what this returns");
//! #             if self.starves && self.answer.is_empty() && self.early != Some("") { return Err(embedded_io::ErrorKind::OutOfMemory); }
//! #             if self.resets && self.answer.is_empty() { return Err(embedded_io::ErrorKind::ConnectionReset); }
//! #             let some = out.len().min(self.answer.len()).min(11);
//! #             out[..some].copy_from_slice(&self.answer[..some]);
//! #             self.answer.drain(..some);
//! #             Ok(some)
//! #         }
//! #     }
//! #     struct Counter(u8);
//! #     impl rand_core::TryRng for Counter {
//! #         type Error = core::convert::Infallible;
//! #         fn try_next_u32(&mut self) -> Result<u32, Self::Error> { unreachable!() }
//! #         fn try_next_u64(&mut self) -> Result<u64, Self::Error> { unreachable!() }
//! #         fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
//! #             out.iter_mut().for_each(|byte| { self.0 = self.0.wrapping_add(1); *byte = self.0; });
//! #             Ok(())
//! #         }
//! #     }
//! #     impl rand_core::TryCryptoRng for Counter {}
//! #     struct Dead;
//! #     impl rand_core::TryRng for Dead {
//! #         type Error = core::fmt::Error;
//! #         fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Err(core::fmt::Error) }
//! #         fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Err(core::fmt::Error) }
//! #         fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> { Err(core::fmt::Error) }
//! #     }
//! #     impl rand_core::TryCryptoRng for Dead {}
//! #     fn outcome(mut platform: Platform, rng: &mut impl rand_core::TryCryptoRng) -> Outcome {
//! #         let recipient = Recipient::new([0x42; 32]);
//! #         let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
//! #         platform.recipient = Some(recipient);
//! #         let session = Session::establish(&server, &mut Counter(0)).unwrap();
//! #         let client = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap();
//! #         let now = Timestamp::new(UnixTime::from_secs(1_760_000_000)).unwrap();
//! #         let request = ValidateRequest::new(client, "my-app", MethodPath::new("GET", "/").unwrap(), now);
//! #         let key = ProjectKey::new("sk_test_example").unwrap();
//! #         sketch::ask(&mut platform, "apikee.dev", &key, &request, session, rng)
//! #     }
//! #     let told = |platform| outcome(platform, &mut Counter(32));
//! #     let asked = |status, said, forge| told(Platform { status, said, forge, ..Platform::default() });
//! #     let ask = |status, forge| asked(status, r#"{"success":true}"#, forge);
//! #     assert_eq!(ask("200 OK", false), Outcome::Confirmed);
//! #     for said in [r#"{"success":true,"method_path":"GET:::/other"}"#, r#"{"success":false,"project_env":"other"}"#] {
//! #         assert_eq!(asked("200 OK", said, false), Outcome::Fault(Fault::Forged));
//! #     }
//! #     assert_eq!(asked("200 OK", r#"{"success":false}"#, false), Outcome::Rejected(Rejection::UNSUCCESSFUL));
//! #     assert_eq!(ask("200 OK", true), Outcome::Fault(Fault::Forged));
//! #     assert_eq!(ask("503 Busy", false), Outcome::Outage(Outage::Status(503)));
//! #     assert_eq!(ask("403 No", false), Outcome::Rejected(Rejection::Forbidden));
//! #     assert_eq!(ask("2", false), Outcome::Fault(Fault::Unreadable));
//! #     // A page that does not fit does not hide the status, and neither does a reset after it.
//! #     let paged = |status, page, resets| told(Platform { status, page, resets, said: r#"{"success":true}"#, ..Platform::default() });
//! #     for (page, resets) in [(2000, false), (2000, true), (0, true)] {
//! #         assert_eq!(paged("503 Busy", page, resets), Outcome::Outage(Outage::Status(503)));
//! #         assert_eq!(paged("403 No", page, resets), Outcome::Rejected(Rejection::Forbidden));
//! #         assert_eq!(paged("429 No", page, resets), Outcome::Rejected(Rejection::RateLimited { retry_after: None }));
//! #     }
//! #     assert_eq!(paged("200 OK", 2000, false), Outcome::Fault(Fault::Oversized));
//! #     // A whole answer counts, whatever comes after it. A part of one does not.
//! #     assert_eq!(paged("200 OK", 0, true), Outcome::Confirmed);
//! #     let no = Platform { status: "200 OK", said: r#"{"success":false}"#, resets: true, ..Platform::default() };
//! #     assert_eq!(told(no), Outcome::Rejected(Rejection::UNSUCCESSFUL));
//! #     for part in ["HTTP/1.1 200 OK\r\nA", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{\"v\":\"1\",\"epk\":\"a"] {
//! #         let cut = |resets| told(Platform { early: Some(part), resets, ..Platform::default() });
//! #         assert_eq!((cut(true), cut(false)), (Outcome::Outage(Outage::Reset), Outcome::Fault(Fault::Unreadable)), "{part}");
//! #     }
//! #     let other = "HTTP/1.1 200 OK\r\n\r\n{\"v\":\"2\",\"epk\":\"a\",\"iv\":\"b\",\"ct\":\"c\"}";
//! #     let whole = |resets| told(Platform { early: Some(other), resets, ..Platform::default() });
//! #     assert_eq!((whole(true), whole(false)), (Outcome::Fault(Fault::Unreadable), Outcome::Fault(Fault::Unreadable)));
//! #     // An answer counts even if writing the request has failed. Without one, the connection broke.
//! #     let early = |answer| told(Platform { early: Some(answer), ..Platform::default() });
//! #     assert_eq!(early("HTTP/1.1 413 Too Large\r\n\r\n"), Outcome::Fault(Fault::Status(413)));
//! #     assert_eq!(early("HTTP/1.1 403 No\r\n\r\n"), Outcome::Rejected(Rejection::Forbidden));
//! #     assert_eq!(early(""), Outcome::Outage(Outage::Reset));
//! #     // Without memory, this device cannot write all of the request, or cannot read the answer. A whole answer counts.
//! #     let starved = |early, status, resets| told(Platform { early, status, resets, said: r#"{"success":true}"#, starves: true, ..Platform::default() });
//! #     for outcome in [starved(Some(""), "", true), starved(Some(""), "", false), starved(Some("HTTP/1.1 2"), "", false)] {
//! #         assert_eq!(outcome, Outcome::Overload(Overload::OutOfResources));
//! #     }
//! #     assert_eq!(starved(None, "200 OK", false), Outcome::Confirmed);
//! #     assert_eq!(outcome(Platform::default(), &mut Dead), Outcome::Overload(Overload::NoRandomness));
//! # }
//! ```
//!
//! Then call [`Policy::recall`](crate::Policy::recall) with the outcome: a client that was refused lately must not pass
//! in an outage. Pass its result to [`Policy::authorize`](crate::Policy::authorize), which decides about the request. A
//! [`ClientTable`](crate::breaker::ClientTable) remembers refusals, and tells you when to stop asking. For a single
//! client, a [`Breaker`](crate::breaker::Breaker) and its last refusal are enough. Their times come from any clock that
//! does not go back, such as the uptime.
//!
//! Give the whole connection one deadline: after it, let `read` and `write` fail, with `OutOfMemory` if the device was
//! too busy to notice in time. Do not abandon `ask`: a refusal that has arrived must count. Wipe `body` after use if the
//! headers contain the raw key.
//!
//! # Sessions ahead of time
//!
//! A session takes two X25519 operations. On a small core they take longer than everything else together. The kernel
//! cannot split them into steps (interrupts still run), so the period of your watchdog must be longer than they take.
//! With a `SessionPool` the request does not wait for them: each turn of the main loop makes one session, and a request
//! only pays for AES.
//!
//! ```
//! # #[cfg(feature = "envelope")] mod sketch {
//! use apikee::{
//!     envelope::{ServerKey, Session, SessionPool},
//!     rand_core::TryCryptoRng,
//! };
//! use core::time::Duration;
//!
//! /// One turn of the main loop. The caller feeds the watchdog after it.
//! pub fn idle<R: TryCryptoRng>(
//!     pool: &mut SessionPool<2>,
//!     server: &ServerKey,
//!     rng: &mut R,
//!     uptime: Duration,
//! ) {
//!     pool.drop_old(uptime);
//!     if !pool.is_full()
//!         && let Ok(session) = Session::establish(server, rng)
//!     {
//!         let _ = pool.put(session, uptime);
//!     }
//! }
//! # }
//! ```
//!
//! A pool of `N` takes 112 bytes for each session, plus a few words. Sessions older than the maximum age are wiped.
//! Choose an age between a minute and an hour: it is how long a key may stay in memory. The nonce is drawn when
//! sealing, so a session from before a brown-out or a snapshot does not repeat a nonce. If the pool is empty, establish
//! a session for the request. If that fails, the outcome is `Overload::NoRandomness`, which is not an outage.
//!
//! # Small flash
//!
//! | setting | where |
//! |---|---|
//! | `opt-level = "s"` or `"z"`, `lto = "fat"`, `codegen-units = 1`, `panic = "abort"` | the profile |
//! | no `msgpack` | features |
//! | `--cfg sha2_backend_soft="compact"` | `RUSTFLAGS`: SHA-256 in a loop, not unrolled |
//! | `--cfg aes_backend_soft="compact"` | `RUSTFLAGS`, with `envelope`: the same for AES |
//! | small memory functions | your own, or those of a C library that you link: saves 0.4 to 1.8 kB, depending on the compiler |
//! | `--cfg cpubits="32"` | `RUSTFLAGS`, with `envelope` and a nightly compiler for Cortex-M3 and up: saves 6 kB |
//! | `--cfg cpubits="16"` | or this one: AES for one block at a time; saves 0.6 kB, sealing takes about 1.5 times as long |
//! | no issuing, no `meta` look-ups, no server mode | code that is not called is not linked |
//!
//! The toolchain's `memcpy`, `memmove`, `memset` and `memcmp`, and Arm's names for them (`__aeabi_memcpy4`), are weak
//! symbols and made for speed. `tests/checks/bare-metal/src/memory.rs` in the repository has all of them in 150 bytes
//! of Thumb code for any Cortex-M. Verifying and sealing even take fewer instructions with it. A nightly compiler
//! tells crates that a Cortex-M3 is an ARMv7. RustCrypto then uses 64-bit words, but the processor does not have enough
//! registers for them. `cpubits` sets the width of the words.
//!
//! On 32-bit chips curve25519-dalek chooses its 32-bit arithmetic by itself. You cannot plug in an accelerator for SHA
//! or AES: the kernel names its implementations in one place and does not make them replaceable.
//!
//! [`UnixTime`]: crate::UnixTime
//! [`Keyring`]: crate::Keyring
//! [`Keyring::set_leeway`]: crate::Keyring::set_leeway
//! [`verify_buffer_len`]: crate::verify_buffer_len
//! [`issue_buffer_len`]: crate::issue_buffer_len
