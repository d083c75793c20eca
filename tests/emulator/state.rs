//! Data that survives a restart, and files that are refused.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use apikee::{
    Fingerprint, UnixTime,
    emulator::{EmulatedClient, EmulatedTemplate, Emulator, EmulatorError},
    protocol::{ClientKey, ClientType, CreateClient, MethodPath, RegisterEndpoint},
};
use serde_json::{Value, json};

use crate::{NOW, builder, calls::Call, id, management::send, validation};

/// An empty folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    fn journal(&self) -> PathBuf {
        self.0.join("state.journal")
    }

    fn start(&self) -> Emulator {
        builder().state_file(self.state()).start().unwrap()
    }

    /// The text of the error at the start. The start must not change any file.
    #[track_caller]
    fn refusal(&self) -> String {
        let content = || [self.state(), self.journal()].map(|path| fs::read(path).ok());
        let before = content();
        let error = builder().state_file(self.state()).start().unwrap_err();
        assert!(matches!(error, EmulatorError::StateFile(_)));
        assert_eq!(content(), before);
        error.to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask(emulator: &Emulator) -> crate::calls::Answered {
    Call::of(emulator, &validation()).to(emulator)
}

/// Makes one change of each kind.
fn fill(emulator: &Emulator) {
    let client = EmulatedClient::new("acme-corp").hourly(5).fingerprint(Fingerprint::of("apikee_good.signature"));
    emulator.add_client(id(), client.network("127.0.0.0/8").unwrap().key("old", Some(NOW)));
    let gone = emulator.create_client(EmulatedClient::new("gone")).unwrap();
    assert!(emulator.remove_client(gone));
    let template = json!({ "name": "pro", "limits": { "week": 3, "month": 9 }, "maxClients": 2 });
    send(emulator, "POST", "/template", "", Some(&template));
    let keys = [ClientKey::new("first"), ClientKey::new("second")];
    let request = CreateClient::new(Emulator::PROJECT_ENV, "globex").client_type(ClientType::Device).keys(&keys);
    let record = Call::of(emulator, &request.template_id("pro")).to(emulator).opened().unwrap();
    let target = format!("/client/{}", record["id"].as_str().unwrap());
    let key = format!("&keyId={}", record["keys"][0]["id"].as_str().unwrap());
    send(emulator, "DELETE", &target, &key, None);
    let route = MethodPath::new("GET", "/users").unwrap();
    Call::of(emulator, &RegisterEndpoint::new(Emulator::PROJECT_ENV, route)).to(emulator);
    let described = json!({ "method": "GET", "path": "/users", "name": "Users", "description": "All of them",
        "request": { "b": 1, "a": [] }, "metadata": { "scopes": ["read"], "tags": ["t"], "deprecated": true } });
    send(emulator, "POST", "/endpoint", "", Some(&described));
    for _ in 0..3 {
        ask(emulator).accepted();
    }
}

/// Everything that can be queried.
fn known(emulator: &Emulator) -> (Value, Value, String, String) {
    let clients = send(emulator, "GET", "/client", "", None);
    let client = emulator.client(id());
    (
        clients,
        send(emulator, "GET", "/template", "", None),
        format!("{:?}", emulator.endpoints()),
        format!("{client:?}"),
    )
}

#[test]
fn the_state_survives_regular_restarts() {
    let folder = Folder::new("good-order");
    let emulator = folder.start();
    fill(&emulator);
    let before = known(&emulator);
    drop(emulator);
    assert!(!folder.journal().exists());
    drop(folder.start());
    let emulator = folder.start();
    assert_eq!(known(&emulator), before);
    // Three of five requests are used.
    ask(&emulator).accepted();
    ask(&emulator).accepted();
    ask(&emulator).failed(429, "RATE_LIMITED");
}

/// The files that a killed process leaves: a copy of the files while the process runs.
fn left_behind(folder: &Folder, name: &str) -> Folder {
    let copy = Folder::new(name);
    fs::copy(folder.state(), copy.state()).unwrap();
    fs::copy(folder.journal(), copy.journal()).unwrap();
    copy
}

#[test]
fn the_state_survives_a_killed_process() {
    let folder = Folder::new("middle");
    let emulator = folder.start();
    fill(&emulator);
    let before = known(&emulator);
    let copy = left_behind(&folder, "middle-copy");
    assert_eq!(known(&copy.start()), before);
}

#[test]
fn a_start_on_a_port_in_use_does_not_change_the_files() {
    let folder = Folder::new("port");
    let emulator = folder.start();
    let content = || [folder.state(), folder.journal()].map(|path| fs::read(path).unwrap());
    let before = content();
    let second = builder().port(emulator.port()).state_file(folder.state()).start();
    assert!(matches!(second, Err(EmulatorError::Listen(_))));
    assert_eq!(content(), before);
    // The running emulator still writes to the files that the next start reads.
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    let copy = left_behind(&folder, "port-copy");
    assert_eq!(copy.start().client(id()).unwrap().name(), "acme-corp");
}

#[test]
fn a_cut_last_line_is_dropped_and_any_other_damage_is_an_error() {
    let folder = Folder::new("damage");
    let emulator = folder.start();
    fill(&emulator);
    let copy = left_behind(&folder, "damage-copy");
    drop(emulator);
    let journal = fs::read_to_string(copy.journal()).unwrap();
    let whole = journal.lines().count();
    assert!(whole > 8);

    // Wherever the last line is cut, its change is not applied, and all changes before it are applied.
    let last = journal.trim_end().rfind('\n').unwrap() + 1;
    for cut in [last, last + 1, journal.len() - 1] {
        let cut_copy = Folder::new("damage-cut");
        fs::copy(copy.state(), cut_copy.state()).unwrap();
        fs::write(cut_copy.journal(), &journal[..cut]).unwrap();
        let emulator = cut_copy.start();
        for _ in 0..3 {
            ask(&emulator).accepted();
        }
        ask(&emulator).failed(429, "RATE_LIMITED");
    }

    for at in 1..whole {
        let lines: Vec<_> =
            journal.lines().enumerate().map(|(n, line)| if n == at { "{\"x\":" } else { line }).collect();
        fs::write(copy.journal(), lines.join("\n") + "\n").unwrap();
        let refusal = copy.refusal();
        assert!(
            refusal.contains("state.journal is damaged in line") && refusal.contains(&(at + 1).to_string()),
            "{refusal}"
        );
    }
}

#[test]
fn a_truncated_snapshot_is_an_error() {
    let folder = Folder::new("truncated");
    let emulator = folder.start();
    fill(&emulator);
    drop(emulator);
    let state = fs::read(folder.state()).unwrap();
    for cut in (0..state.len()).step_by(7).chain([state.len() - 1]) {
        fs::write(folder.state(), &state[..cut]).unwrap();
        let refusal = folder.refusal();
        assert!(refusal.contains("truncated") || refusal.contains("damaged in line 1"), "{cut}: {refusal}");
    }
    fs::write(folder.state(), [state.as_slice(), b"{}\n"].concat()).unwrap();
    assert!(folder.refusal().contains("damaged"));
    fs::write(folder.state(), &state).unwrap();
    assert_eq!(folder.start().client(id()).unwrap().name(), "acme-corp");
}

#[test]
fn other_files_and_versions_are_refused_and_not_changed() {
    let folder = Folder::new("foreign");
    drop(folder.start());
    let state = fs::read_to_string(folder.state()).unwrap();
    for (content, expected) in [
        (state.replace("\"version\":1", "\"version\":2"), "has version 2"),
        (state.replace("\"version\":1", "\"version\":0"), "damaged in line 1"),
        (state.replace("\"apikee\":\"state\"", "\"apikee\":\"journal\""), "not a state file"),
        ("{}\n".to_owned(), "not a state file"),
        ("precious\n".to_owned(), "damaged in line 1"),
    ] {
        fs::write(folder.state(), content).unwrap();
        let refusal = folder.refusal();
        assert!(refusal.contains(expected) && refusal.contains("state-foreign"), "{refusal}");
    }
}

#[test]
fn a_missing_snapshot_or_journal_is_an_error() {
    let folder = Folder::new("half");
    let emulator = folder.start();
    fill(&emulator);
    let copy = left_behind(&folder, "half-copy");
    let journal = fs::read(copy.journal()).unwrap();
    fs::remove_file(copy.journal()).unwrap();
    assert!(copy.refusal().contains("state.journal, with the latest changes, is missing"));
    fs::write(copy.journal(), &journal).unwrap();
    let state = fs::read_to_string(copy.state()).unwrap();
    fs::remove_file(copy.state()).unwrap();
    assert!(copy.refusal().contains("is missing, but its journal exists"));
    fs::write(copy.state(), state.replace("\"generation\":1", "\"generation\":0")).unwrap();
    assert!(copy.refusal().contains("older than its journal"));

    // A process can end between a new snapshot and its journal. The snapshot contains the old journal.
    fs::write(copy.state(), &state).unwrap();
    drop(copy.start());
    fs::write(copy.journal(), &journal).unwrap();
    assert_eq!(copy.start().client(id()).unwrap().name(), "acme-corp");
}

#[test]
fn a_client_and_a_template_without_a_name_survive_a_restart() {
    let folder = Folder::new("nameless");
    let start = || builder().state_file(folder.state()).template(EmulatedTemplate::new("").hourly(1)).start().unwrap();
    let emulator = start();
    emulator.add_client(id(), EmulatedClient::new("").template("").key("", None));
    let before = known(&emulator);
    let copy = left_behind(&folder, "nameless-copy");
    assert_eq!(known(&copy.start()), before);
    drop(emulator);
    assert_eq!(known(&start()), before);
}

#[test]
fn a_key_with_an_expiry_still_expires_after_a_restart() {
    let folder = Folder::new("expiry");
    let emulator = folder.start();
    let create = |end: &str| {
        let body = json!({ "name": "acme-corp", "type": "service", "keys": [{ "name": "k", "expiresAt": end }] });
        let call = Call::of(&emulator, &CreateClient::new(Emulator::PROJECT_ENV, "acme-corp"));
        call.sealing(&emulator, body.to_string().as_bytes()).to(&emulator)
    };
    for end in ["9999-12-31T23:59:59-23:59", "9999-12-31T23:59:60Z", "0000-01-01T00:00:00+00:01"] {
        create(end).failed(400, "MALFORMED_REQUEST");
    }
    create("9999-12-31T23:59:59Z").opened().unwrap();
    let [first, last] = [i64::MIN, i64::MAX].map(|secs| Some(UnixTime::from_secs(secs)));
    emulator.add_client(id(), EmulatedClient::new("globex").key("first", first).key("last", last));
    let before = known(&emulator);
    let copy = left_behind(&folder, "expiry-copy");
    assert_eq!(known(&copy.start()), before);
    drop(emulator);
    let emulator = folder.start();
    assert_eq!(known(&emulator), before);
    let keys = &send(&emulator, "GET", &format!("/client/{}", id()), "", None)["keys"];
    assert_eq!(
        [&keys[0]["expiresAt"], &keys[1]["expiresAt"]],
        ["0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z"]
    );
}

/// An object with this number of levels.
fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

#[test]
fn json_that_is_stored_can_be_read_again_or_is_refused() {
    let folder = Folder::new("nested");
    let emulator = folder.start();
    let client = |name: &str, levels: usize| {
        let body = format!(r#"{{"name":"{name}","type":"service","metadata":{}}}"#, nested(levels));
        let call = Call::of(&emulator, &CreateClient::new(Emulator::PROJECT_ENV, name));
        call.sealing(&emulator, body.as_bytes()).to(&emulator)
    };
    let endpoint = |member: &str, levels: usize| {
        let route = MethodPath::new("GET", "/users").unwrap();
        let body = format!(r#"{{"method":"GET","path":"/{member}","name":"x","{member}":{}}}"#, nested(levels));
        let call = Call::of(&emulator, &RegisterEndpoint::new(Emulator::PROJECT_ENV, route));
        Call { body: body.into(), ..call }.to(&emulator)
    };
    client("acme-corp", 63).opened().unwrap();
    for levels in [64, 126] {
        client("globex", levels).failed(400, "MALFORMED_REQUEST");
    }
    for member in ["request", "response"] {
        assert_eq!(endpoint(member, 63).response.status, 200);
        for levels in [64, 126] {
            endpoint(member, levels).failed(400, "MALFORMED_REQUEST");
        }
    }
    let before = known(&emulator);
    let copy = left_behind(&folder, "nested-copy");
    assert_eq!(known(&copy.start()), before);
    drop(emulator);
    assert_eq!(known(&folder.start()), before);
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("unwritable");
    for path in [folder.0.clone(), folder.0.join("no-such-folder/state")] {
        let error = builder().state_file(&path).start().unwrap_err();
        assert!(matches!(error, EmulatorError::StateFile(_)));
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn a_template_of_the_builder_replaces_the_stored_one() {
    let folder = Folder::new("template");
    drop(builder().state_file(folder.state()).template(EmulatedTemplate::new("pro").hourly(1)).start().unwrap());
    let emulator =
        builder().state_file(folder.state()).template(EmulatedTemplate::new("pro").hourly(2)).start().unwrap();
    emulator.add_client(id(), EmulatedClient::new("acme-corp").template("pro"));
    ask(&emulator).accepted();
    ask(&emulator).accepted();
    ask(&emulator).failed(429, "RATE_LIMITED");
    emulator.advance(Duration::from_secs(3600));
    assert_eq!(send(&emulator, "GET", "/template", "", None)["data"][0]["limits"], json!({ "hour": 2 }));
}

/// Describes one endpoint repeatedly, until the journal is long enough for a new snapshot.
fn describe_at_length(emulator: &Emulator) {
    let long = "x".repeat(60_000);
    for n in 0..100 {
        let body = json!({ "method": "GET", "path": "/users", "name": "Users", "description": format!("{n}{long}") });
        send(emulator, "POST", "/endpoint", "", Some(&body));
    }
}

#[test]
fn a_long_journal_becomes_a_snapshot() {
    let folder = Folder::new("long");
    let emulator = folder.start();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    describe_at_length(&emulator);
    ask(&emulator).accepted();
    let before = known(&emulator);
    assert!(
        fs::read_to_string(folder.state()).unwrap().starts_with(r#"{"apikee":"state","clean":false,"generation":2,"#)
    );
    assert!(fs::metadata(folder.journal()).unwrap().len() < 4_000_000);
    let copy = left_behind(&folder, "long-copy");
    assert_eq!(known(&copy.start()), before);
}

#[cfg(unix)]
#[test]
fn a_file_under_a_temporary_name_is_replaced_and_a_link_is_not_followed() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    let folder = Folder::new("temporary");
    let other = folder.0.join("other");
    fs::write(&other, "kept").unwrap();
    symlink(&other, folder.0.join("state.tmp")).unwrap();
    let readable = folder.0.join("state.journal.tmp");
    fs::write(&readable, "").unwrap();
    fs::set_permissions(&readable, fs::Permissions::from_mode(0o644)).unwrap();
    let _emulator = folder.start();
    assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    for path in [folder.state(), folder.journal()] {
        let metadata = fs::symlink_metadata(path).unwrap();
        assert!(metadata.is_file() && metadata.mode() & 0o777 == 0o600, "{metadata:?}");
    }
}

/// The first start makes the file, so a link to it names no file yet.
#[cfg(unix)]
#[test]
fn a_link_to_a_file_that_does_not_exist_yet_is_kept() {
    let (folder, elsewhere) = (Folder::new("link"), Folder::new("link-target"));
    std::os::unix::fs::symlink(elsewhere.state(), folder.state()).unwrap();
    drop(folder.start());
    assert!(fs::symlink_metadata(folder.state()).unwrap().is_symlink());
    assert!(fs::metadata(elsewhere.state()).unwrap().is_file());
    drop(folder.start());
}

/// A snapshot that cannot be completed must not take the space that the journal needs.
#[cfg(unix)]
#[test]
fn a_snapshot_that_fails_leaves_nothing_behind() {
    let folder = Folder::new("failed");
    let emulator = folder.start();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    // A file cannot replace a folder.
    fs::remove_file(folder.state()).unwrap();
    fs::create_dir_all(folder.state().join("in the way")).unwrap();
    describe_at_length(&emulator);
    ask(&emulator).accepted();
    assert!(!folder.0.join("state.tmp").exists());
}

#[cfg(unix)]
#[test]
fn if_no_snapshot_can_be_written_the_journal_continues() {
    let folder = Folder::new("gone");
    let emulator = folder.start();
    emulator.add_client(id(), EmulatedClient::new("acme-corp"));
    let moved = Folder::new("gone-moved");
    fs::remove_dir(&moved.0).unwrap();
    fs::rename(&folder.0, &moved.0).unwrap();
    describe_at_length(&emulator);
    ask(&emulator).accepted();
    let before = known(&emulator);
    drop(emulator);
    assert_eq!(known(&moved.start()), before);
}
