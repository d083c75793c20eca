//! Calls each function once correctly, and once for each check that keeps it from accessing invalid memory.

use core::{
    ffi::{c_int, c_void},
    mem::MaybeUninit,
    ptr::{null, null_mut},
};

use crate::{
    answer::{ApikeeAnswer, apikee_pending_require_success, apikee_unsealed_require_success},
    args::ApikeeText,
    claims::*,
    error::ApikeeError,
    issue::{ApikeeNewKey, apikee_issue},
    keyring::*,
    meta::*,
    names::*,
    request::{ApikeeHeader, ApikeeValidateRequest, apikee_write_validate_body, apikee_write_validate_target},
    session::*,
    verify::{ApikeeClaims, apikee_verify},
};

const NOW: i64 = 1_760_000_000;
const SCOPES: &[ApikeeText] = &[text("read"), text("write")];
const NOTHING: ApikeeText = ApikeeText { ptr: null(), len: 0 };

/// Fails if the code is not the wanted one.
#[track_caller]
fn gives(code: ApikeeError, wanted: ApikeeError) {
    assert_eq!(code as i32, wanted as i32);
}

const fn text(text: &'static str) -> ApikeeText {
    ApikeeText { ptr: text.as_ptr().cast(), len: text.len() }
}

fn read(text: ApikeeText) -> &'static str {
    // SAFETY: the tests pass only text in memory that they own.
    unsafe { text.read() }.ok().unwrap()
}

unsafe extern "C" fn fill(_: *mut c_void, out: *mut u8, len: usize) -> c_int {
    // SAFETY: the caller passes memory of this length.
    unsafe { out.write_bytes(0x42, len) };
    0
}

/// Uninitialised memory, as in C.
fn room<T>() -> Box<MaybeUninit<T>> {
    Box::new(MaybeUninit::uninit())
}

