//! Sequences of requests through a client in server mode. The platform, or an attacker in between, gives any answer.

use std::sync::{Arc, LazyLock, Mutex};

use apikee::{
    Apikee, Denial, Expiry, Keyring, NewKey, UnixTime,
    client::{AuthorizeRequest, Call, Received, TransportError},
    envelope::{Recipient, ServerKey, sealed_len},
    policy::{Basis, Fault, Outage, Overload},
    protocol::MethodPath,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};

use super::{
    envelope::{Counting, RECIPIENT},
    splitter::Splitter,
    trees,
};
use crate::support::{OTHER_SECRET, SECRET, Xorshift};

/// The id of each client is also its tenant.
const CLIENTS: [&str; 3] = [
    "11111111-2222-4333-8444-555555555555",
    "497f6eca-6276-4993-bfeb-53cbbbba6f08",
    "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
];

/// A key of each client, and one of each with a secret that is not accepted.
static KEYS: LazyLock<[[String; 3]; 2]> = LazyLock::new(|| {
    [SECRET, OTHER_SECRET].map(|secret| {
        CLIENTS.map(|tenant| {
            let new = NewKey::new(tenant).scopes(&["read"]).expires(Expiry::Never);
            let ring = Keyring::new(secret).unwrap();
            ring.issue(&new, UnixTime::now(), &mut Xorshift(7), &mut [0; 512]).unwrap().to_owned()
        })
    })
});

/// The kind of an answer of the platform.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answered {
    Confirmed,
    Rejected,
    Outage,
    Overload,
    Fault,
}

/// The platform, and an attacker in between.
#[derive(Default)]
struct Wire {
    /// What happens to the next call, and a parameter for it.
    next: (u8, u8),
    answered: Option<Answered>,
    /// The last genuine answer.
    answer: Vec<u8>,
}

