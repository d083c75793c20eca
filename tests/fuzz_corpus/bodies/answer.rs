//! The platform's answers. `serde_json` is the second implementation.

use apikee::protocol::{
    Answer, AnswerError, ClientId, ClientRecord, ClientRecordError, FoundClient, FoundClientError, Provenance,
};

use super::{
    model::{Number, Tree},
    trees,
};

type Members = [(String, Tree)];

/// An answer, the record of a client and a list of records are read as `serde_json` reads them.
pub fn body(input: &[u8]) {
    let tree = trees::json(input);
    let members = match &tree {
        Some(Tree::Object(members)) => Some(&members[..]),
        _ => None,
    };
    // The library may refuse objects with very many members.
    let may_refuse = tree.as_ref().is_some_and(|tree| !tree.must_be_read());
    check_answer(input, members, may_refuse);
    check_record(input, members, may_refuse);
    check_list(input, members, may_refuse);
}

fn member<'t>(members: &'t Members, name: &str) -> Option<&'t Tree> {
    members.iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

/// The string with this name; `None` if it is absent or of another type.
fn string(members: &Members, name: &str) -> Option<String> {
    match member(members, name) {
        Some(Tree::String(text)) => Some(text.clone()),
        _ => None,
    }
}

#[derive(Debug, PartialEq)]
struct Fields {
    success: bool,
    duration_ms: Option<u64>,
    /// `clientId`, `project_env`, `method_path`, `error`, `code` and `message`.
    texts: [Option<String>; 6],
}

fn expected(members: Option<&Members>) -> Result<Fields, AnswerError> {
    let members = members.ok_or(AnswerError::Malformed)?;
    let Some(Tree::Bool(success)) = member(members, "success") else {
        return Err(AnswerError::NoVerdict);
    };
    let duration_ms = match member(members, "durationMs") {
        Some(Tree::Number(number)) => whole(number),
        _ => None,
    };
    let subject = ["clientId", "project_env", "method_path"];
    if subject.iter().any(|name| !matches!(member(members, name), None | Some(Tree::Null | Tree::String(_)))) {
        return Err(AnswerError::Malformed);
    }
    let texts = ["clientId", "project_env", "method_path", "error", "code", "message"];
    let texts = texts.map(|name| string(members, name));
    Ok(Fields { success: *success, duration_ms, texts })
}

fn whole(number: &Number) -> Option<u64> {
    let spelt = number.spelt.as_deref()?;
    if spelt.contains(['e', 'E']) {
        return None;
    }
    spelt.split('.').next()?.parse().ok()
}

fn check_answer(input: &[u8], members: Option<&Members>, may_refuse: bool) {
    let mut buf = input.to_vec();
    let ours = Answer::read_unsealed(&mut buf).map(|answer| {
        assert_eq!(answer.provenance(), Provenance::Unsealed);
        let (id, env, route) = (answer.client_id(), answer.project_env(), answer.method_path());
        let texts = [id, env, route, answer.error(), answer.code(), answer.message()];
        Fields {
            success: answer.success(),
            duration_ms: answer.duration_ms(),
            texts: texts.map(|text| text.map(str::to_owned)),
        }
    });
    if !(may_refuse && ours == Err(AnswerError::Malformed)) {
        assert_eq!(ours, expected(members));
    }
}

fn expected_id(members: Option<&Members>) -> Result<String, ClientRecordError> {
    let members = members.ok_or(ClientRecordError::Malformed)?;
    match member(members, "success") {
        None | Some(Tree::Bool(true)) => {}
        Some(Tree::Bool(false)) => return Err(ClientRecordError::Refused),
        Some(_) => return Err(ClientRecordError::Malformed),
    }
    match member(members, "id") {
        Some(Tree::String(id)) if is_uuid(id) => Ok(id.to_ascii_lowercase()),
        _ => Err(ClientRecordError::NoId),
    }
}

/// Whether the text is a UUID (RFC 9562, section 4).
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn check_record(input: &[u8], members: Option<&Members>, may_refuse: bool) {
    let ours = ClientRecord::read_unsealed(&mut input.to_vec()).map(|record| record.id().to_string());
    if !(may_refuse && ours == Err(ClientRecordError::Malformed)) {
        assert_eq!(ours, expected_id(members));
    }
}

/// Checks each name in the list, and one that is not in it.
fn check_list(input: &[u8], members: Option<&Members>, may_refuse: bool) {
    let mut names = vec!["acme-corp".to_owned()];
    if let Some(Tree::Array(records)) = members.and_then(|members| member(members, "data")) {
        names.extend(records.iter().filter_map(|record| own_string(record, "name")).take(8));
    }
    for name in names {
        let ours = FoundClient::read_unsealed(input, &name);
        if !(may_refuse && ours == Err(FoundClientError::Malformed)) {
            assert_eq!(ours, expected_client(members, &name), "{name:?}");
        }
    }
}

fn own_string(record: &Tree, name: &str) -> Option<String> {
    match record {
        Tree::Object(members) => string(members, name),
        _ => None,
    }
}

fn expected_client(members: Option<&Members>, name: &str) -> Result<FoundClient, FoundClientError> {
    let members = members.ok_or(FoundClientError::Malformed)?;
    if member(members, "success") == Some(&Tree::Bool(false)) {
        return Err(FoundClientError::Refused);
    }
    let Some(Tree::Array(records)) = member(members, "data") else {
        return Err(FoundClientError::NoList);
    };
    let named = records.iter().filter(|record| own_string(record, "name").as_deref() == Some(name));
    let mut ids: Vec<_> = named.map(|record| own_string(record, "id").filter(|id| is_uuid(id))).collect();
    ids.iter_mut().flatten().for_each(|id| id.make_ascii_lowercase());
    if ids.len() > 1 && ids[0].is_some() {
        ids.dedup();
    }
    let total = match member(members, "pagination") {
        Some(Tree::Object(pagination)) => match member(pagination, "total") {
            Some(Tree::Number(number)) => number.integer.unwrap_or_default(),
            _ => 0,
        },
        _ => 0,
    };
    let total = u64::try_from(total).unwrap_or_default();
    match &ids[..] {
        [] if records.len() >= 100 || (records.len() as u64) < total => Err(FoundClientError::Incomplete),
        [] => Ok(FoundClient::None),
        [None] => Err(FoundClientError::NoId),
        [Some(id)] => Ok(FoundClient::One(ClientId::new(id).unwrap())),
        _ => Ok(FoundClient::Several),
    }
}
