//! Looks up a client by its name: [`FindClient`], and its answer, a [`FoundClient`].

use core::ops::Range;

use super::{
    client_id::ClientId,
    request::{BodyForm, HttpMethod, Request, project_env, query_value, sealed::Sealed, written},
};
use crate::{
    buf::BufferTooSmall,
    error::sentences,
    json::{cursor::Cursor, find::find, scan::Reader, write},
    names::Malformed,
    text::{Text, has},
};

/// Asks for the clients with a name. The answer is read as a [`FoundClient`].
///
/// ```
/// use apikee::protocol::{FindClient, HttpMethod, Request};
///
/// let request = FindClient::new("my-app-production", "acme corp");
/// let mut buf = [0; 256];
/// assert_eq!(
///     request.write_target(&mut buf)?,
///     "/client?project_env=my-app-production&name=acme+corp&limit=100"
/// );
/// assert_eq!(request.write_body(&mut buf)?, "");
/// assert_eq!(FindClient::METHOD, HttpMethod::Get);
/// # Ok::<_, apikee::BufferTooSmall>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FindClient<'a> {
    project_env: &'a str,
    pub(crate) name: &'a str,
}

/// The number of records to ask for. The platform filters its list by `name`, and may match a part of a name. So the
/// right record can come after others.
const LIMIT: u8 = 100;

impl<'a> FindClient<'a> {
    /// Asks for the client with exactly this name.
    #[must_use]
    pub const fn new(project_env: &'a str, name: &'a str) -> Self {
        Self { project_env, name }
    }
}

impl Request for FindClient<'_> {
    const METHOD: HttpMethod = HttpMethod::Get;

    const FORM: BodyForm = BodyForm::Plain;

    fn write_target<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        written(buf, |out| {
            out.bytes(b"/client");
            project_env(out, self.project_env);
            out.bytes(b"&name=");
            query_value(out, self.name);
            out.bytes(b"&limit=");
            write::integer(out, LIMIT.into());
        })
    }

    fn write_body<'b>(&self, _: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        Ok("")
    }
}

impl Sealed for FindClient<'_> {}

/// The answer to a [`FindClient`]: which client has exactly the requested name.
///
/// It is a JSON object with a list `data` of records, each with `id` and `name`. Other members are ignored at any
/// level, and so is a record whose `name` is not a string.
///
/// ```
/// # use apikee::protocol::{ClientId, FoundClient};
/// let body = br#"{"data":[
///     {"id":"11111111-2222-4333-8444-555555555555","name":"acme-corp-staging"},
///     {"id":"497f6eca-6276-4993-bfeb-53cbbbba6f08","name":"acme-corp"}
/// ],"pagination":{"total":2}}"#;
/// let acme = ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08")?;
/// assert_eq!(FoundClient::read_unsealed(body, "acme-corp")?, FoundClient::One(acme));
/// assert_eq!(FoundClient::read_unsealed(body, "acme")?, FoundClient::None);
/// # Ok::<_, Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FoundClient {
    /// One client has the name. (If the list has more pages, names are taken to be unique.)
    One(ClientId),
    /// No client has the name.
    None,
    /// More than one client has the name. It is unknown which one is meant.
    Several,
}

impl FoundClient {
    /// Reads the answer, which comes without an envelope. `name` is the requested name.
    ///
    /// **Only the connection tells who wrote it**, as for
    /// [`Answer::read_unsealed`](crate::protocol::Answer::read_unsealed): anyone at the point where TLS ends can return
    /// the id of another client, whose rules the platform then applies.
    ///
    /// A record that is listed twice with the same id is one client. The time is linear in the length of the body.
    ///
    /// # Errors
    ///
    /// See [`FoundClientError`]. None of these errors means that the client does not exist.
    pub fn read_unsealed(body: &[u8], name: &str) -> Result<Self, FoundClientError> {
        let members = find(body, ["data", "success", "pagination"]);
        let [data, success, pagination] = members.map_err(|Malformed| FoundClientError::Malformed)?;
        if body.get(success) == Some(b"false") {
            return Err(FoundClientError::Refused);
        }
        let list = body.get(data).filter(|list| list.starts_with(b"[")).ok_or(FoundClientError::NoList)?;
        match Named::read(list, name).map_err(|Malformed| FoundClientError::Malformed)? {
            (Named::One(client), _) => Ok(Self::One(client)),
            (Named::Several, _) => Ok(Self::Several),
            (Named::WithoutId, _) => Err(FoundClientError::NoId),
            (Named::None, len) if len >= LIMIT.into() || len < total(body, pagination) => {
                Err(FoundClientError::Incomplete)
            }
            (Named::None, _) => Ok(Self::None),
        }
    }
}

/// The records with the name so far.
#[derive(Clone, Copy)]
enum Named {
    None,
    One(ClientId),
    /// One record, whose id is not a UUID.
    WithoutId,
    Several,
}

