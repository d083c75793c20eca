//! Secrets and revocations that change at run time.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    string::String,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use apikee::{
    Apikee, Fingerprint, Keyring, NewKey, Revocations, SysRng, UnixTime,
    client::{ApikeeBuilder, Event, FileProblem, Setting, WatchedFile},
};

use crate::{LONG, SetOnDrop, ask};
#[cfg(target_os = "linux")]
use crate::{all_descriptors, with_few_descriptors};

const A: &str = "secret a of 32 bytes, more or so";
const B: &str = "secret b of 32 bytes, more or so";
const C: &str = "secret c of 32 bytes, more or so";

/// A key that this secret signed, for the route of these tests.
fn issued(secret: &str) -> String {
    let keys = Keyring::new(secret.as_bytes()).unwrap();
    let new = NewKey::new("acme-corp").scopes(&["read"]);
    keys.issue(&new, UnixTime::now(), &mut SysRng, &mut [0; 1024]).unwrap().into()
}

fn good(apikee: &Apikee, key: &str) -> bool {
    match ask(apikee, key) {
        Ok(_) => true,
        Err(denial) => {
            assert!(["INVALID_SIGNATURE", "REVOKED"].iter().any(|code| denial.starts_with(code)), "{denial}");
            false
        }
    }
}

/// Which secrets are accepted.
fn accepted(apikee: &Apikee) -> [bool; 3] {
    [A, B, C].map(|secret| good(apikee, &issued(secret)))
}

fn ring(secrets: &[&str]) -> Keyring {
    let mut keys = Keyring::new(secrets[0].as_bytes()).unwrap();
    for secret in &secrets[1..] {
        keys.accept(secret.as_bytes()).unwrap();
    }
    keys
}

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reload-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Replaces a file atomically: writes a new file, and renames it.
    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let (new, path) = (self.path("new"), self.path(name));
        fs::write(&new, content).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The events of this module as text.
fn text_of(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::KeyringReplaced { secrets, retiring, displaced } => format!("keyring {secrets} {retiring} {displaced}"),
        Event::WeakSecrets { secrets } => format!("weak {secrets}"),
        Event::FileRead { file, entries } => format!("{file} read {entries}"),
        Event::FileRejected { error } => format!("{} rejected: {:?}", error.file(), error.problem()),
        _ => return None,
    })
}

fn observed(builder: ApikeeBuilder) -> (Apikee, Receiver<String>) {
    let (sender, heard) = channel();
    let sender = Mutex::new(sender);
    let observer = move |event: &Event<'_>| {
        if let Some(text) = text_of(event) {
            let _ = sender.lock().unwrap().send(text);
        }
    };
    (builder.observer(observer).build().unwrap(), heard)
}

fn all(heard: &Receiver<String>) -> Vec<String> {
    heard.try_iter().collect()
}

#[test]
fn a_new_keyring_is_used_at_once_for_verifying_and_for_issuing() {
    let (apikee, heard) = observed(Apikee::builder().secret(A.as_bytes()));
    assert_eq!(accepted(&apikee), [true, false, false]);
    apikee.set_keyring(ring(&[B, A]));
    assert_eq!(accepted(&apikee), [true, true, false]);
    let mut buf = [0; 1024];
    let key = apikee.issue(&NewKey::new("t"), &mut buf).unwrap();
    assert_eq!(ring(&[A, B]).verify(key.key(), UnixTime::now(), &mut [0; 1024]).unwrap().secret_index(), 1);
    apikee.set_keyring(ring(&[C]));
    assert_eq!(accepted(&apikee), [false, false, true], "a secret that is not in the new keyring is not kept");
    apikee.set_keyring(Keyring::new(b"weak").unwrap());
    assert_eq!(all(&heard), ["keyring 2 0 0", "keyring 1 0 0", "keyring 1 0 0", "weak 1"]);
}

#[test]
fn the_leeway_of_the_builder_applies_to_a_new_keyring() {
    let apikee = Apikee::builder().secret(A.as_bytes()).leeway(Duration::from_secs(3_600)).build().unwrap();
    apikee.set_keyring(ring(&[B]));
    let expired = UnixTime::from_secs(UnixTime::now().as_secs() - 60);
    let new = NewKey::new("acme-corp").scopes(&["read"]).expires(apikee::Expiry::At(expired));
    let mut buf = [0; 1024];
    let key = ring(&[B]).issue(&new, UnixTime::now(), &mut SysRng, &mut buf).unwrap();
    assert!(good(&apikee, key));
}

