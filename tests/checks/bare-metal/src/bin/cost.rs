//! Measures the kernel's costs: instructions and stack, printed as lines of `name = number`.
#![no_std]
#![no_main]

use core::hint::black_box;

use apikee::{
    KeyError, Keyring, NewKey, UnixTime,
    envelope::{Recipient, ServerKey, Session},
    key::Encoding,
    meta::JsonObject,
};
use apikee_bare_metal::{
    entry,
    machine::{exit, instructions},
    rng::Pinned,
    sample::{ANSWER, KEY, NOW, REQUEST, SECRET, SERVER_PRIVATE, SERVER_PUBLIC},
    say,
    stack::depth,
};

entry!(main);

/// The id of the sample key.
const ID: &str = "31GnZ1t7ZX2ye5UxqDDBe";

/// A step had a wrong result, so its figure does not count.
struct Wrong;

fn main() -> bool {
    key_costs().is_ok() && envelope_costs().is_ok()
}

/// Reports the instructions and the stack of one operation, each measured in a separate run.
fn report(name: &str, mut run: impl FnMut() -> bool) -> Result<(), Wrong> {
    let mut well = true;
    let instructions = instructions(|| well &= run());
    let stack = depth(|| well &= run());
    print(name, instructions, stack, well)
}

fn print(name: &str, instructions: u64, stack: usize, well: bool) -> Result<(), Wrong> {
    say!("{name}.instructions = {instructions}");
    say!("{name}.stack = {stack}");
    if well { Ok(()) } else { Err(Wrong) }
}

/// For `meta`: objects whose names the reader must compare with each other, because two share a bit in its filter, or
/// have escapes. That takes more stack than the rest of verification. In the last object, two names also have the same
/// hash, one of them with an escape, and there are more names than one round compares.
const COMPARED: [&str; 3] = [
    r#"{"ab":1,"ba":2}"#,
    r#"{"plan":"p","\u0070lans":2}"#,
    r#"{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"axxqz":0,"b\u0065sfy":0}"#,
];

/// The instructions of the sample key, and the most stack of any of these keys.
fn verify_cost(keys: &Keyring, now: UnixTime, buf: &mut [u8]) -> Result<(), Wrong> {
    let mut verify =
        |key: &str| keys.verify(black_box(key), now, buf).is_ok_and(|key| key.claims().tenant() == "acme-corp");
    let mut well = true;
    let instructions = instructions(|| well &= verify(KEY));
    let mut stack = depth(|| well &= verify(KEY));
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        for meta in COMPARED {
            let mut room = [0; 1024];
            let new = NewKey::new("acme-corp").encoding(encoding).meta(JsonObject::new(meta).map_err(|_| Wrong)?);
            let key = keys.issue_with_id(&new, ID, now, &mut room).map_err(|_| Wrong)?;
            stack = stack.max(depth(|| well &= verify(key)));
        }
    }
    print("verify", instructions, stack, well)
}

fn key_costs() -> Result<(), Wrong> {
    let now = UnixTime::from_secs(NOW);
    let keys = Keyring::new(SECRET).map_err(|_| Wrong)?;
    let mut buf = [0; 1024];
    verify_cost(&keys, now, &mut buf)?;
    let mut forged = [0; KEY.len()];
    forged.copy_from_slice(KEY.as_bytes());
    forged[KEY.len() - 1] = b'0';
    report("refuse_forged", || {
        keys.verify(black_box(&forged), now, &mut buf).is_err_and(|error| error == KeyError::InvalidSignature)
    })?;
    let meta = JsonObject::new(r#"{"plan":"ppppppppp"}"#).map_err(|_| Wrong)?;
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]).meta(meta);
    report("issue", || keys.issue_with_id(black_box(&new), ID, now, &mut buf) == Ok(KEY))?;

    // The conversion to an `f64` takes the most stack for a decimal with more digits than fit into 64 bits.
    let meta =
        JsonObject::new(r#"{"n":9007199254740993.00000000000000000000000000000000000000000000000000000000000001}"#);
    let new = NewKey::new("acme-corp").encoding(Encoding::MessagePack).meta(meta.map_err(|_| Wrong)?);
    report("issue_decimal_in_msgpack", || keys.issue_with_id(black_box(&new), ID, now, &mut buf).is_ok())
}

fn envelope_costs() -> Result<(), Wrong> {
    let server: ServerKey = SERVER_PUBLIC.parse().map_err(|_| Wrong)?;
    let recipient = Recipient::new(SERVER_PRIVATE);
    let (mut request, mut answer) = ([0; 1024], [0; 512]);
    let (secret, iv, answer_iv) = ([7; 32], [9; 12], [10; 12]);
    let establish = || Session::establish(black_box(&server), &mut Pinned(&secret)).ok();

    report("server_key", || black_box(SERVER_PUBLIC).parse::<ServerKey>().is_ok())?;
    report("establish", || establish().is_some())?;
    report("establish_and_seal", || {
        establish().is_some_and(|session| session.seal(REQUEST, &mut Pinned(&iv), &mut request).is_ok())
    })?;
    // A session seals once and opens once. So there are two: one run for the instructions, and one for the stack.
    let mut prepared = [establish(), establish()].into_iter().flatten();
    let mut pending = [None, None];
    let mut places = pending.iter_mut();
    let mut len = 0;
    report("seal_prepared", || {
        let (Some(session), Some(place)) = (prepared.next(), places.next()) else {
            return false;
        };
        let sealed = session.seal(black_box(REQUEST), &mut Pinned(&iv), &mut request);
        sealed.is_ok_and(|(envelope, pending)| {
            len = envelope.len();
            *place = Some(pending);
            true
        })
    })?;
    let mut copies = [request; 3];
    let [for_answer, others @ ..] = &mut copies;
    let (plaintext, reply) = recipient.open(&mut for_answer[..len]).map_err(|_| Wrong)?;
    if plaintext != REQUEST {
        return Err(Wrong);
    }
    let sealed = reply.seal(ANSWER, &mut Pinned(&answer_iv), &mut answer).map_err(|_| Wrong)?.len();
    let mut others = others.iter_mut();
    report("open_request", || {
        let Some(request) = others.next() else {
            return false;
        };
        recipient.open(black_box(&mut request[..len])).is_ok_and(|(plaintext, _)| plaintext == REQUEST)
    })?;
    let mut copies = [answer; 2];
    let mut copies = copies.iter_mut();
    let mut pending = pending.into_iter().flatten();
    report("open_answer", || {
        let (Some(pending), Some(answer)) = (pending.next(), copies.next()) else {
            return false;
        };
        pending.open(black_box(&mut answer[..sealed])).is_ok_and(|opened| opened.as_bytes() == ANSWER)
    })
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("{info}");
    exit(false)
}