impl Named {
    /// Reads a checked list. Returns the records with this name, and the number of all records.
    fn read(list: &[u8], name: &str) -> Result<(Self, u64), Malformed> {
        let (mut named, mut len) = (Self::None, 0_u64);
        let mut reader = Reader::new(Cursor::new(list));
        reader.open(b'[')?;
        while reader.next()? {
            len = len.saturating_add(1);
            let record = list.get(reader.value()?).ok_or(Malformed)?;
            // An element that is not an object is not a record.
            if let Ok([own, id]) = find(record, ["name", "id"])
                && string(record, own).is_some_and(|own| own == name)
            {
                named = named.and(string(record, id).and_then(client_id));
            }
        }
        Ok((named, len))
    }

    /// Adds one more record with the name.
    fn and(self, id: Option<ClientId>) -> Self {
        match (self, id) {
            (Self::None, Some(id)) => Self::One(id),
            (Self::None, None) => Self::WithoutId,
            (Self::One(known), Some(id)) if known == id => self,
            _ => Self::Several,
        }
    }
}

/// The number of records on all pages, from the member `total` of the value at `at`. 0 if it is unknown: docs/WIRE.md does
/// not say what `pagination` contains.
fn total(body: &[u8], at: Range<usize>) -> u64 {
    let pagination = body.get(at).unwrap_or_default();
    let digits = find(pagination, ["total"]).ok().and_then(|[at]| core::str::from_utf8(pagination.get(at)?).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// The text of the value at `at`, if it is a string.
fn string(record: &[u8], at: Range<usize>) -> Option<Text<'_>> {
    let raw = record.get(at)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some(Text::json(raw, has(raw, b'\\')))
}

fn client_id(text: Text<'_>) -> Option<ClientId> {
    ClientId::new(text.read_into(&mut [0; ClientId::LEN]).ok()?).ok()
}

/// Why a body does not tell which client has the name. It is then unknown whether there is such a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FoundClientError {
    /// Not one well-formed JSON object.
    Malformed,
    /// The body has `"success":false`.
    Refused,
    /// `data` is missing or not a list.
    NoList,
    /// The only record with the name does not have an `id` that is a UUID. The client exists, so this must not be
    /// treated as [`FoundClient::None`]: creating the client would reset it.
    NoId,
    /// The list has no record with the name, and there may be more records: it has as many as were asked for, or fewer
    /// than `pagination.total`.
    Incomplete,
}