#[test]
fn a_secret_that_was_removed_from_the_file_is_accepted_for_a_time() {
    let folder = Folder::new("grace");
    let path = folder.put("secrets", format!("{A}\n"));
    let builder = || Apikee::builder().secret_file(&path).background_thread(false);
    let (apikee, heard) = observed(builder());
    let (strict, _) = observed(builder().secret_grace(Duration::ZERO));
    assert_eq!(accepted(&apikee), [true, false, false]);

    folder.put("secrets", format!(" {B}\r\n\r\n"));
    assert_eq!(accepted(&apikee), [true, false, false], "not read yet");
    apikee.reload_files().unwrap();
    strict.reload_files().unwrap();
    assert_eq!(accepted(&apikee), [true, true, false]);
    assert_eq!(accepted(&strict), [false, true, false]);
    let mut buf = [0; 1024];
    let key = apikee.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf).unwrap();
    assert!(good(&strict, key.key()), "new keys are signed with the new secret");

    apikee.reload_files().unwrap();
    assert_eq!(all(&heard), ["keyring 2 1 0", "secret file read 1"], "an unchanged file emits no event");
    folder.put("secrets", format!("{C}\n{B}"));
    apikee.reload_files().unwrap();
    assert_eq!(accepted(&apikee), [true; 3]);
    assert_eq!(all(&heard), ["keyring 3 1 0", "secret file read 2"]);
}

#[test]
fn a_malformed_file_keeps_the_last_good_secrets_and_is_reported_once() {
    let folder = Folder::new("wrong");
    let path = folder.put("secrets", A);
    let (apikee, heard) = observed(Apikee::builder().secret_file(&path).background_thread(false));
    let mut last = "";
    for (content, problem) in [
        (&b""[..], "Empty"),
        (b"\n \n", "Empty"),
        (b"\xEF\xBB\xBFsecret b of 32 bytes, more or so", "ByteOrderMark"),
        (b"\xFF\xFEs\0e\0c\0r\0e\0t\0", "ByteOrderMark"),
        (b"secret b of 32 bytes\xFF", "NotUtf8"),
        (b"secret b of 32 b\0\0\0\0\0\0", "ControlCharacter"),
        (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "TooManySecrets"),
    ] {
        folder.put("secrets", content);
        for _ in 0..3 {
            assert!(apikee.reload_files().is_err(), "each call returns the error");
        }
        assert_eq!(accepted(&apikee), [true, false, false], "{problem}");
        let heard = all(&heard);
        let expected = (problem != last).then(|| format!("secret file rejected: {problem}"));
        assert_eq!(heard, Vec::from_iter(expected));
        last = problem;
    }
    fs::remove_file(&path).unwrap();
    let error = apikee.reload_files().unwrap_err();
    assert_eq!((error.file(), error.path()), (WatchedFile::Secrets, path.as_path()));
    assert!(all(&heard)[0].starts_with("secret file rejected: Unreadable"));
    fs::create_dir(&path).unwrap();
    apikee.reload_files().unwrap_err();
    assert_eq!(all(&heard), ["secret file rejected: NotAFile"]);
    assert_eq!(accepted(&apikee), [true, false, false]);
    fs::remove_dir(&path).unwrap();
    folder.put("secrets", A);
    apikee.reload_files().unwrap();
    assert_eq!(all(&heard), ["secret file read 1"], "the file is good again");
    folder.put("secrets", B);
    apikee.reload_files().unwrap();
    assert_eq!(accepted(&apikee), [true, true, false]);
}

