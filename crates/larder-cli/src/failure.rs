//! How a command ends, for people and for scripts.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::error::ErrorKind;

/// The exit codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done, or the answer is yes
  1  the answer is no: there is no such entry, it would not be served, something is wrong, it was not confirmed
  2  a wrong argument, URL or setting
  3  no server answers there, or it cannot be used
  4  the user or the password is wrong
  5  the server refuses a command: a right is missing, its memory is full, …
  6  it took too long, the connection broke, or the output could not be written";

/// A command that has done what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

impl Answer {
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Self::Yes => ExitCode::SUCCESS,
            Self::No => ExitCode::from(1),
        }
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
    mend: Option<String>,
}

impl Failure {
    /// A wrong argument or setting.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into(), mend: None }
    }

    /// The command line makes no sense.
    pub(crate) fn of_command_line(error: &clap::Error) -> Self {
        let text = match error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing".to_owned(),
            _ => error.to_string(),
        };
        let text = text.split("\n\n").next().unwrap_or_default();
        let words = text.trim_start_matches("error: ").split_whitespace();
        let text = words.collect::<Vec<_>>().join(" ");
        Self::usage(text).with_mend("see `larder --help`, or `larder help` and a command")
    }

    /// It took too long, or was broken off.
    pub(crate) fn unfinished(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { code: 6, text: text.into(), mend: Some(mend.into()) }
    }

    /// The server refuses something, in these words.
    pub(crate) fn refused(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { code: 5, text: text.into(), mend: Some(mend.into()) }
    }

    /// With what to do about it.
    pub(crate) fn with_mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// With the place where it happened, and what to do once its cause is mended.
    pub(crate) fn at(self, place: &str, then: &str) -> Self {
        let mend = self.mend.map_or_else(|| then.to_owned(), |mend| format!("{mend}; then {then}"));
        Self { text: format!("at {place}: {}", self.text), mend: Some(mend), ..self }
    }

    /// Writes it to the standard error.
    pub(crate) fn into_code(self, json: bool) -> ExitCode {
        // Who reads our output has enough of it: `larder keys | head`.
        if self.code == 0 {
            return ExitCode::SUCCESS;
        }
        let mut stderr = io::stderr().lock();
        let written = match json {
            true => {
                let error =
                    serde_json::json!({ "error": self.text, "mend": self.mend, "exit_code": self.code });
                writeln!(stderr, "{error}")
            }
            false => write!(stderr, "{self}"),
        };
        // There is no other place to say it.
        _ = written;
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "larder: {}", self.text)?;
        match &self.mend {
            Some(mend) => writeln!(f, "  mend: {mend}"),
            None => Ok(()),
        }
    }
}

/// An error and what it came from, in one line.
fn in_full(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl From<larder::Error> for Failure {
    fn from(error: larder::Error) -> Self {
        let source = error.source();
        let is_of_connection =
            source.is_some_and(|source| source.is::<io::Error>() || source.is::<larder::Error>());
        let reply = source.filter(|_| !is_of_connection).map(ToString::to_string).unwrap_or_default();
        let says = |words: &[&str]| words.iter().any(|word| reply.starts_with(word));
        let own_mend = larder::internal::inspect::mend_of(&error);
        let (code, mend) = if error.is_invalid_configuration() {
            (2, None)
        } else if says(&["WRONGPASS", "NOAUTH", "ERR AUTH", "ERR Client sent AUTH"]) {
            (4, Some("name the user and the password: redis://user:password@host, percent-encoded"))
        } else if says(&["NOPERM", "OOM", "MISCONF", "NOREPLICAS", "READONLY", "ERR ", "DENIED"]) {
            (5, None)
        } else if let Some(mend) = own_mend {
            let text = in_full(&error).replacen(&format!("; {mend}"), "", 1);
            return Self { code: 3, text, mend: Some(mend.to_owned()) };
        } else if error.is_connect() {
            (3, Some("start the server, or name the right one: --url redis://host:port, or REDIS_URL"))
        } else if error.is_unavailable() && !reply.is_empty() {
            (5, None)
        } else if error.is_unavailable() {
            (6, Some("see whether the server is busy or gone; a larger --timeout waits longer"))
        } else {
            (2, None)
        };
        Self { code, text: in_full(&error), mend: mend.map(str::to_owned) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let code = if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 6 };
        Self { code, text: error.to_string(), mend: None }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self { code: 6, text: error.to_string(), mend: None }
    }
}