sentences!(
    FoundClientError,
    Malformed: "the list of clients is not a well-formed JSON object",
    Refused: "the platform refused to list the clients",
    NoList: "the answer has no list of clients",
    NoId: "the client of that name has no 'id' that is a UUID",
    Incomplete: "the list of clients may be incomplete",
);

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
    const B: &str = "11111111-2222-4333-8444-555555555555";

    fn read(body: impl AsRef<[u8]>) -> Result<FoundClient, FoundClientError> {
        FoundClient::read_unsealed(body.as_ref(), "acme \"\u{e9}")
    }

    fn one(id: &str) -> Result<FoundClient, FoundClientError> {
        Ok(FoundClient::One(ClientId::new(id).unwrap()))
    }

    /// An answer with these records: `=name` stands for the requested name, `=a` and `=b` for the two ids.
    fn list(records: &str) -> String {
        let records = records.replace('\'', "\"").replace("=name", r#":"acme \"\u00e9""#);
        let records = records.replace("=a", &format!(":\"{A}\"")).replace("=b", &format!(":\"{B}\""));
        format!("{{\"data\":[{records}],\"pagination\":{{\"total\":0,\"next\":null}}}}")
    }

    #[test]
    fn the_one_record_of_exactly_that_name_is_the_client() {
        for records in [
            "{'id'=a,'name'=name}",
            "{'name'=name,'id'=a}",
            "{'name':'acme','id'=b},{'name'=name,'keys':[{'id'=b,'name'=name}],'id'=a},{'id'=b,'name':'acme '}",
            "{'x':{'id'=b,'name'=name}},{'id'=a,'name'=name,'metadata':{'name':'x'}}",
            "{'name'=name,'id'=a},{'name'=name,'id'=a}",
            "7,null,'name',[],[{'id'=b,'name'=name}],{},{'name'=name,'id'=a}",
            "{'name':7,'id'=b},{'name'=name,'id'=a},{'id'=b},{'name':null,'id'=b}",
            "{'name':'acme \\u0022\u{e9}','id'=a}",
            "{'n\\u0061me'=name,'\\u0069d'=a}",
        ] {
            assert_eq!(read(list(records)), one(A), "{records}");
        }
        let upper = list(&format!("{{'name'=name,'id':'\\u0034{}'}}", A[1..].to_uppercase()));
        assert_eq!(read(upper), one(A));
        let last = format!("{{\"pagination\":{{}},\"success\":true,\"data\":[{{\"name\":\"\",\"id\":\"{A}\"}}]}}");
        assert_eq!(FoundClient::read_unsealed(last.as_bytes(), ""), one(A));
    }

    #[test]
    fn records_of_other_names_are_not_the_client() {
        for records in [
            "",
            "{'id'=a,'name':'acme'}",
            "{'id'=a,'name':'Acme \\'\u{e9}'}",
            "{'id'=a,'name':'acme \\\\u0022\u{e9}'}",
            "{'id'=a,'name':'acme \\'e\u{301}'}",
            "{'id'=a,'Name'=name}",
            "{'id'=a,'title'=name}",
            "{'id'=a,'name':['acme \\'\u{e9}']}",
            "{'client':{'id'=a,'name'=name}}",
        ] {
            assert_eq!(read(list(records)), Ok(FoundClient::None), "{records}");
        }
    }

    #[test]
    fn a_page_of_a_longer_list_does_not_show_that_there_is_no_client() {
        let body = |name: &str, pagination: &str| {
            format!(r#"{{"data":[{{"name":"{name}","id":"{A}"}}],"pagination":{pagination}}}"#)
        };
        for (pagination, expected) in [
            (r#"{"total":2,"limit":1}"#, Err(FoundClientError::Incomplete)),
            (r#"{"total":18446744073709551615}"#, Err(FoundClientError::Incomplete)),
            (r#"{"total":1}"#, Ok(FoundClient::None)),
            (r#"{"total":0}"#, Ok(FoundClient::None)),
            (r#"{"total":"2"}"#, Ok(FoundClient::None)),
            (r#"{"total":-2}"#, Ok(FoundClient::None)),
            ("{}", Ok(FoundClient::None)),
            ("null", Ok(FoundClient::None)),
            ("7", Ok(FoundClient::None)),
        ] {
            assert_eq!(read(body("acme-corp-staging", pagination)), expected, "{pagination}");
            assert_eq!(FoundClient::read_unsealed(body("a", pagination).as_bytes(), "a"), one(A), "{pagination}");
        }
    }

    #[test]
    fn several_records_of_the_name_are_never_an_id() {
        for records in [
            "{'id'=a,'name'=name},{'id'=b,'name'=name}",
            "{'id'=a,'name'=name},{'name'=name}",
            "{'id':7,'name'=name},{'id'=a,'name'=name}",
            "{'name'=name},{'name'=name}",
            "{'id'=a,'name'=name},{'id'=b,'name'=name},{'id'=a,'name'=name}",
            "{'id'=a,'name'=name},{'id'=b,'name':'x'},{'id':'','name'=name}",
        ] {
            assert_eq!(read(list(records)), Ok(FoundClient::Several), "{records}");
        }
    }

    #[test]
    fn a_record_without_a_uuid_is_neither_an_id_nor_no_client() {
        for id in ["7", "null", "''", "'acme'", "'497f6eca62764993bfeb53cbbbba6f08'", "['x']", "{'id'=a}"] {
            let records = format!("{{'id':{id},'name'=name}},{{'id'=b,'name':'x'}}");
            assert_eq!(read(list(&records)), Err(FoundClientError::NoId), "{id}");
        }
        assert_eq!(read(list("{'name'=name}")), Err(FoundClientError::NoId));
        let long = list(&format!("{{'name'=name,'id':'{A}0'}}"));
        assert_eq!(read(long), Err(FoundClientError::NoId));
    }

    #[test]
    fn a_full_list_without_the_name_is_incomplete() {
        let records = |len| vec!["{'id'=b,'name':'acme-corp'}"; len].join(",");
        assert_eq!(read(list(&records(99))), Ok(FoundClient::None));
        assert_eq!(read(list(&records(100))), Err(FoundClientError::Incomplete));
        assert_eq!(read(list(&format!("{},{{'id'=a,'name'=name}}", records(99)))), one(A));
    }

    #[test]
    fn an_answer_that_is_not_a_list_is_a_fault() {
        use FoundClientError::{Malformed, NoList, Refused};
        let record = format!(r#"{{"id":"{A}","name":"acme \"\u00e9"}}"#);
        for (body, error) in [
            ("{}".to_owned(), NoList),
            (r#"{"success":true}"#.to_owned(), NoList),
            (r#"{"data":null}"#.to_owned(), NoList),
            (format!(r#"{{"data":{record}}}"#), NoList),
            (format!(r#"{{"clients":[{record}]}}"#), NoList),
            (record.clone(), NoList),
            (r#"{"success":false}"#.to_owned(), Refused),
            (r#"{"success":false,"data":[]}"#.to_owned(), Refused),
            (format!(r#"{{"data":[{record}],"success":false}}"#), Refused),
            (format!("[{record}]"), Malformed),
            (format!(r#"{{"data":[{record}]"#), Malformed),
            (format!(r#"{{"data":[{record},]}}"#), Malformed),
            (format!(r#"{{"data":[{record}]}}x"#), Malformed),
            (format!(r#"{{"data":[{record}],"data":[]}}"#), Malformed),
            (format!(r#"{{"data":[{record}],"x":{{"a":1,"a":1}}}}"#), Malformed),
            (format!(r#"{{"data":[{{"id":"{A}","id":"{B}","name":"x"}}]}}"#), Malformed),
            (format!(r#"{{"data":[{record},{{"name":"\ud800"}}]}}"#), Malformed),
            (String::new(), Malformed),
        ] {
            assert_eq!(read(&body), Err(error), "{body}");
        }
        assert_eq!(read(b"{\"data\":[{\"name\":\"\xff\"}]}"), Err(Malformed));
    }
}