impl Wire {
    fn call(&mut self, call: &Call<'_>, buf: &mut [u8]) -> Result<Received, TransportError> {
        let (kind, byte) = self.next;
        let genuine = |text: &str| {
            let mut request = call.body.to_vec();
            let (_, reply) = RECIPIENT.open(&mut request).expect("the request is sealed for the platform");
            let mut buf = vec![0; sealed_len(text.len())];
            reply.seal(text.as_bytes(), &mut Counting(byte), &mut buf).unwrap().as_bytes().to_vec()
        };
        let yes = r#"{"success":true,"project_env":"test","durationMs":3}"#;
        let (answered, status, body) = match kind % 20 {
            0..=5 => (Answered::Confirmed, 200, genuine(yes)),
            6 => (Answered::Rejected, 200, genuine(r#"{"success":false,"error":"REVOKED"}"#)),
            7 => (Answered::Rejected, 403, Vec::new()),
            8 => (Answered::Rejected, 429, Vec::new()),
            9 => (Answered::Outage, 500 + u16::from(byte % 100), Vec::new()),
            10 => {
                let outage = [Outage::Dns, Outage::Connect, Outage::Reset, Outage::Timeout][usize::from(byte) % 4];
                self.answered = Some(Answered::Outage);
                return Err(TransportError::Outage(outage));
            }
            11 => {
                self.answered = Some(Answered::Overload);
                return Err(TransportError::Overload(Overload::OutOfResources));
            }
            12 => {
                self.answered = Some(Answered::Fault);
                return Err(TransportError::Fault(Fault::UntrustedCertificate));
            }
            13 => (Answered::Fault, [401, 302, 404, 418][usize::from(byte) % 4], Vec::new()),
            // An answer about another client.
            14 => {
                let other = format!(r#"{{"success":true,"clientId":"00000000-0000-4000-8000-0000000000{byte:02x}"}}"#);
                (Answered::Fault, 200, genuine(&other))
            }
            15 => (Answered::Fault, 200, yes.as_bytes().to_vec()),
            // Our own request, with the platform's public key instead of its own.
            16 => {
                let text = std::str::from_utf8(call.body).unwrap();
                let tree = trees::json(call.body).unwrap();
                let epk = tree.member("epk").unwrap();
                let server = BASE64.encode(RECIPIENT.public_key());
                (Answered::Fault, 200, text.replace(epk, &server).into_bytes())
            }
            // An answer to an earlier request.
            17 => (Answered::Fault, 200, self.answer.clone()),
            // From another platform, which cannot open the request.
            18 => {
                let mut request = call.body.to_vec();
                // Not the secret of `RECIPIENT`, which is 32 times 0x42.
                let other = Recipient::new(std::array::from_fn(|at| if at == 1 { 0 } else { byte }));
                assert!(other.open(&mut request).is_err());
                (Answered::Fault, 200, request)
            }
            // A genuine answer with one changed digit of the ciphertext.
            _ => {
                let mut answer = genuine(yes);
                let at = answer.len() - 10 - usize::from(byte % 60);
                answer[at] = if answer[at] == b'A' { b'B' } else { b'A' };
                (Answered::Fault, 200, answer)
            }
        };
        if answered == Answered::Confirmed {
            self.answer.clone_from(&body);
        }
        self.answered = Some(answered);
        buf[..body.len()].copy_from_slice(&body);
        let retry_after = (kind % 20 == 8 && byte & 1 == 1).then_some(u32::from(byte) + 60);
        Ok(Received { status, len: body.len(), retry_after })
    }
}

/// Without a valid key, a request is denied. With a valid key, the platform's answer decides. Only an outage fails
/// open, and not for a client that was refused before.
pub fn body(input: &[u8]) {
    let mut input = Splitter(input);
    let wire = Arc::new(Mutex::new(Wire::default()));
    let there = Arc::clone(&wire);
    let transport = move |call: &Call<'_>, buf: &mut [u8]| there.lock().unwrap().call(call, buf);
    let builder = Apikee::builder().secret(SECRET).project_key("sk_test_example").project_env("test");
    let builder = builder.server_key(ServerKey::from_bytes(*RECIPIENT.public_key()).unwrap()).transport(transport);
    let builder = builder.tenant_is_client_id(true).auto_register(false).background_thread(false);
    // A slow machine must not turn an outage into an overload.
    let builder = builder.timeout(std::time::Duration::from_secs(3600));
    let apikee = builder.build().unwrap();

    let (mut refused, mut outages) = ([false; CLIENTS.len()], 0);
    for _ in 0..24 {
        if input.is_empty() {
            break;
        }
        let (who, kind, byte) = (input.byte(), input.byte(), input.byte());
        let (client, is_ours, has_scope) = (usize::from(who) % CLIENTS.len(), who & 0x70 != 0, who & 0x80 == 0);
        {
            let mut wire = wire.lock().unwrap();
            (wire.next, wire.answered) = ((kind, byte), None);
        }

        let key = &KEYS[usize::from(!is_ours)][client];
        let scopes: &[&str] = if has_scope { &["read"] } else { &["write"] };
        let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users").unwrap()).scopes(scopes);
        let mut buf = [0; 512];
        let verdict = apikee.authorize_in(&request, &mut buf).map(|grant| grant.basis());
        let answered = wire.lock().unwrap().answered;
        match (answered, verdict) {
            (None, Err(Denial::Key(_))) => assert!(!is_ours),
            (None, Err(Denial::MissingScopes(_))) => assert!(is_ours && !has_scope),
            (answered, verdict) => {
                assert!(is_ours && has_scope, "{verdict:?}");
                match (answered, verdict) {
                    (Some(Answered::Confirmed), Ok(Basis::Confirmed)) => refused[client] = false,
                    (Some(Answered::Rejected), Err(Denial::Rejected(_))) => refused[client] = true,
                    (Some(Answered::Fault), Err(Denial::Fault(_)))
                    | (Some(Answered::Overload), Err(Denial::Overload(_))) => {}
                    (Some(Answered::Outage), Ok(Basis::FailedOpen(_))) => {
                        assert!(!refused[client], "a refused client was let in");
                        outages += 1;
                    }
                    (Some(Answered::Outage), Err(Denial::Remembered(_))) => {
                        assert!(refused[client], "the client was not refused");
                        outages += 1;
                    }
                    // The breaker is open.
                    (None, Ok(Basis::FailedOpen(Outage::BreakerOpen { .. }))) => {
                        assert!(outages > 0 && !refused[client])
                    }
                    (None, Err(Denial::Remembered(_))) => assert!(outages > 0 && refused[client]),
                    (answered, verdict) => panic!("{verdict:?} on {answered:?}"),
                }
            }
        }
    }
}
