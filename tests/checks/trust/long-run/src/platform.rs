//! The platform, in this process or behind sockets. Both record their answers.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use apikee::{
    SysRng,
    client::{ApikeeBuilder, Call, Received, TransportError},
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion, RequestKind},
    envelope::{Recipient, ServerKey, sealed_len},
    policy::{Fault, Outage},
};

use crate::{
    LIMIT, Random, client_id,
    every_fault::{Class, faults},
    oracle::Told,
};

thread_local! {
    static TOLD: Cell<Option<Told>> = const { Cell::new(None) };
    static LAST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static RANDOM: RefCell<Random> = RefCell::new(Random(NEXT.fetch_add(1, Relaxed)));
}

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The seed of the next thread's random numbers.
static NEXT: AtomicU64 = AtomicU64::new(1000);

/// Takes the answer to this thread's last request.
pub fn take_told() -> Option<Told> {
    REQUESTS.fetch_add(1, Relaxed);
    TOLD.take()
}

pub struct InProcess(Arc<Recipient>);

impl InProcess {
    pub fn new() -> Self {
        Self(Arc::new(Recipient::new([7; 32])))
    }

    pub fn configure(&self, builder: ApikeeBuilder) -> ApikeeBuilder {
        let recipient = Arc::clone(&self.0);
        let server = ServerKey::from_bytes(*recipient.public_key()).unwrap();
        let transport = move |call: &Call<'_>, answer: &mut [u8]| {
            let weather = REQUESTS.load(Relaxed) / 4096 % 8;
            RANDOM.with_borrow_mut(|random| tell(&recipient, weather, random, call, answer))
        };
        builder.project_key("sk_test_example").project_env("my-app-production").server_key(server).transport(transport)
    }
}