#[test]
fn a_malformed_deny_list_keeps_the_last_good_revocations() {
    let folder = Folder::new("deny-list");
    let (one, two) = (issued(A), issued(A));
    let [first, second] = [&one, &two].map(|key| Fingerprint::of(key));
    let path = folder.put("revoked", format!("# leaked\n{first}\n"));
    let builder = Apikee::builder().secret(A.as_bytes()).deny_list_file(&path).background_thread(false);
    let (apikee, heard) = observed(builder);
    assert_eq!((good(&apikee, &one), good(&apikee, &two)), (false, true));
    for (content, problem) in [
        (String::new(), "Empty"),
        (format!("{first}\n{}", &second.to_string()[..40]), "NotAFingerprint { line: 2 }"),
        (format!("{second}\n\nno fingerprint"), "NotAFingerprint { line: 3 }"),
        (format!("\u{FEFF}{second}"), "ByteOrderMark"),
    ] {
        folder.put("revoked", &content);
        assert!(apikee.reload_files().is_err());
        assert_eq!((good(&apikee, &one), good(&apikee, &two)), (false, true), "{content}");
        assert_eq!(all(&heard), [format!("deny-list rejected: {problem}")]);
    }
    let revoked = apikee::Revocations::from_iter([Fingerprint::of(&one)]);
    for blank in ["", " \n\n"] {
        assert!(revoked.replace_from_file(folder.put("blank", blank)).is_err());
        assert!(revoked.contains(&Fingerprint::of(&one)));
    }
    assert_eq!(revoked.replace_from_file(folder.put("blank", "# none\n")).unwrap(), 0);
    assert_eq!(revoked.replace_from_file(folder.put("blank", "")).unwrap(), 0);

    folder.put("revoked", format!("{second}\n{first} # again\n{second}\n"));
    apikee.reload_files().unwrap();
    assert_eq!((good(&apikee, &one), good(&apikee, &two)), (false, false));
    folder.put("revoked", "# none any more\n");
    apikee.reload_files().unwrap();
    assert_eq!((good(&apikee, &one), good(&apikee, &two)), (true, true));
    assert_eq!(all(&heard), ["deny-list read 2", "deny-list read 0"]);
}

