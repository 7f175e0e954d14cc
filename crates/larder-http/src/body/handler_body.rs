//! The requirements of a handler's body.

use std::error::Error;

use bytes::Bytes;
use http_body::Body;

/// Any error of a body.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A body that the cache can pass on and copy.
pub(crate) trait HandlerBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static> HandlerBody for B {}
