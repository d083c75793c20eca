//! `apikee demo`: shows what this crate does, with a fixed secret and a fixed clock.
//!
//! Each section is a function that takes the [`Stage`]. Each result is compared with the expected one, and the exit
//! code says whether all of them were the same.

mod keys;
mod platform;

use std::{
    error::Error,
    fmt::Display,
    io::{self, BufWriter, Write},
};

use apikee::{KeyError, UnixTime, VerifiedKey};

use crate::{
    Ended, Outcome,
    report::{self, Form},
};

type Shown = Result<(), Box<dyn Error>>;

type Section = fn(&mut Stage) -> Shown;

const SECTIONS: [Section; 7] = [
    keys::issue_and_verify,
    keys::refuse,
    keys::rotate,
    keys::golden_cases,
    platform::envelopes,
    platform::server_mode,
    keys::timing,
];

/// 2025-10-09T08:53:20Z, the time that the golden cases were made for.
const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

const SECRET: &[u8] = b"a demo secret that everyone knows";

/// Show keys, refusals, envelopes and server mode; needs no secret and no network
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(args: &Args) -> Ended {
    let stdout = || Box::new(BufWriter::new(io::stdout().lock())) as Box<dyn Write>;
    let (out, json) = match args.form {
        Form { quiet: true, .. } => (Box::new(io::sink()) as Box<dyn Write>, None),
        Form { json: true, .. } => (Box::new(io::sink()) as Box<dyn Write>, Some(stdout())),
        _ => (stdout(), None),
    };
    let mut stage = Stage { out, json, wrong: 0 };
    for section in SECTIONS {
        section(&mut stage)?;
        writeln!(stage.out)?;
    }
    match stage.wrong {
        0 => writeln!(stage.out, "All checks passed.")?,
        1 => writeln!(stage.out, "1 check failed.")?,
        wrong => writeln!(stage.out, "{wrong} checks failed.")?,
    }
    stage.out.flush()?;
    stage.json.iter_mut().try_for_each(Write::flush)?;
    Ok(if stage.wrong == 0 { Outcome::Good } else { Outcome::Bad })
}

/// Where the sections print.
struct Stage {
    out: Box<dyn Write>,
    /// Where each result is written as JSON.
    json: Option<Box<dyn Write>>,
    /// How many results were not the expected ones.
    wrong: usize,
}

impl Stage {
    fn heading(&mut self, heading: &str) -> Shown {
        Ok(writeln!(self.out, "{heading}\n")?)
    }

    /// A remark about the line before.
    fn remark(&mut self, remark: &str) -> Shown {
        Ok(writeln!(self.out, "    {remark}")?)
    }

    /// A line about one verification: what was tried, the expected result (`"ok"` or the code of a refusal), and the
    /// result.
    fn verified(&mut self, tried: &str, expected: &str, came: &Result<VerifiedKey<'_>, KeyError>) -> Shown {
        match came {
            Ok(key) => self.outcome(tried, expected, "ok", format_args!("signed with secret {}", key.secret_index())),
            Err(error) => self.outcome(tried, expected, error.code(), error),
        }
    }

    fn outcome(&mut self, tried: &str, expected: &str, came: &str, remark: impl Display) -> Shown {
        write!(self.out, "  {tried:<40}{came:<20}{remark}")?;
        if came != expected {
            self.wrong += 1;
            write!(self.out, "  WRONG, this should be {expected}")?;
        }
        if let Some(json) = &mut self.json {
            report::json_line(json, |members| {
                members.member("ok", &(came == expected))?;
                members.member("tried", tried)?;
                members.member("expected", expected)?;
                members.member("result", came)?;
                members.member("remark", &remark.to_string())
            })?;
        }
        Ok(writeln!(self.out)?)
    }
}

/// The text with another character at the index `there`.
fn changed(text: &str, there: usize) -> String {
    let another = |(at, digit)| match digit {
        'A' if at == there => 'B',
        _ if at == there => 'A',
        _ => digit,
    };
    text.char_indices().map(another).collect()
}
