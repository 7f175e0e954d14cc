//! The one error type, and the form in which a computation's failure is shared.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// What went wrong in a call to the cache itself.
///
/// Only a caller's mistake is an error, and a server that cannot be connected to for the first time: its
/// weather afterwards never is (a read becomes a miss, a write is counted as failed). Cheap to clone.
///
/// Its message says what went wrong, in one line and without a secret, and what mends it; the [`source`](StdError::source)
/// is what it came from: an [`io::Error`](std::io::Error), an error of TLS, the server's own words, or what a codec or
/// a type's `Serialize` said. A message never repeats its source, so that a report prints both.
#[derive(Clone)]
pub struct Error(Arc<Kind>);

/// [`Result`](std::result::Result) with larder's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error came from. Shared, so that an error is cheap to clone.
pub(crate) type Cause = Arc<dyn StdError + Send + Sync>;

#[derive(Debug)]
#[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "some are of servers"))]
pub(crate) enum Kind {
    EmptyKey,
    KeyTooLong {
        length: usize,
        longest: usize,
    },
    Policy(String),
    Configuration {
        reason: String,
        cause: Option<Cause>,
    },
    AlreadyInstalled {
        name: String,
    },
    AlreadyUsed {
        name: String,
    },
    Epoch(String),
    Unencodable {
        key: String,
        reason: String,
        cause: Option<Cause>,
    },
    Connect {
        address: String,
        /// With what mends it.
        reason: String,
        /// The same alone, where the server is there and cannot be used.
        #[cfg_attr(
            all(feature = "shared", not(feature = "inspect")),
            expect(dead_code, reason = "told by `internal::inspect`")
        )]
        mend: Option<String>,
        cause: Option<Cause>,
    },
    Unavailable {
        reason: String,
        cause: Option<Cause>,
    },
    CounterOverflow {
        key: String,
    },
    #[cfg(feature = "write-behind")]
    QueueFull(String),
    #[cfg(feature = "write-behind")]
    QueueStopped {
        queue: String,
    },
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyKey => f.write_str("the key is empty; give it text, such as `user:7`"),
            Self::KeyTooLong { length, longest } => {
                write!(f, "the key has {length} bytes, the longest allowed has {longest}; use a digest of it")
            }
            Self::Policy(reason) => write!(f, "invalid policy: {reason}"),
            Self::Configuration { reason, .. } => write!(f, "invalid configuration: {reason}"),
            Self::AlreadyInstalled { name } => write!(
                f,
                "a cache named {name:?} is already installed; install it once, at the start of the program"
            ),
            Self::AlreadyUsed { name } => write!(
                f,
                "the cache named {name:?} was used before it was installed, so it is an in-process default now; \
                 install it before the first call of a cached function"
            ),
            Self::Epoch(text) => {
                write!(f, "{text:?} is no epoch: one is written as two numbers with a `-` between them")
            }
            Self::Unencodable { key, reason, .. } => {
                write!(f, "the value for {key:?} cannot be shared: {reason}")
            }
            Self::Connect { address, reason, .. } => write!(f, "cannot connect to {address}: {reason}"),
            Self::Unavailable { reason, .. } => write!(f, "the server cannot be used: {reason}"),
            Self::CounterOverflow { key } => write!(
                f,
                "the counter {key:?} would leave the range of a 64-bit integer; invalidate its key, and it starts at 0"
            ),
            #[cfg(feature = "write-behind")]
            Self::QueueFull(reason) => f.write_str(reason),
            #[cfg(feature = "write-behind")]
            Self::QueueStopped { queue } => write!(
                f,
                "the write-behind queue {queue:?} was stopped and takes no more writes; stop those who write before \
                 it, or start another one"
            ),
        }
    }
}

impl Kind {
    /// Settings that were refused.
    pub(crate) fn configuration(reason: impl Into<String>) -> Self {
        Self::Configuration { reason: reason.into(), cause: None }
    }

    /// A server that cannot be asked.
    #[cfg(any(feature = "counters", feature = "shared"))]
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), cause: None }
    }

    fn caused_by(&self) -> Option<&Cause> {
        match self {
            Self::Configuration { cause, .. }
            | Self::Unencodable { cause, .. }
            | Self::Connect { cause, .. }
            | Self::Unavailable { cause, .. } => cause.as_ref(),
            _ => None,
        }
    }
}

impl Error {
    /// The sum of a counter would leave the range of `i64`: for implementations of
    /// [`SharedStorage::count`](crate::SharedStorage::count).
    #[must_use]
    pub fn counter_overflow(key: impl Into<String>) -> Self {
        Kind::CounterOverflow { key: key.into() }.into()
    }

    /// Whether the key was refused: empty, or too long.
    #[must_use]
    pub fn is_invalid_key(&self) -> bool {
        matches!(*self.0, Kind::EmptyKey | Kind::KeyTooLong { .. })
    }

