//! `Keys`: the entries of a cache, as a stream.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use futures_core::Stream;

use crate::{
    cache::{Cache, EntryInfo, Listing},
    error::{Error, Kind, Result},
    listing::with_keys,
    read_through::full_key,
};

/// The entries of a cache: see [`CacheExt::keys`](crate::CacheExt::keys).
///
/// It is a [`Stream`] that ends. An error is its last item.
pub struct Keys {
    ready: vec::IntoIter<EntryInfo>,
    further: Further,
}

/// The next entries, and what is asked for those behind them.
type Page = (Box<dyn Listing>, Result<Option<Vec<EntryInfo>>>);

/// What comes behind the entries that are known.
enum Further {
    Page(Pin<Box<dyn Future<Output = Page> + Send>>),
    Failed(Error),
    End,
}

impl Keys {
    pub(crate) fn of(cache: &(impl Cache + ?Sized), pattern: &str) -> Self {
        let (text, is_beginning) = match pattern.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (pattern, false),
        };
        let text = full_key(cache, text);
        let further = match cache.storage().shared().map(|shared| shared.list(&text, is_beginning)) {
            None => Further::End,
            Some(Some(listing)) => Further::next(listing),
            Some(None) => {
                let text = "the shared store does not list its entries: larder's feature `inspect` lists those in Redis";
                Further::Failed(Kind::configuration(text).into())
            }
        };
        Self { ready: with_keys(cache, &text, is_beginning).into_iter(), further }
    }

    /// The next entry; none at the end. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked. It is the last item then.
    pub async fn next(&mut self) -> Option<Result<EntryInfo>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<EntryInfo>>> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Poll::Ready(Some(Ok(entry)));
            }
            let Further::Page(page) = &mut self.further else {
                let further = std::mem::replace(&mut self.further, Further::End);
                return Poll::Ready(match further {
                    Further::Failed(error) => Some(Err(error)),
                    _ => None,
                });
            };
            let (listing, page) = ready!(page.as_mut().poll(context));
            match page {
                Ok(Some(entries)) => {
                    self.ready = entries.into_iter();
                    self.further = Further::next(listing);
                }
                Ok(None) => self.further = Further::End,
                Err(error) => self.further = Further::Failed(error),
            }
        }
    }
}

impl Further {
    fn next(mut listing: Box<dyn Listing>) -> Self {
        Self::Page(Box::pin(async move {
            let page = listing.next().await;
            (listing, page)
        }))
    }
}

impl Stream for Keys {
    type Item = Result<EntryInfo>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