fn new_key(scopes: &'static [ApikeeText]) -> ApikeeNewKey {
    ApikeeNewKey {
        tenant: text("acme"),
        scopes: scopes.as_ptr(),
        scope_count: scopes.len(),
        environment: NOTHING,
        meta: text(r#"{"plan":"gold","seats":5,"beta":true}"#),
        expiry: 0,
        expiry_seconds: 0,
        not_before: 0,
        has_not_before: 0,
    }
}

/// A keyring, a key of it, and its claims with the buffer that they point into.
struct Ready {
    keyring: Box<MaybeUninit<ApikeeKeyring>>,
    key: Vec<u8>,
    buf: Vec<MaybeUninit<u8>>,
    claims: Box<MaybeUninit<ApikeeClaims>>,
}

impl Ready {
    fn new() -> Self {
        let (mut keyring, mut claims) = (room::<ApikeeKeyring>(), room::<ApikeeClaims>());
        let (mut key, mut len) = (vec![0_u8; 512], 0);
        let mut buf = vec![MaybeUninit::uninit(); 512];
        // SAFETY: all pointers are valid for the given sizes.
        unsafe {
            gives(apikee_keyring_init(keyring.as_mut_ptr(), "old".as_ptr().cast(), 3), ApikeeError::Ok);
            gives(apikee_keyring_init(keyring.as_mut_ptr(), "secret".as_ptr().cast(), 6), ApikeeError::Ok);
            gives(apikee_keyring_accept(keyring.as_mut_ptr(), "before".as_ptr().cast(), 6), ApikeeError::Ok);
            gives(apikee_keyring_set_leeway(keyring.as_mut_ptr(), 30), ApikeeError::Ok);
            let (out, room) = (key.as_mut_ptr().cast(), key.len());
            let new = new_key(SCOPES);
            let issued = apikee_issue(keyring.as_ptr(), &new, NOW * 1000, Some(fill), null_mut(), out, room, &mut len);
            gives(issued, ApikeeError::Ok);
            key.truncate(len);
            let (start, room) = (buf.as_mut_ptr().cast(), buf.len());
            let verified =
                apikee_verify(keyring.as_ptr(), key.as_ptr().cast(), len, NOW, start, room, claims.as_mut_ptr());
            gives(verified, ApikeeError::Ok);
        }
        Self { keyring, key, buf, claims }
    }

    fn verify(&mut self, key: *const c_void, len: usize, buf: *mut c_void, room: usize) -> ApikeeError {
        // SAFETY: the keyring and the claims are valid; the tests are responsible for the rest.
        unsafe { apikee_verify(self.keyring.as_ptr(), key, len, NOW, buf, room, self.claims.as_mut_ptr()) }
    }
}

#[test]
fn a_key_contains_the_claims_it_was_issued_with() {
    let ready = Ready::new();
    let (claims, mut got) = (ready.claims.as_ptr(), NOTHING);
    let (mut number, mut index, mut truth, mut encoding, mut len) = (0, 7, false, 7, 0);
    let mut copy = [0_u8; 8];
    // SAFETY: the claims and the memory that they point into are valid, and the output has room.
    unsafe {
        gives(apikee_claims_get_tenant(claims, &mut got), ApikeeError::Ok);
        assert_eq!(read(got), "acme");
        gives(apikee_claims_get_id(claims, &mut got), ApikeeError::Ok);
        gives(apikee_claims_get_environment(claims, &mut got), ApikeeError::Ok);
        assert_eq!(read(got), "production");
        gives(apikee_claims_get_scope(claims, 1, &mut got), ApikeeError::Ok);
        assert_eq!(read(got), "write");
        gives(apikee_claims_get_scope(claims, 2, &mut got), ApikeeError::Absent);
        gives(apikee_claims_get_expires_at(claims, &mut number), ApikeeError::Ok);
        gives(apikee_claims_get_not_before(claims, &mut number), ApikeeError::Absent);
        gives(apikee_claims_get_secret_index(claims, &mut index), ApikeeError::Ok);
        assert_eq!(index, 0);
        assert!(apikee_claims_has_scope(claims, "read".as_ptr().cast(), 4));
        gives(apikee_claims_require_scope(claims, "red".as_ptr().cast(), 3), ApikeeError::InsufficientScope);
        let wanted = [text("read"), text("admin")];
        gives(apikee_claims_require_scopes(claims, wanted.as_ptr(), 2, &mut index), ApikeeError::InsufficientScope);
        assert_eq!(index, 1);
        gives(apikee_claims_get_meta(claims, &mut got, &mut encoding), ApikeeError::Ok);
        gives(apikee_claims_get_meta_int(claims, "seats".as_ptr().cast(), 5, &mut number), ApikeeError::Ok);
        gives(apikee_claims_get_meta_bool(claims, "beta".as_ptr().cast(), 4, &mut truth), ApikeeError::Ok);
        assert_eq!((number, truth), (5, true));
        let (name, out) = ("plan".as_ptr().cast(), copy.as_mut_ptr().cast());
        gives(apikee_claims_get_meta_str(claims, name, 4, out, 8, &mut len), ApikeeError::Ok);
        assert_eq!(&copy[..len], b"gold");
        gives(apikee_claims_get_meta_str(claims, name, 4, out, 3, &mut len), ApikeeError::BufferTooSmall);
        let (key, mut print) = (ready.key.as_ptr().cast(), [0; 32]);
        gives(apikee_get_fingerprint(key, ready.key.len(), &mut print), ApikeeError::Ok);
        gives(apikee_get_log_prefix(key, ready.key.len(), &mut got), ApikeeError::Ok);
        assert!(read(got).starts_with("apikee_"));
    }
}

#[test]
fn null_is_an_error() {
    let mut ready = Ready::new();
    let (key, len) = (ready.key.as_ptr().cast(), ready.key.len());
    let (buf, room) = (ready.buf.as_mut_ptr().cast(), ready.buf.len());
    // SAFETY: this tests null pointers; all other pointers are valid.
    unsafe {
        gives(apikee_keyring_init(null_mut(), "s".as_ptr().cast(), 1), ApikeeError::NullPointer);
        gives(apikee_keyring_accept(ready.keyring.as_mut_ptr(), null(), 1), ApikeeError::NullPointer);
        gives(ready.verify(null(), 1, buf, room), ApikeeError::NullPointer);
        gives(ready.verify(key, len, null_mut(), room), ApikeeError::NullPointer);
        gives(ready.verify(key, len, buf, room), ApikeeError::Ok);
        gives(apikee_claims_get_tenant(null(), &mut NOTHING.clone()), ApikeeError::NullPointer);
        gives(apikee_claims_get_tenant(ready.claims.as_ptr(), null_mut()), ApikeeError::NullPointer);
        gives(apikee_claims_require_scopes(ready.claims.as_ptr(), null(), 1, null_mut()), ApikeeError::NullPointer);
        apikee_keyring_wipe(null_mut());
        let (keyring, new, mut written) = (ready.keyring.as_ptr(), new_key(&[]), 0);
        let issued = apikee_issue(keyring, &new, NOW * 1000, None, null_mut(), buf, room, &mut written);
        gives(issued, ApikeeError::NullPointer);
    }
}

#[test]
fn a_misaligned_pointer_is_an_error() {
    let mut ready = Ready::new();
    let mut words = [0_u64; 100];
    let off = words.as_mut_ptr().cast::<u8>().wrapping_add(1);
    let mut got = NOTHING;
    // SAFETY: the memory is valid, but at an odd address.
    unsafe {
        gives(apikee_keyring_init(off.cast(), "s".as_ptr().cast(), 1), ApikeeError::Misaligned);
        gives(apikee_claims_get_tenant(off.cast(), &mut got), ApikeeError::Misaligned);
        gives(apikee_claims_get_tenant(ready.claims.as_ptr(), off.cast()), ApikeeError::Misaligned);
        let required = apikee_claims_require_scopes(ready.claims.as_ptr(), off.cast(), 1, null_mut());
        gives(required, ApikeeError::Misaligned);
        // A secret is wiped even if it is misaligned.
        apikee_keyring_wipe(off.cast());
        apikee_keyring_wipe(ready.keyring.as_mut_ptr());
        let bytes: [u8; size_of::<ApikeeKeyring>()] = core::mem::transmute(ready.keyring.assume_init_read());
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn the_output_must_not_overlap_an_input() {
    let mut ready = Ready::new();
    let mut both = vec![0_u8; 1024];
    both[..ready.key.len()].copy_from_slice(&ready.key);
    let (start, len) = (both.as_mut_ptr(), ready.key.len());
    gives(ready.verify(start.cast(), len, start.wrapping_add(len - 1).cast(), 500), ApikeeError::Overlap);
    gives(ready.verify(start.cast(), len, start.wrapping_add(len).cast(), 500), ApikeeError::Ok);
    let keyring = ready.keyring.as_mut_ptr();
    // SAFETY: the keyring is valid, and longer than sixteen bytes.
    unsafe {
        gives(apikee_keyring_accept(keyring, keyring.byte_add(10).cast(), 6), ApikeeError::Overlap);
        let claims = ready.claims.as_mut_ptr();
        gives(apikee_claims_get_tenant(claims, claims.cast()), ApikeeError::Overlap);
    }
}

#[test]
fn an_impossible_length_is_an_error() {
    let mut ready = Ready::new();
    let (key, claims) = (ready.key.as_ptr(), ready.claims.as_ptr());
    for len in [usize::MAX, usize::MAX / 2 + 1, usize::MAX - 4096] {
        // SAFETY: this tests that the function does not access memory of this length.
        unsafe {
            let required = apikee_claims_require_scope(claims, key.cast(), len);
            gives(required, ApikeeError::InvalidLength);
            let required = apikee_claims_require_scopes(claims, key.cast(), len, null_mut());
            gives(required, ApikeeError::InvalidLength);
        }
    }
    // A possible length, but the end of the memory is not a valid address.
    let end = core::ptr::without_provenance(usize::MAX - 100);
    let (buf, room) = (ready.buf.as_mut_ptr().cast(), ready.buf.len());
    gives(ready.verify(end, 4096, buf, room), ApikeeError::InvalidLength);
}

#[test]
fn an_uninitialised_object_is_an_error() {
    let (ready, mut got) = (Ready::new(), NOTHING);
    let mut zeros = MaybeUninit::<ApikeeClaims>::zeroed();
    // SAFETY: both objects are valid memory, and their bytes are initialised.
    unsafe {
        gives(apikee_claims_get_tenant(zeros.as_mut_ptr(), &mut got), ApikeeError::NotInitialised);
        // An object of another kind.
        gives(apikee_claims_get_tenant(ready.keyring.as_ptr().cast(), &mut got), ApikeeError::NotInitialised);
    }
}

#[test]
fn text_that_is_not_utf_8_is_an_error() {
    let ready = Ready::new();
    let required =
        // SAFETY: the claims are valid, and so are the two bytes.
        unsafe { apikee_claims_require_scope(ready.claims.as_ptr(), b"\xff\xfe".as_ptr().cast(), 2) };
    gives(required, ApikeeError::InvalidUtf8);
}

/// A request with these header fields.
fn request(headers: &[ApikeeHeader]) -> ApikeeValidateRequest {
    ApikeeValidateRequest {
        client_id: text("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
        project_env: text("my-app-production"),
        method: text("GET"),
        path: text("/users/7?secret=1"),
        key_name: NOTHING,
        headers: headers.as_ptr(),
        header_count: headers.len(),
        payload: NOTHING,
        now_millis: NOW * 1000,
        keep_query: 0,
    }
}

#[test]
fn a_request_and_an_answer_without_an_envelope() {
    let headers = [ApikeeHeader { name: text("user-agent"), value: text("test") }];
    let request = request(&headers);
    let (mut buf, mut len) = ([0_u8; 600], 0);
    let mut body = *br#"{"success":true,"code":"FINE"}"#;
    let mut answer = room::<ApikeeAnswer>();
    // SAFETY: all pointers are valid.
    unsafe {
        gives(apikee_write_validate_target(&request, buf.as_mut_ptr().cast(), 600, &mut len), ApikeeError::Ok);
        gives(apikee_write_validate_body(&request, buf.as_mut_ptr().cast(), 600, &mut len), ApikeeError::Ok);
        assert!(!buf[..len].windows(6).any(|part| part == b"secret"));
        gives(apikee_write_validate_body(&request, buf.as_mut_ptr().cast(), 3, &mut len), ApikeeError::BufferTooSmall);
        let told = apikee_unsealed_require_success(&request, body.as_mut_ptr().cast(), body.len(), answer.as_mut_ptr());
        gives(told, ApikeeError::Ok);
        assert_eq!(read(answer.assume_init_ref().code), "FINE");
        let mut body = *br#"{"success":true,"method_path":"PUT:::/users/7"}"#;
        let told = apikee_unsealed_require_success(&request, body.as_mut_ptr().cast(), body.len(), answer.as_mut_ptr());
        gives(told, ApikeeError::AnswerAnotherRequest);
    }
}

#[test]
#[cfg_attr(miri, ignore = "it takes minutes")]
fn a_session_is_used_once() {
    const PUBLIC: &str = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";
    let (mut server, mut session, mut pending) =
        (room::<ApikeeServerKey>(), room::<ApikeeSession>(), room::<ApikeePending>());
    let (mut sealed, mut len, mut answer) = (vec![0_u8; 400], 0, room::<ApikeeAnswer>());
    // SAFETY: all pointers are valid.
    unsafe {
        gives(apikee_server_key_init(server.as_mut_ptr(), PUBLIC.as_ptr().cast(), 64), ApikeeError::Ok);
        let established = apikee_session_establish(session.as_mut_ptr(), server.as_ptr(), Some(fill), null_mut());
        gives(established, ApikeeError::Ok);
        let mut seal = |wanted| {
            let (own, room) = (session.as_mut_ptr(), sealed.len());
            let (out, to) = (sealed.as_mut_ptr().cast(), pending.as_mut_ptr());
            let plaintext = "{}".as_ptr().cast();
            gives(apikee_session_seal(own, plaintext, 2, Some(fill), null_mut(), out, room, &mut len, to), wanted);
        };
        seal(ApikeeError::Ok);
        seal(ApikeeError::NotInitialised);
        // The second call has wiped it.
        let (body, len) = (sealed.as_mut_ptr().cast(), len);
        let opened =
            apikee_pending_require_success(pending.as_mut_ptr(), &request(&[]), body, len, answer.as_mut_ptr());
        gives(opened, ApikeeError::NotInitialised);
    }
}