    /// Whether the values of a [`Policy`](crate::Policy) were refused.
    #[must_use]
    pub fn is_invalid_policy(&self) -> bool {
        matches!(*self.0, Kind::Policy(_))
    }

    /// Whether the settings of a cache were refused.
    #[must_use]
    pub fn is_invalid_configuration(&self) -> bool {
        matches!(*self.0, Kind::Configuration { .. })
    }

    /// Whether a cache was installed twice, or after its first use.
    #[must_use]
    pub fn is_already_installed(&self) -> bool {
        matches!(*self.0, Kind::AlreadyInstalled { .. } | Kind::AlreadyUsed { .. })
    }

    /// Whether a text was no [`Epoch`](crate::Epoch).
    #[must_use]
    pub fn is_invalid_epoch(&self) -> bool {
        matches!(*self.0, Kind::Epoch(_))
    }

    /// Whether the value cannot be encoded, or would not survive it.
    #[must_use]
    pub fn is_unencodable(&self) -> bool {
        matches!(*self.0, Kind::Unencodable { .. })
    }

    /// Whether a server behind the cache could not be reached, or refused us, when it was connected to.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(*self.0, Kind::Connect { .. })
    }

    /// What mends it, where a server is there and cannot be used.
    #[cfg(feature = "inspect")]
    pub(crate) fn mend(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Connect { mend, .. } => mend.as_deref(),
            _ => None,
        }
    }

    /// Whether a counter, a lock or a write to a queue failed because its server could not be asked.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(*self.0, Kind::Unavailable { .. })
    }

    /// Whether a write was refused because its queue is full.
    #[cfg(feature = "write-behind")]
    #[cfg_attr(docsrs, doc(cfg(feature = "write-behind")))]
    #[must_use]
    pub fn is_queue_full(&self) -> bool {
        matches!(*self.0, Kind::QueueFull(_))
    }

    /// Whether a write was refused because its queue was stopped in this process.
    #[cfg(feature = "write-behind")]
    #[cfg_attr(docsrs, doc(cfg(feature = "write-behind")))]
    #[must_use]
    pub fn is_queue_stopped(&self) -> bool {
        matches!(*self.0, Kind::QueueStopped { .. })
    }

    /// Whether a counter would have left the range of `i64`; it keeps its value.
    #[must_use]
    pub fn is_counter_overflow(&self) -> bool {
        matches!(*self.0, Kind::CounterOverflow { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Not the `Arc` around it: callers ask for the type of what is in it.
        self.0.caused_by().map(|cause| &**cause as _)
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Arc::new(kind))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A computation's failure, as the callers receive it who waited for it.
///
/// An error type that is `Clone` is shared as it is. Any other is shared if it can be made from a
/// `SharedError` (`anyhow::Error`, `eyre::Report` and `Box<dyn Error + Send + Sync>` can, and so can
/// an enum with a `#[from]` variant): it has the text of the original, and the texts of its sources.
/// Cheap to clone.
///
/// The type of the original is not there to be found by `downcast_ref`, because nothing could copy it: where it decides, the
/// option `share_err` of [`#[cached]`](crate::cached) keeps it.
#[derive(Clone)]
pub struct SharedError(Arc<ErrorText>);

struct ErrorText {
    text: String,
    source: Option<SharedError>,
}

impl SharedError {
    /// The texts of an error and its sources, of which the first 32 are kept: no chain that is meant to be
    /// read is longer, and one that runs in a circle has no end.
    pub(crate) fn render(error: &(dyn StdError + 'static)) -> Self {
        const MOST: usize = 32;
        let chain = std::iter::successors(Some(error), |&error| error.source());
        let texts: Vec<_> = chain.take(MOST).map(ToString::to_string).collect();
        let mut source = None;
        for text in texts.into_iter().rev() {
            source = Some(Self(Arc::new(ErrorText { text, source })));
        }
        source.expect("the error itself is in its chain")
    }

    pub(crate) fn text(text: String) -> Self {
        Self(Arc::new(ErrorText { text, source: None }))
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedError").field("text", &self.0.text).field("source", &self.0.source).finish()
    }
}

impl StdError for SharedError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// A call took longer than its deadline, and there was no old value to serve.
///
/// Where calls have a deadline ([`PolicyBuilder::deadline`](crate::PolicyBuilder::deadline)), their error type is
/// `From<TimedOut>`: an enum with a variant for it, or `anyhow::Error`, `eyre::Report` and `Box<dyn Error + Send + Sync>`,
/// in which it is found by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    deadline: Duration,
}

impl TimedOut {
    pub(crate) const fn after(deadline: Duration) -> Self {
        Self { deadline }
    }

    /// How long the call was to take at most.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the call took longer than {:?}", self.deadline)
    }
}

impl StdError for TimedOut {}