/// For longer than a change of the file counts as young.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test below, in a process that may open few files"]
fn child_changes_a_file_without_descriptors() {
    let folder = Folder::new("descriptors");
    let key = issued(A);
    let path = folder.put("revoked", "# none\n");
    let (apikee, heard) = observed(Apikee::builder().secret(A.as_bytes()).deny_list_file(&path));
    assert!(good(&apikee, &key));
    fs::write(folder.path("next"), Fingerprint::of(&key).to_string()).unwrap();
    let files = all_descriptors();
    fs::rename(folder.path("next"), &path).unwrap();
    assert!(heard.recv_timeout(LONG).unwrap().starts_with("deny-list rejected: Unreadable"));
    std::thread::sleep(Duration::from_secs(4));
    drop(files);
    assert_eq!(heard.recv_timeout(LONG).unwrap(), "deny-list read 1");
    assert!(!good(&apikee, &key));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_could_not_be_read_for_a_time_is_read_afterwards() {
    let output = with_few_descriptors()
        .args(["--exact", "reload::child_changes_a_file_without_descriptors", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_key_on_any_list_is_refused() {
    let folder = Folder::new("several");
    let keys = [(); 4].map(|()| issued(A));
    let path = folder.put("revoked", Fingerprint::of(&keys[0]).to_string());
    let (one, two) = (Revocations::new(), Revocations::new());
    let apikee = Apikee::builder()
        .secret(A.as_bytes())
        .deny_list_file(&path)
        .revocations(one.clone())
        .revocations(two.clone())
        .background_thread(false)
        .build()
        .unwrap();
    assert_eq!(keys.each_ref().map(|key| good(&apikee, key)), [false, true, true, true]);
    one.insert(Fingerprint::of(&keys[1]));
    two.extend([Fingerprint::of(&keys[2])]);
    assert_eq!(keys.each_ref().map(|key| good(&apikee, key)), [false, false, false, true]);
    // Reading one list again does not change the other lists.
    folder.put("revoked", "# none");
    apikee.reload_files().unwrap();
    assert_eq!(keys.each_ref().map(|key| good(&apikee, key)), [true, false, false, true]);
    one.remove(&Fingerprint::of(&keys[1]));
    assert_eq!(keys.each_ref().map(|key| good(&apikee, key)), [true, true, false, true]);
}

#[test]
fn an_unusable_file_at_the_start_is_an_error_that_names_the_file() {
    let folder = Folder::new("start");
    let marked = folder.put("marked", "\u{FEFF}hunter2");
    let error = Apikee::builder().secret_file(&marked).build().unwrap_err().to_string();
    assert!(error.starts_with("secret_file (APIKEE_SECRET_FILE) cannot be used: the secret file "), "{error}");
    assert!(error.contains("marked\" has a byte-order mark") && !error.contains("hunter2"), "{error}");
    let missing = Apikee::builder().secret(A.as_bytes()).deny_list_file(folder.path("none")).build().unwrap_err();
    let missing = missing.to_string();
    assert!(missing.starts_with("deny_list_file (APIKEE_DENY_LIST_FILE) cannot be used: the deny-list "), "{missing}");
    // A list that is empty at the start is accepted.
    let empty = folder.put("empty", "");
    Apikee::builder().secret(A.as_bytes()).deny_list_file(&empty).build().unwrap();
    let secrets = folder.put("secrets", A);
    let both = Apikee::builder().secret_file(&secrets).secret(B.as_bytes()).build().unwrap_err();
    assert!(
        both.to_string().starts_with("secret_file (APIKEE_SECRET_FILE) cannot be used: there is a secret, too"),
        "{both}"
    );
    // The last setting wins.
    let ring = Apikee::builder().secret_file(&marked).keyring(ring(&[A])).build().unwrap();
    assert!(good(&ring, &issued(A)));
    let zero = Apikee::builder().secret(A.as_bytes()).reload_interval(Duration::ZERO).build().unwrap_err();
    assert!(matches!(zero, apikee::ConfigError::Unusable(Setting::ReloadInterval, _)));
}

#[test]
fn a_secret_that_was_given_as_a_path_is_not_repeated() {
    // Of 32 characters, as the shortest one that is as long as a secret.
    for secret in ["0123456789abcdef0123456789abcdef", "q7Zk3mPpVb2nXy8Lr4TsWcDe/FgHj1KiOuAa9BbCcQ="] {
        for builder in
            [Apikee::builder().secret_file(secret), Apikee::builder().secret(A.as_bytes()).deny_list_file(secret)]
        {
            let error = builder.build().unwrap_err();
            let said = format!("{error}: {:?}", core::error::Error::source(&error).map(ToString::to_string));
            assert!(said.contains("cannot be read") && !said.contains(secret), "{said}");
        }
        let error = Keyring::from_file(secret).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains("cannot be read") && !said.contains(&secret[..20]), "{said}");
    }
    let folder = Folder::new("shown");
    let said = Keyring::from_file(folder.path("secrets")).unwrap_err().to_string();
    assert!(said.contains("secrets") && said.contains("reload-shown"), "{said}");
}

#[test]
fn weak_secrets_are_reported_at_the_start() {
    let strong = "x".repeat(16);
    let builder = Apikee::builder().secret(&strong.as_bytes()[1..]).secret(strong.as_bytes()).secret(b"y");
    assert_eq!(all(&observed(builder).1), ["weak 2"]);
    assert!(all(&observed(Apikee::builder().secret(strong.as_bytes())).1).is_empty());
    let folder = Folder::new("weak");
    let path = folder.put("secrets", "hunter2\n");
    let (apikee, heard) = observed(Apikee::builder().secret_file(&path).background_thread(false));
    folder.put("secrets", "hunter3\n");
    apikee.reload_files().unwrap();
    assert_eq!(all(&heard), ["weak 1", "keyring 2 1 0", "weak 1", "secret file read 1"]);
}

/// A client whose thread checks the files often.
fn watching(builder: ApikeeBuilder) -> (Apikee, Receiver<String>) {
    observed(builder.reload_interval(Duration::from_millis(5)))
}

fn wait_for(heard: &Receiver<String>, expected: &str) {
    loop {
        if heard.recv_timeout(LONG).unwrap_or_else(|_| panic!("{expected} never came")) == expected {
            return;
        }
    }
}

#[test]
fn the_thread_reads_a_file_that_is_renamed_or_written_in_place() {
    let folder = Folder::new("thread");
    let path = folder.put("secrets", A);
    let list = folder.put("revoked", "");
    let (apikee, heard) = watching(Apikee::builder().secret_file(&path).deny_list_file(&list));
    folder.put("secrets", B);
    wait_for(&heard, "secret file read 1");
    assert_eq!(accepted(&apikee), [true, true, false]);
    // The length is the same, and maybe the modification time, too.
    fs::write(&path, C).unwrap();
    wait_for(&heard, "secret file read 1");
    assert_eq!(accepted(&apikee), [true; 3]);
    let key = issued(C);
    fs::write(&list, format!("{}\n", Fingerprint::of(&key))).unwrap();
    wait_for(&heard, "deny-list read 1");
    assert!(!good(&apikee, &key));
    fs::remove_file(&list).unwrap();
    let problem = loop {
        let text = heard.recv_timeout(LONG).unwrap();
        if text.starts_with("deny-list rejected") {
            break text;
        }
    };
    assert!(problem.contains("Unreadable"), "{problem}");
    assert!(!good(&apikee, &key));
}

#[test]
fn the_thread_drops_an_old_secret_after_its_grace() {
    let folder = Folder::new("expiry");
    let path = folder.put("secrets", A);
    let (apikee, heard) = watching(Apikee::builder().secret_file(&path).secret_grace(Duration::from_millis(50)));
    folder.put("secrets", B);
    wait_for(&heard, "keyring 2 1 0");
    wait_for(&heard, "keyring 1 0 0");
    assert_eq!(accepted(&apikee), [false, true, false]);
}

#[test]
fn a_secret_that_is_added_is_reported_once() {
    let folder = Folder::new("added");
    let path = folder.put("secrets", A);
    let (apikee, heard) =
        observed(Apikee::builder().secret_file(&path).secret_grace(Duration::from_millis(1)).background_thread(false));
    folder.put("secrets", format!("{A}\n{B}"));
    apikee.reload_files().unwrap();
    // Nothing ends with the grace.
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(accepted(&apikee), [true, true, false]);
    assert_eq!(all(&heard), ["keyring 2 0 0", "secret file read 2"]);
}

#[test]
fn without_a_thread_an_old_secret_ends_after_its_grace() {
    let folder = Folder::new("threadless");
    let path = folder.put("secrets", A);
    let builder = || Apikee::builder().secret_file(&path).background_thread(false);
    let (apikee, heard) = observed(builder().secret_grace(Duration::from_millis(50)));
    let (patient, _) = observed(builder().secret_grace(Duration::MAX));
    folder.put("secrets", B);
    apikee.reload_files().unwrap();
    patient.reload_files().unwrap();
    assert_eq!(all(&heard), ["keyring 2 1 0", "secret file read 1"]);
    let (old, start) = (issued(A), std::time::Instant::now());
    while good(&apikee, &old) {
        assert!(start.elapsed() < LONG, "the old secret is still accepted");
        std::thread::yield_now();
    }
    assert!(apikee.verify(&old).is_err());
    assert_eq!(accepted(&apikee), [false, true, false]);
    assert_eq!(all(&heard), ["keyring 1 0 0"]);
    assert_eq!(accepted(&patient), [true, true, false], "the longest grace is not zero");
}

/// In Kubernetes, the file of a mounted secret is a link into `..data`. `..data` is a link to a folder. Kubernetes
/// replaces this link.
#[cfg(unix)]
#[test]
fn a_mounted_secret_is_read_again_when_its_link_is_swapped() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("mounted");
    let publish = |version: &str, secret: &str| {
        fs::create_dir(folder.path(version)).unwrap();
        fs::write(folder.path(version).join("secret"), secret).unwrap();
        symlink(version, folder.path("..data_tmp")).unwrap();
        fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    };
    publish("..1", A);
    symlink("..data/secret", folder.path("secret")).unwrap();
    let (apikee, heard) = watching(Apikee::builder().secret_file(folder.path("secret")));
    publish("..2", B);
    wait_for(&heard, "secret file read 1");
    assert_eq!(accepted(&apikee), [true, true, false]);
    fs::remove_dir_all(folder.path("..1")).unwrap();
    publish("..3", C);
    wait_for(&heard, "secret file read 1");
    assert_eq!(accepted(&apikee), [true; 3]);
}

#[test]
fn an_observer_may_use_the_client_and_may_panic() {
    use std::sync::{Arc, OnceLock};

    let folder = Folder::new("observer");
    let path = folder.put("secrets", A);
    let client = Arc::new(OnceLock::<Apikee>::new());
    let shared = Arc::clone(&client);
    let builder = Apikee::builder().secret_file(&path).background_thread(false).observer(move |event: &Event<'_>| {
        if let (Event::KeyringReplaced { .. }, Some(apikee)) = (event, shared.get()) {
            apikee.reload_files().unwrap();
            panic!("an observer that fails");
        }
    });
    client.set(builder.build().unwrap()).unwrap();
    let apikee = client.get().unwrap();
    folder.put("secrets", B);
    apikee.reload_files().unwrap();
    assert_eq!(accepted(apikee), [true, true, false]);
}

/// Counts the requests with the key of each round.
struct Rounds {
    /// The round, and the requests in it before and after the rotation.
    state: Mutex<(usize, bool, [usize; 2])>,
    changed: Condvar,
}

/// Rotates 100 times. Meanwhile threads use a key whose secret is accepted before and after each rotation.
fn rotates_under_load(apikee: &Apikee, keys: &[String], rotate: impl Fn(usize)) {
    const THREADS: usize = 4;
    let rounds = Rounds { state: Mutex::new((0, false, [0; 2])), changed: Condvar::new() };
    let (refused, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let (round, rotated) = {
                        let state = rounds.state.lock().unwrap();
                        (state.0, state.1)
                    };
                    let Some(key) = keys.get(round) else {
                        return;
                    };
                    let refusal = ask(apikee, key).is_err();
                    let mut state = rounds.state.lock().unwrap();
                    // Otherwise another rotation may have happened during the request.
                    if state.0 == round {
                        refused.fetch_add(usize::from(refusal), Ordering::Relaxed);
                        state.2[usize::from(rotated)] += 1;
                        rounds.changed.notify_all();
                    }
                }
            });
        }
        for round in 0..keys.len() {
            let busy = |after: usize| {
                let state = rounds.state.lock().unwrap();
                drop(rounds.changed.wait_while(state, |state| state.2[after] < 2 * THREADS).unwrap());
            };
            busy(0);
            rotate(round);
            rounds.state.lock().unwrap().1 = true;
            busy(1);
            *rounds.state.lock().unwrap() = (round + 1, false, [0; 2]);
        }
    });
    assert_eq!(refused.into_inner(), 0);
}