fn tell(
    recipient: &Recipient,
    weather: u64,
    random: &mut Random,
    call: &Call<'_>,
    answer: &mut [u8],
) -> Result<Received, TransportError> {
    let mut body = call.body.to_vec();
    let (_, reply) = recipient.open(&mut body).expect("an envelope that opens");
    let told = |told| TOLD.set(Some(told));
    let plain = |answer: &mut [u8], status, bytes: &[u8]| {
        answer[..bytes.len()].copy_from_slice(bytes);
        Ok(Received { status, len: bytes.len(), retry_after: None })
    };
    let roll = random.below(100);
    // Five of eight periods are calm. One has many faults, in one almost no call connects, and in one most calls are
    // refused.
    let [outages, refusals, faults] =
        [[1, 2, 2], [15, 15, 30], [97, 0, 1], [5, 60, 2]][weather.saturating_sub(4) as usize % 4];
    if roll < outages {
        let outage = [Outage::Connect, Outage::Dns, Outage::Reset, Outage::Timeout, Outage::Status(503)];
        let outage = if weather == 6 { Outage::Connect } else { outage[random.below(5) as usize] };
        told(Told::Outage(outage));
        return match outage {
            Outage::Status(status) => plain(answer, status, b"{}"),
            outage => Err(TransportError::Outage(outage)),
        };
    }
    if roll < outages + refusals {
        match random.below(4) {
            0 => {
                told(Told::Forbidden);
                return plain(answer, 403, b"{}");
            }
            1 => {
                let retry_after = [None, Some(0), Some(1)][random.below(3) as usize];
                told(Told::Limited(retry_after));
                return Ok(Received { status: 429, len: 0, retry_after });
            }
            _ => told(Told::Unsuccessful),
        }
        return seal(reply, br#"{"success":false}"#, answer);
    }
    if roll < outages + refusals + faults {
        told(Told::Fault);
        return match random.below(14) {
            0 => plain(answer, 401, b"{}"),
            1 => plain(answer, 307, b""),
            2 => plain(answer, 418, b"{}"),
            3 => plain(answer, 200, b"\xff\xfe not JSON"),
            4 => plain(answer, 200, b""),
            5 => plain(answer, 200, br#"{"success":true}"#),
            6 => plain(answer, 200, call.body),
            7 => LAST.with_borrow(|last| plain(answer, 200, last)),
            8 => Err(TransportError::OVERSIZED),
            9 => Err(TransportError::Fault(Fault::UntrustedCertificate)),
            10 => {
                // A sealed answer to this request with one changed character.
                let received = seal(reply, br#"{"success":true}"#, answer)?;
                let text = answer[..received.len].iter().rposition(u8::is_ascii_alphanumeric).unwrap();
                answer[text - 4] = if answer[text - 4] == b'A' { b'B' } else { b'A' };
                Ok(received)
            }
            11 => {
                let received = seal(reply, br#"{"success":true}"#, answer)?;
                Ok(Received { len: received.len / 2, ..received })
            }
            12 => seal(reply, br#"{"success":"true"}"#, answer),
            _ => seal(reply, br#"{"success":true"#, answer),
        };
    }
    told(Told::Success);
    let received = seal(reply, br#"{"success":true}"#, answer)?;
    LAST.with_borrow_mut(|last| {
        last.clear();
        last.extend(&answer[..received.len]);
    });
    Ok(received)
}

fn seal(reply: apikee::envelope::Reply, text: &[u8], answer: &mut [u8]) -> Result<Received, TransportError> {
    let len = sealed_len(text.len());
    reply.seal(text, &mut SysRng, &mut answer[..len]).unwrap();
    Ok(Received { status: 200, len, retry_after: None })
}

/// The emulator. Its answers are recorded by the path of the request.
pub struct Sockets {
    emulator: Emulator,
    told: Arc<Mutex<HashMap<String, Told>>>,
}

impl Sockets {
    pub fn start(clients: usize) -> Self {
        let mut table = faults(LIMIT);
        for (fault, _) in &mut table {
            if let Misbehaviour::Oversized(len) = fault {
                // The emulator makes the answer in this process, whose memory is measured. It is still too long for the
                // client.
                *len = 100_000;
            }
        }
        let table = Arc::new(table);
        let told: Arc<Mutex<HashMap<String, Told>>> = Arc::default();
        let (rules, notes) = (Arc::clone(&table), Arc::clone(&told));
        let emulator = Emulator::builder()
            .on_request(move |request| {
                let Some(path) = request.method_path.as_ref().and_then(|path| path.split(":::").nth(1)) else { return };
                let class = request.misbehaviour.as_ref().map(|own| {
                    let (fault, class) = rules.iter().find(|(fault, _)| fault == own).expect("it was arranged");
                    (fault.to_string(), *class)
                });
                let told = match class {
                    None | Some((_, Class::Fine)) => Told::Success,
                    Some((name, Class::Rejected)) => match &*name {
                        "status:403" => Told::Forbidden,
                        "status:429" => Told::Limited(None),
                        _ => Told::Unsuccessful,
                    },
                    Some((_, Class::Outage(outage))) => Told::Outage(outage),
                    Some((_, Class::Fault)) => Told::Fault,
                };
                notes.lock().unwrap().insert(path.into(), told);
            })
            .start()
            .unwrap();
        for number in 0..clients {
            let id = client_id(number).parse().unwrap();
            emulator.add_client(id, EmulatedClient::new(&format!("client-{number}")));
        }
        for (seed, (fault, _)) in (18..).zip(table.iter()) {
            let when = Occasion::Randomly { percent: 1, seed };
            emulator.misbehave_at(RequestKind::Validate, fault.clone(), when);
        }
        Self { emulator, told }
    }

    pub fn configure(&self, builder: ApikeeBuilder) -> ApikeeBuilder {
        builder
            .project_key(Emulator::PROJECT_KEY)
            .project_env(self.emulator.project_env())
            .server_public_key(self.emulator.public_key())
            .base_url(self.emulator.url())
    }

    pub fn take_told(&self, path: &str) -> Option<Told> {
        self.told.lock().unwrap().remove(path)
    }
}
