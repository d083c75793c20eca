//! Calls of this crate, and ways to change them.

use std::io;

use apikee::{
    SysRng,
    emulator::Emulator,
    envelope::{OpenError, Pending, Session, sealed_len},
    protocol::{BodyForm, ProjectKey, Request, UserAgent},
};
use serde_json::Value;

use crate::wire::{Response, Wire};

pub(crate) struct Call {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) pending: Option<Pending>,
}

pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) pending: Option<Pending>,
}

impl Call {
    pub(crate) fn of<R: Request>(emulator: &Emulator, request: &R) -> Self {
        let mut buf = vec![0; 200_000];
        let body = request.write_body(&mut buf).unwrap().as_bytes().to_owned();
        let target = format!("/api/v1{}", request.write_target(&mut buf).unwrap());
        let key = ProjectKey::new(Emulator::PROJECT_KEY).unwrap();
        let fields = request.header_fields(&key, UserAgent::DEFAULT);
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let this = Self { target, headers, body: Vec::new(), pending: None };
        if R::FORM == BodyForm::Sealed { this.sealing(emulator, &body) } else { Self { body, ..this } }
    }

    /// Replaces the body by this one in an envelope.
    pub(crate) fn sealing(mut self, emulator: &Emulator, plaintext: &[u8]) -> Self {
        let session = Session::establish(&emulator.public_key().parse().unwrap(), &mut SysRng).unwrap();
        let mut buf = vec![0; sealed_len(plaintext.len())];
        let (envelope, pending) = session.seal(plaintext, &mut SysRng, &mut buf).unwrap();
        self.body = envelope.as_bytes().to_owned();
        self.pending = Some(pending);
        self
    }

    /// Replaces a header, or removes it.
    pub(crate) fn header(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    pub(crate) fn target(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.target = change(&self.target);
        self
    }

    /// Sends the call without reading the answer.
    pub(crate) fn write(&self, wire: &mut Wire) {
        self.try_write(wire).unwrap();
    }

    pub(crate) fn try_write(&self, wire: &mut Wire) -> io::Result<()> {
        wire.post(&self.target, &self.headers, &self.body)
    }

    pub(crate) fn over(self, wire: &mut Wire) -> Answered {
        self.write(wire);
        Answered { response: wire.read().unwrap(), pending: self.pending }
    }

    /// Sends the call over a new connection.
    pub(crate) fn to(self, emulator: &Emulator) -> Answered {
        self.over(&mut Wire::to(emulator))
    }
}

impl Answered {
    /// The opened body. The status must be 200.
    #[track_caller]
    pub(crate) fn opened(self) -> Result<Value, OpenError> {
        assert_eq!(self.response.status, 200);
        let mut body = self.response.body;
        let opened = self.pending.unwrap().open(&mut body)?;
        Ok(serde_json::from_slice(opened.into_bytes()).unwrap())
    }

    #[track_caller]
    pub(crate) fn accepted(self) {
        assert_eq!(self.opened().unwrap()["success"], true);
    }

    /// Checks for the platform's own refusal, which is sealed.
    #[track_caller]
    pub(crate) fn refused(self, code: &str) {
        assert_eq!(self.opened().unwrap(), serde_json::json!({ "success": false, "code": code }));
    }

    /// Checks for a plain refusal with another status.
    #[track_caller]
    pub(crate) fn failed(self, status: u16, code: &str) -> Response {
        let failed = (self.response.status, self.response.json());
        assert_eq!(failed, (status, serde_json::json!({ "error": code })));
        self.response
    }
}