fn secret(round: usize) -> String {
    format!("the secret of round {round}, of 32 bytes or more")
}

#[test]
fn during_a_hundred_rotations_no_request_with_an_accepted_secret_is_refused() {
    let keys: Vec<String> = (0..100).map(|round| issued(&secret(round))).collect();
    let apikee = Apikee::builder().secret(secret(0).as_bytes()).build().unwrap();
    rotates_under_load(&apikee, &keys, |round| apikee.set_keyring(ring(&[&secret(round + 1), &secret(round)])));
    assert!(!good(&apikee, &keys[0]) && good(&apikee, &keys[99]));
}

#[test]
fn during_a_hundred_changes_of_the_secret_file_no_request_with_an_accepted_secret_is_refused() {
    let folder = Folder::new("rotations");
    let keys: Vec<String> = (0..100).map(|round| issued(&secret(round))).collect();
    let path = folder.put("secrets", secret(0));
    let apikee = Apikee::builder().secret_file(&path).background_thread(false).build().unwrap();
    rotates_under_load(&apikee, &keys, |round| {
        folder.put("secrets", secret(round + 1));
        apikee.reload_files().unwrap();
    });
    assert!(good(&apikee, &keys[99]));
}

#[test]
fn while_revocations_are_replaced_a_key_in_all_of_them_is_always_refused() {
    let key = issued(A);
    let other = issued(A);
    let revocations: Revocations = [Fingerprint::of(&key)].into_iter().collect();
    let apikee = Apikee::builder().secret(A.as_bytes()).revocations(revocations.clone()).build().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(ask(&apikee, &key).unwrap_err(), "REVOKED");
                    assert!(ask(&apikee, &other).is_ok());
                }
            });
        }
        for round in 0..50 {
            let others = (0..200).map(|number| Fingerprint::of(&format!("{round} {number}")));
            revocations.replace(others.chain([Fingerprint::of(&key)]));
        }
    });
    assert_eq!(revocations.len(), 201);
}

#[test]
fn a_keyring_that_was_set_stays_until_the_file_changes() {
    let folder = Folder::new("set");
    let file = folder.put("secrets", A);
    let builder = Apikee::builder().secret_file(&file).secret_grace(Duration::ZERO).background_thread(false);
    let apikee = builder.build().unwrap();
    apikee.set_keyring(ring(&[B]));
    apikee.reload_files().unwrap();
    assert_eq!(accepted(&apikee), [false, true, false]);
    folder.put("secrets", C);
    apikee.reload_files().unwrap();
    assert_eq!(accepted(&apikee), [false, false, true]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let folder = Folder::new("pipe");
    let pipe = folder.path("secrets");
    assert!(process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let apikee = std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, A).unwrap());
        Apikee::builder().secret_file(&pipe).background_thread(false).build().unwrap()
    });
    assert_eq!(accepted(&apikee), [true, false, false]);
    assert!(matches!(apikee.reload_files().unwrap_err().problem(), FileProblem::NotAFile));
    assert_eq!(accepted(&apikee), [true, false, false]);
}
