//! One call of a function of a list.

use std::{any::type_name, collections::HashMap, future::Future, hash::Hash};

use super::shape::Shape;
use crate::{
    cache::{Cache, Strength},
    deferred, dependencies,
    error_sharing::Sharing,
    key::Key,
    outcome::{NotStored, Observer},
    private::terms::Terms,
    read_through::{self, Asked, Rules},
    scope::Scope,
    value::LocalValue,
};

/// One call of a cached function of a list: its elements, with their full keys.
#[derive(Debug)]
pub struct Many<'c, C: ?Sized, I> {
    cache: &'c C,
    items: Vec<(I, String)>,
    /// Computes anew, whatever the cache has.
    refreshing: bool,
    /// Whether the function is the one that has its keys.
    is_admitted: bool,
    /// Whether the call uses the cache.
    is_used: bool,
    observer: Observer,
    /// The name of a type in the function, by which it is counted apart.
    function: &'static str,
}

impl<'c, C: Cache + ?Sized, I> Many<'c, C, I> {
    pub(super) fn new(cache: &'c C, (refreshing, is_admitted): (bool, bool), observer: Observer) -> Self {
        Self { cache, items: Vec::new(), refreshing, is_admitted, is_used: true, observer, function: "" }
    }

    /// The full key that `build` writes; an empty one, which is refused, if a part of it has no text.
    pub fn key<B: FnOnce(&mut Key)>(&mut self, build: B) -> String {
        self.function = type_name::<B>();
        let mut key = Key::default();
        key.literal(self.cache.prefix());
        build(&mut key);
        if key.failed() { String::new() } else { key.into_string() }
    }

    /// Goes without the cache, unless it is `used`.
    pub fn when(&mut self, used: bool) {
        self.is_used = used;
    }

    /// Adds an element.
    pub fn add(&mut self, element: I, key: String) {
        self.items.push((element, key));
    }
}

impl<'c, C: Cache + ?Sized, I: Clone + Eq + Hash> Many<'c, C, I> {
    fn all(&self) -> Vec<I> {
        self.items.iter().map(|(element, _)| element.clone()).collect()
    }

    /// Whether it goes without the cache, as a refresh in a transaction does too: what it would replace is not served after
    /// the commit.
    fn bypasses(&self) -> bool {
        let is_deferred = self.refreshing && deferred::is_current();
        if is_deferred {
            let keys: Vec<_> = self.items.iter().map(|(_, key)| Scope::key(&**key)).collect();
            deferred::collect(self.cache, &keys, Strength::Hard);
        }
        !self.is_admitted || !self.is_used || is_deferred
    }

    /// What is asked for; an element that is there twice is asked for once, and both get the answer.
    fn asked(&mut self) -> Vec<Asked<I>> {
        let items = std::mem::take(&mut self.items);
        if !self.observer.is_asked() {
            let asked = |(item, key)| Asked { item, key, observer: Observer::default() };
            return items.into_iter().map(asked).collect();
        }
        let mut observers = HashMap::with_capacity(items.len());
        let asked = items.into_iter().map(|(item, key)| {
            let observer = observers.entry(item.clone()).or_insert_with(Observer::new).clone();
            self.observer.add_element(&observer);
            Asked { item, key, observer }
        });
        asked.collect()
    }

    /// The elements without the cache; their outcomes are told.
    fn bypassed(&mut self) -> Vec<I> {
        let (is_used, asked) = (self.is_used, self.asked());
        if is_used {
            asked.iter().for_each(|asked| asked.observer.computed(Some(NotStored::KeyRefused)));
        }
        asked.into_iter().map(|asked| asked.item).collect()
    }
}

/// The values of all elements, of which the body computes those that are missing, in its caller.
pub(super) async fn compute<T, I, V, E, C, F>(
    shape: Shape<T, I, V>,
    mut many: Many<'_, C, I>,
    Terms { policy, wanted }: Terms,
    rules: Rules<impl Sharing<E>, impl Fn(&V) -> bool>,
    mut body: impl FnMut(Vec<I>) -> F,
) -> Result<T, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    F: Future<Output = Result<T, E>>,
{
    if many.bypasses() {
        return shape.bypassed(many.bypassed(), body).await;
    }
    let order = shape.order(&many);
    let compute = |missing: Vec<I>| shape.computed(missing, &mut body);
    let (asked, terms) = (many.asked(), (&policy, wanted.by(many.function)));
    let compute = (compute, many.refreshing);
    let values = read_through::compute_many(many.cache, asked, terms, rules, compute).await?;
    Ok((shape.join)(values, order))
}

/// The same in a task of its own, if anything is missing. `start` makes the body.
pub(super) async fn compute_background<T, I, V, E, C, B, F>(
    shape: Shape<T, I, V>,
    mut many: Many<'_, C, I>,
    Terms { policy, wanted }: Terms,
    rules: Rules<impl Sharing<E>, impl Fn(&V) -> bool + Send + 'static>,
    start: impl FnOnce() -> B,
) -> Result<T, E>
where
    T: 'static,
    I: Clone + Eq + Hash + Send + Sync + 'static,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    B: FnMut(Vec<I>) -> F + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    if many.bypasses() {
        return shape.bypassed(many.bypassed(), start()).await;
    }
    let order = shape.order(&many);
    let start = || {
        let mut body = start();
        move |missing: Vec<I>| shape.computed(missing, &mut body)
    };
    let (asked, terms) = (many.asked(), (&policy, wanted.by(many.function)));
    let start = (start, many.refreshing);
    let values = read_through::compute_many_background(many.cache, asked, terms, rules, start).await?;
    Ok((shape.join)(values, order))
}

impl<T, I: Clone + Eq + Hash, V> Shape<T, I, V> {
    /// The elements, where their order counts.
    fn order<C: Cache + ?Sized>(&self, many: &Many<'_, C, I>) -> Vec<I> {
        if self.is_ordered { many.all() } else { Vec::new() }
    }

    /// What the body gives for elements without the cache.
    async fn bypassed<E, F>(self, all: Vec<I>, mut body: impl FnMut(Vec<I>) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if all.len() <= self.most {
            return dependencies::bypass(body(all)).await;
        }
        let order = if self.is_ordered { all.clone() } else { Vec::new() };
        let values = dependencies::bypass(self.computed(all, &mut body)).await?;
        Ok((self.join)(values, order))
    }

    /// The values that the body computes, of as many elements at once as it takes. The first error is that of all.
    fn computed<E, B, F>(
        self,
        mut missing: Vec<I>,
        body: &mut B,
    ) -> impl Future<Output = Result<HashMap<I, V>, E>> + use<T, I, V, E, B, F>
    where
        B: FnMut(Vec<I>) -> F,
        F: Future<Output = Result<T, E>>,
    {
        (self.arrange)(&mut missing);
        // No body runs before it is polled. The bodies' calls are made here, for they borrow what makes them.
        let run = |elements: &[I]| (body(elements.to_vec()), elements.to_vec());
        let runs: Vec<_> = missing.chunks(self.most).map(run).collect();
        async move {
            let mut values = HashMap::new();
            for (computed, asked) in runs {
                let computed = (self.split)(computed.await?, &asked);
                match values.is_empty() {
                    true => values = computed,
                    false => values.extend(computed),
                }
            }
            Ok(values)
        }
    }
}
