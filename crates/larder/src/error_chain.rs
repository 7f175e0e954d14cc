//! An error and what it came from, in one line: for a log, which shows no causes.

use std::{error::Error, fmt::Write};

use crate::error::Cause;

/// Causes that are shown: a chain that is meant to be read is shorter, and one that runs in a circle has no end.
const MOST: usize = 32;

/// What went wrong, and all that it came from. A cause that the line ends with already is left out: the errors of many
/// crates repeat their source, alone or behind words of their own.
pub(crate) fn in_full(reason: &str, cause: Option<&Cause>) -> String {
    let mut text = reason.to_owned();
    let first = cause.map(|cause| &**cause as &(dyn Error + 'static));
    for error in std::iter::successors(first, |&error| error.source()).take(MOST) {
        let mut said = String::new();
        // A `String` takes everything; what a foreign `Display` refuses is left out.
        _ = write!(said, "{error}");
        if !ends_with(&text, &said) {
            text.push_str(": ");
            text.push_str(&said);
        }
    }
    text.replace(['\r', '\n'], " ")
}

/// Whether the last words of a line are these: all of it, or what follows a colon.
fn ends_with(line: &str, said: &str) -> bool {
    line.strip_suffix(said).is_some_and(|before| before.is_empty() || before.ends_with(": "))
}

#[cfg(test)]
mod tests {
    use std::{fmt, io, sync::Arc};

    use super::*;
    use crate::error::{self, Kind};

    #[test]
    fn what_is_said_twice_is_in_it_once() {
        let told: Cause = Arc::new(Again(io::Error::from(io::ErrorKind::BrokenPipe)));
        assert_eq!(in_full("no connection", Some(&told)), "no connection: broken pipe");
        assert_eq!(in_full("broken pipe", Some(&told)), "broken pipe");
        assert_eq!(in_full("pipe", Some(&told)), "pipe: broken pipe");
        assert_eq!(in_full("a broken pipe", Some(&told)), "a broken pipe: broken pipe");
        let within: Cause = Arc::new(Within(Again(io::Error::from(io::ErrorKind::BrokenPipe))));
        assert_eq!(in_full("no connection", Some(&within)), "no connection: writing: broken pipe");
    }

    /// Says what its source says behind words of its own, as others do.
    #[derive(Debug)]
    struct Within(Again);

    impl fmt::Display for Within {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "writing: {}", self.0)
        }
    }

    impl std::error::Error for Within {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    /// Says what its source says, as the errors of some crates do.
    #[derive(Debug)]
    struct Again(io::Error);

    impl fmt::Display for Again {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl std::error::Error for Again {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn each_cause_is_in_the_line() {
        let refused: Cause = Arc::new(io::Error::other("refused\r\nby a proxy"));
        let connect = Kind::Connect {
            address: "a:1".into(),
            reason: "no way".into(),
            mend: None,
            cause: Some(refused),
        };
        let connect: Cause = Arc::new(error::Error::from(connect));
        assert_eq!(in_full("no connection", None), "no connection");
        assert_eq!(
            in_full("no connection", Some(&connect)),
            "no connection: cannot connect to a:1: no way: refused  by a proxy"
        );
    }
}
