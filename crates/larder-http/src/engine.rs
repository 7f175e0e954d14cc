//! How requests are answered: the same for every framework.
//!
//! [`plan`] decides which way a request goes, unless it is a [`hit`] in memory, and [`answer`] takes that way. A request that
//! goes to the cache is a `CacheableRequest`; [`lookup`] finds the stored response that it selects, and [`assess`] says whether
//! that may be served. If not, a [`shared_fetch`], which may wait for that of another request, runs a [`fetch`] of the handler:
//! its steps are in [`computation`], as the computation of a value of `larder`'s, which coalesces it with other requests. That
//! [copies](copy_body) the body on its way to the client, and [stores](store) the response or [revalidates](revalidate) the stored
//! one. The response reaches its client through a [`handoff`]. The computation's value is the stored response, which the waiting
//! requests get.

mod answer;
mod assess;
mod computation;
mod copy_body;
mod detached;
mod fetch;
mod handoff;
mod hit;
mod lookup;
mod plan;
mod ranges;
mod refresh;
mod response;
mod revalidate;
mod shared_fetch;
mod store;
mod unsafe_method;

use http::Response;

pub(crate) use self::{plan::Plan, refresh::Refresh};
use crate::{body::ResponseBody, origin::Origin};

/// A response, and the state of the handler.
pub(crate) struct Answer<O: Origin> {
    pub(crate) response: Response<ResponseBody<O::Body>>,
    pub(crate) origin: OriginState<O>,
}

/// The state of a handler after its request was answered.
pub(crate) enum OriginState<O> {
    /// It was called.
    Called,
    /// It was not needed.
    NotCalled(O),
    /// It was not needed, but should be called to refresh what is stored.
    Refresh(O, Refresh),
}
