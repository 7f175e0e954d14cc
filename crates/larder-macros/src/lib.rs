//! The attribute macros of [larder](https://docs.rs/larder): [`#[cached]`](macro@cached),
//! [`#[invalidate]`](macro@invalidate) and [`#[cache_put]`](macro@cache_put). Use them through `larder`,
//! which exports them: what they write calls into it.

mod args;
mod crate_name;
mod errors;
mod expand;
mod function;
mod model;
mod suggest;
mod template;
#[cfg(test)]
mod tests;
mod tokens;

use args::{Args, Macro};
use errors::Errors;
use function::Function;
use model::{CachePut, Cached, Invalidate};
use proc_macro2::TokenStream;
use quote::quote;

/// Keeps the results of a function, and computes each of them once.
///
/// ```
/// use larder::cached;
///
/// # struct Db;
/// # impl Db { async fn name(&self, id: u64) -> Result<String, String> { Ok(format!("user {id}")) } }
/// #[cached(ttl = 300, key = "user:<id>", skip(db))]
/// async fn user(db: &Db, id: u64) -> Result<String, String> {
///     db.name(id).await
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), String> {
/// # let db = Db;
/// user(&db, 7).await?; // computed
/// user(&db, 7).await?; // from the cache, for five minutes
/// user::invalidate(7).await; // gone, everywhere
/// # Ok(())
/// # }
/// ```
///
/// It stands on async functions and on [others](#functions-that-are-not-async): on free functions, on methods with any receiver, on generic functions and functions with
/// borrowed arguments, and on methods under `#[async_trait]`. What is kept is the function's value: the
/// `Ok` of a `Result` (through any alias of it), otherwise what the function returns. Errors are not kept;
/// `None` is with `negative_ttl`. A value is `Clone + Send + Sync + Serialize + DeserializeOwned +
/// 'static`; with [`local`](#values-that-stay-in-this-process), `Clone + Send + Sync + 'static`.
///
/// # Options
///
/// | option | what it does |
/// | --- | --- |
/// | `ttl = 300`, `"5m"`, `"1h30m"`, `"300ms"`, `TTL` | how long a result is fresh: whole seconds, text with the units `d`, `h`, `m`, `s`, `ms`, or any expression of type `Duration`, which may use the arguments. Required. An expression that gives zero stores nothing, with a warning |
/// | `key = "user:<id>"` | the key; see below. Left out, it is the path of the function and its arguments |
/// | `skip(db, T)` | arguments that the result does not depend on |
/// | `tags = ["org:<org>"]` | tags, by which entries can be invalidated together |
/// | `namespace = "users"` | stands in front of the key: `users:…` |
/// | `schema = 3` | the version of what the value means: no other version is read. With a namespace it is a part of the key: `users:v3:…` |
/// | `cache = self.cache` | the cache: any expression of a type that is a `Cache` (`*CACHE` for a static that is a `LazyLock`), or `named("sessions")`; `larder::global()` otherwise |
/// | `jitter = 0.1` | shortens each `ttl` by a random part of up to this fraction |
/// | `refresh_ahead = 0.8` | computes anew, in the background, when a result is asked for after this fraction of its `ttl` |
/// | `stale_while_revalidate = "1m"` | for how long after `ttl` the old result is served while it is computed anew in the background |
/// | `stale_if_error = "1h"` | for how long after `ttl` the old result is served in place of an error, or when `timeout` is over |
/// | `timeout = "200ms"` | after this long, the old result is served if there is one that `stale_if_error` allows; the computation goes on in the background. Needs `stale_if_error` |
/// | `negative_ttl = 10` | how long a `None` is kept; without it, it is not. For functions that return an `Option`, or a `Result` of one |
/// | `lock = larder::Lock::Process` | how far "computed once" reaches: this process, or all that share the server |
/// | `when = !fresh` | whether to use the cache for this call; if not, the function just runs |
/// | `local` | keeps the value in this process, so that it need not be `Serialize`; see below |
/// | `spawn` | computes in a task of its own, which outlives its callers; see below |
/// | `takeover_after = "1s"` | how long a run of the body may be woken and not polled before another caller runs it in its place; see below |
/// | `detached` | what the function reads from caches does not invalidate its result |
/// | `companions`, `companions = false` | see below |
/// | `crate = my_crate::larder` | the path of `larder`, where the macros cannot find it; see below |
///
/// An option that can have no effect is an error: a length of time that is zero, `negative_ttl` where the result is
/// never `None`, `stale_if_error` where the function returns no `Result` and has no `timeout`. In a generic function,
/// where the compiler does not know the type of the result, `negative_ttl` compiles, and has no effect for types that
/// are no `Option`.
///
/// Where `Cargo.toml` gives `larder` another name (`shop_cache = { package = "larder", … }`), the macros find it there.
/// Where they cannot (another crate re-exports `larder`, two dependencies are versions of it), the compiler reports that
/// there is no crate `larder`: write `#[cached(crate = my_crate::larder, …)]`, and the same in `#[invalidate]` and
/// `#[cache_put]`.
///
/// # Keys
///
/// In `key` and `tags`, `<…>` is a placeholder: an argument, then fields and methods without arguments
/// (`<id>`, `<user.id>`, `<pair.0>`, `<self.tenant()>`). Its text is the value's `Display`, in which `:`,
/// `*`, `%` and control characters are percent-encoded; a path or an `OsStr` stands for itself, with bytes that are
/// no Unicode percent-encoded too. Between two placeholders there is a literal `:`. So no two lists of arguments
/// share a key, whatever is in them. Everything else is literal, braces too: they are hash tags of Redis Cluster.
///
/// Each argument is in the key or in `skip(…)`: one that is forgotten is an error, instead of a result that
/// is served for another argument. `self` is skipped unless the key names it.
///
/// ## Digests
///
/// `<filter:md5>` and `<filter:hash>` are digests of a value that is `Serialize`, 32 characters long. Both digest
/// everything that serde sees: two values that it can tell apart differ before they are digested. `None` is not a NaN,
/// `Some(None)` is not `None`; floats are their bits, so that `0.0` and `-0.0` are two values, and so are NaNs
/// with different bits. Maps count without their order, and so do the sets of std and hashbrown, wherever they are
/// nested; a set of another crate that is hashed too should be collected into a `BTreeSet`. Names of types, fields
/// and variants count, as does the width of integers: a new name is a new key.
///
/// Use `:hash` for what strangers choose, such as query strings and headers: it is 160 bits of a SHA-256, and no
/// two values that share it can be found. Two values with one MD5 are made in seconds: a user who may choose both could
/// be served the result of the one for the other. `:md5` is for what your own program makes.
///
/// A value whose `Serialize` fails has no digest. Its call computes without the cache, is counted in
/// `CacheStats::refused_keys`, and is reported once for each type.
///
/// ## Types
///
/// Types are arguments too. `<T>` is the name of a type parameter, a const parameter stands for its value;
/// `<T::NAME>` and `<T::name()>` are what is associated to it, written like any other value. In a method, `<Self>`,
/// `<Self::TABLE>` and the parameters of its `impl` can be named as well:
///
/// ```
/// use larder::cached;
///
/// # trait Table { const NAME: &'static str; const ROWS: u64; }
/// struct Repo<T>(T);
///
/// impl<T: Table + Sync> Repo<T> {
///     #[cached(ttl = "1m", key = "<T::NAME>:count")]
///     async fn count(&self) -> u64 {
///         // …
/// #       T::ROWS
///     }
/// }
/// ```
///
/// A method of a type with parameters, or of a trait with a default body, whose key names none of these does not
/// compile, so that `Repo<Orders>` is never served what `Repo<Users>` computed; `skip(Self)` says that the result does
/// not depend on them. (The compiler reports first that a constant expression depends on a generic parameter: that is
/// how the macro finds out.) One of the parameters in the key stands for all of them.
///
/// An argument of type `impl Trait` that is in the key does not compile either, because its type has no name: write
/// a type parameter in its place. An argument of type `dyn Trait` needs a method in the key that tells the types apart
/// (`<animal.kind()>`). Where the trait shows nothing but the text that is in the key anyway (`Display`, `ToString`),
/// neither is needed.
///
/// The name of a type is that of [`type_name`](std::any::type_name): `my_crate::Orders`. It is the same in every process,
/// and in every release of your program that does not move the type. Types of two versions of one crate have one
/// name, as have two types of one name in the same function; so do types that differ in a lifetime. Where a program
/// has such types, give them a constant, `<T::NAME>`. Closures and async blocks have no name of their own: a call with one
/// of them in the key is not cached, and reported.
///
/// ## Without a key
///
/// Without `key`, the key is the path of the module (with `.` for `::`), the function's name and its
/// arguments. That is unique for free functions in modules. Methods have to name their key. So do functions
/// inside of function bodies, and functions without `self` in an `impl`: a macro cannot see where they
/// stand, and two of them with one name in one module would share their entries.
///
/// The arguments stand there in clear text, as in every key: in Redis, in traces, in logs. A password or a token
/// belongs into `skip(…)`, or into a key of your own as `<token:hash>`. Even then a password that can be guessed can be
/// found, by trying: a digest in a key has no secret.
///
/// # Companions
///
/// A free function is accompanied by an empty type of its name (`use` of the one imports the other), with
///
/// - `user::key(id)`, the full key;
/// - `user::invalidate(id)`, which drops the entry, as `CacheExt::invalidate` does;
/// - `user::refresh(&db, id)`, which runs the function and stores the result, whatever the cache has.
///
/// `key` and `invalidate` take those arguments that the key and `cache` name. Methods in inherent `impl`s
/// get `user_key`, `user_invalidate` and `user_refresh` beside them if `companions` is given.
/// `companions = false` leaves the type out, where its name is taken.
///
/// A function without `self` in an `impl` has no room for the type, and a macro does not see the `impl`: name `<Self>`,
/// or one of the parameters, in its key, or write `skip(Self)`.
///
/// In documentation, a link to ``[`user`]`` is one to the function. A link could not tell the two apart, so that the type
/// is left out where rustdoc runs: a function that has a documentation says there what its companions are. A link to a
/// companion is written as one to the function: ``[`user::key`](user)``; ``[`user::key`]`` alone is an error of rustdoc.
///
/// ```
/// use larder::{MemoryCache, cached};
///
/// struct Users {
///     cache: MemoryCache,
///     tenant: String,
/// }
///
/// impl Users {
///     #[cached(ttl = "5m", key = "<self.tenant>:user:<id>", cache = self.cache, companions)]
///     async fn user(&self, id: u64) -> Option<String> {
///         Some(format!("user {id} of {}", self.tenant))
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// # let users = Users { cache: MemoryCache::new(100), tenant: "acme".into() };
/// users.user(7).await;
/// assert_eq!(users.user_key(7), "acme:user:7");
/// users.user_invalidate(7).await;
/// # }
/// ```
///
/// # Functions that are not async
///
/// ```
/// use larder::{cached, invalidate};
///
/// #[cached(ttl = "1h")]
/// fn fibonacci(n: u64) -> u128 {
///     if n < 2 { n.into() } else { fibonacci(n - 1) + fibonacci(n - 2) }
/// }
///
/// #[cached(ttl = 300, key = "settings:<path>")]
/// fn settings(path: &str) -> std::io::Result<String> {
///     std::fs::read_to_string(path)
/// }
///
/// #[invalidate("settings:<path>")]
/// fn write(path: &str, text: &str) -> std::io::Result<()> {
///     std::fs::write(path, text)
/// }
///
/// assert_eq!(fibonacci(100), 354_224_848_179_261_915_075); // 101 computations
/// ```
///
/// They need no runtime, and their values [stay in this process](#values-that-stay-in-this-process). Everything else is
/// as for async functions: keys, companions, tags, dependencies, `Result` and `Option`, and an invalidation anywhere drops
/// the value here. Of the threads that ask for a key at once one runs the body, and the others are blocked until it has;
/// if it panics, one of them runs it in its place. A thread waits for other threads alone, never for itself or for a task: a
/// key can be computed by one thread and one task at once. The body of a recursive function has some kilobytes of the
/// stack for each call that is nested in another one.
///
/// Called in async code, such a function blocks the thread of the runtime while it runs and while it waits, as any function
/// that is not async does: call it in `spawn_blocking` if that takes long. Under `#[invalidate]` and `#[cache_put]` the
/// invalidation is done when the function returns; that it reaches other processes is seen to by a thread of the cache's own.
/// What the body reads on other threads counts if they run it in [`Context::run`](../larder/struct.Context.html#method.run).
///
/// What takes a task, a timer or a server is not there, and does not compile: `stale_while_revalidate`, `refresh_ahead`,
/// `timeout`, `spawn`, `takeover_after`, `lock`.
///
/// # Values that stay in this process
///
/// With `local`, a value is kept in this process' memory alone, also where the cache is shared through Redis: it can be of any
/// type that is `Clone + Send + Sync + 'static`. It goes by the same rule as all others, so that an
/// invalidation on another machine drops it here.
///
/// ```
/// use std::sync::Arc;
///
/// use larder::cached;
///
/// struct Index(Vec<f64>); // neither `Serialize` nor `Clone`
///
/// #[cached(ttl = "1h", key = "index:<id>", local)]
/// async fn index(id: u64) -> Result<Arc<Index>, String> {
///     Ok(Arc::new(Index(vec![0.5])))
/// }
/// # #[tokio::main]
/// # async fn main() { assert_eq!(index(7).await.unwrap().0.len(), 1); }
/// ```
///
/// Each process computes its own, so that `lock` has nothing to do. For `negative_ttl`, a `None` in a `Box` or an `Arc` is a
/// value here, and not a `None`.
///
/// # Computations that outlive their caller
///
/// By default the body runs in the caller who finds nothing in the cache; the others wait. If that caller is
/// dropped (the client went away, a timeout around the call ended), one of those who wait runs it again from
/// the beginning. Where callers wait for less time than the body takes, it never ends: 40 callers, one every
/// 100 ms, each with 500 ms of patience, are never answered by a body that takes 700 ms.
///
/// With `spawn` the body runs in a task of its own, which goes on when its callers are dropped: of those 40,
/// all that come late enough are answered, by one run of the body. `stale_while_revalidate`,
/// `refresh_ahead` and `timeout` include `spawn`.
///
/// ```
/// use larder::cached;
///
/// # #[derive(Clone)] struct Db;
/// # impl Db { async fn report(&self, year: u16) -> String { format!("the report of {year}") } }
/// #[cached(ttl = "1h", key = "report:<year>", skip(db), spawn)]
/// async fn report(db: &Db, year: u16) -> String {
///     db.report(year).await
/// }
/// # #[tokio::main]
/// # async fn main() { assert_eq!(report(&Db, 2026).await, "the report of 2026"); }
/// ```
///
/// - The body works on owned copies of what it borrows, taken only when it runs: `&T` by `ToOwned` (`&str`
///   becomes a `String`), `&self` by `Clone`; other arguments are moved. `&mut` is an error, and so is an
///   argument with a borrow inside: take an owned value or an `Arc` instead. What is copied should be cheap
///   to copy, as handles and `Arc`s are.
/// - A panic of the body is that of the caller who started it, if it still waits. One of the others then
///   runs the body again, in a task too; after a second panic each of them does.
/// - What the body reads from caches, and what it decides through `larder::context()`, counts as it does
///   without a task. The span that was current where the function was called is current in the body. A
///   `tokio::task_local!` of the caller is not there: take what is needed as an argument.
/// - The task runs in the runtime of the caller who started it, and ends with that runtime; then another
///   caller takes over. Outside of a tokio runtime there is nothing to spawn a task on, and the caller runs the
///   body, as without `spawn`.
/// - Nothing limits the body: put a `tokio::time::timeout` around what may hang in it.
///
/// # Calls that are begun and left
///
/// Without `spawn` the body runs only while its caller polls the call. One that was polled and is then kept,
/// neither polled nor dropped, would hold up all other callers of its key:
///
/// ```ignore
/// let mut pages = stream::iter(ids).map(|id| page(id)).buffered(8);
/// while let Some(page) = pages.next().await {
///     related(page.next).await; // calls `page(…)`, for an id that the stream has begun and does not poll now
/// }
/// ```
///
/// So is the loser of a `select!` that is not dropped. Such a call is passed over: once it was woken and not
/// polled for a second (`takeover_after`), one of those who wait runs the body in its place. If it is polled
/// again, it ends as it would have, but what it gives is its own caller's, and not stored. A body that waits for
/// something, or blocks its thread, is not passed over. With `spawn` it cannot come to this, unless the runtime
/// itself is not driven.
///
/// # Other attributes
///
/// They stay on the function, so that `#[cached]` above `#[tracing::instrument]` makes a span of every call,
/// and below it a span of every computation. The arguments are evaluated as they are written: the key before
/// the body runs, `ttl` and the like only when there is nothing in the cache.
#[proc_macro_attribute]
pub fn cached(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_cached(args.into(), item.into()).into()
}

/// Runs a function that changes something, and invalidates what was computed from it.
///
/// ```
/// use larder::invalidate;
///
/// # struct Db;
/// # impl Db { async fn rename(&self, _: u64, _: &str) -> Result<(), String> { Ok(()) } }
/// #[invalidate("user:<id>", "dashboard:*")]
/// async fn rename(db: &Db, id: u64, name: &str) -> Result<(), String> {
///     db.rename(id, name).await
/// }
/// # #[tokio::main]
/// # async fn main() { rename(&Db, 1, "Ann").await.unwrap() }
/// ```
///
/// What it drops is named in three ways:
///
/// ```
/// # use larder::invalidate;
/// #[invalidate("transactions:<id>")] // the entry whose key is `transactions:7`
/// # async fn one(id: u64) -> u64 { id }
/// #[invalidate("transactions:*")] // every entry whose key begins with `transactions:`
/// # async fn all() {}
/// #[invalidate(tags = ["transactions"])] // every entry that was stored with the tag `transactions`
/// # async fn tagged() {}
/// ```
///
/// So `#[invalidate("transactions")]` drops the one entry with just that key: for a tag, write `tags = […]`.
///
/// A text is a key, or a prefix if it ends in `:*`; `*` stands nowhere else. Placeholders are those of
/// [`#[cached]`](macro@cached), and also `result`, the `Ok` or `Some` value that the function returns
/// (unless an argument has that name). Nothing has to be covered: most arguments of a change are no part of
/// a key.
///
/// It invalidates whatever the outcome: an error, a panic or a cancellation may have come after the change.
/// What names `result` needs one, so that it is invalidated on success only. The function's own result is
/// passed on as it is. A function that is not async is invalidated for when it returns, and does not wait for other
/// processes to hear of it.
///
/// ```
/// use larder::invalidate;
///
/// # #[derive(Clone)]
/// struct Order { id: u64, customer: u64 }
///
/// #[invalidate("order:<result.id>", "orders-of:<result.customer>:*", tags = ["orders"])]
/// async fn place(customer: u64) -> Result<Order, String> {
///     Ok(Order { id: 1, customer })
/// }
/// # #[tokio::main]
/// # async fn main() { place(1).await.unwrap(); }
/// ```
///
/// | option | what it does |
/// | --- | --- |
/// | `tags = ["org:<org>"]` | also invalidates everything with these tags |
/// | `namespace = "users"`, `schema = 3` | stand in front of the texts, as in [`#[cached]`](macro@cached). With a namespace, `"*"` is all of it. Tags have none |
/// | `cache = self.cache` | the cache, or `named("sessions")`; `larder::global()` otherwise |
/// | `on = ok` | invalidates on success only: `Ok`, `Some`, or any other value of a function that returns neither |
/// | `crate = my_crate::larder` | the path of `larder`, where the macros cannot find it |
#[proc_macro_attribute]
pub fn invalidate(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_invalidate(args.into(), item.into()).into()
}

/// Runs a function that writes something, and stores what it returns for readers.
///
/// ```
/// use larder::{cache_put, cached};
///
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct User { id: u64, name: String }
/// # struct Db;
/// # impl Db {
/// #     async fn load(&self, id: u64) -> Result<User, String> { Ok(User { id, name: String::new() }) }
/// #     async fn save(&self, user: User) -> Result<User, String> { Ok(user) }
/// # }
/// #[cached(ttl = 300, key = "user:<id>", skip(db))]
/// async fn user(db: &Db, id: u64) -> Result<User, String> {
///     db.load(id).await
/// }
///
/// #[cache_put(ttl = 300, key = "user:<user.id>")]
/// async fn save(db: &Db, user: User) -> Result<User, String> {
///     db.save(user).await
/// }
/// # #[tokio::main]
/// # async fn main() {
/// # save(&Db, User { id: 1, name: "Ann".into() }).await.unwrap();
/// # assert_eq!(user(&Db, 1).await.unwrap().name, "Ann");
/// # }
/// ```
///
/// The function always runs. A successful result replaces the entry, unless something that covers it was
/// invalidated since the function began. After an error, a panic or a cancellation it is not known
/// what was written, and the entry is invalidated. The type of the value must be that of the readers.
///
/// `key` is required, and not every argument has to be in it. It is made before the function runs, so that
/// it cannot name `result`. The other options are those of [`#[cached]`](macro@cached) that say how a
/// value is kept: `ttl` (required), `tags`, `namespace`, `schema`, `cache`, `jitter`, `refresh_ahead`,
/// `stale_while_revalidate`, `stale_if_error`, `negative_ttl`, `local` and `crate`.
#[proc_macro_attribute]
pub fn cache_put(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_cache_put(args.into(), item.into()).into()
}

fn expand_cached(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, Macro::Cached, &mut errors);
    let Some(mut function) = Function::parse(item.clone(), Macro::Cached.name(), &mut errors) else {
        return untouched(&errors, item);
    };
    function.associated |= args.names_self_type();
    match Cached::new(args, &function, &mut errors) {
        Ok(model) => expand::cached(&model, &function),
        Err(known) => {
            let untouched = untouched(&errors, item);
            let companions = expand::fallback_items(&known, &function);
            quote!(#untouched #companions)
        }
    }
}

fn expand_invalidate(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, Macro::Invalidate, &mut errors);
    let Some(mut function) = Function::parse(item.clone(), Macro::Invalidate.name(), &mut errors) else {
        return untouched(&errors, item);
    };
    function.associated |= args.names_self_type();
    match Invalidate::new(args, &function, &mut errors) {
        Some(model) if errors.is_empty() => expand::invalidate(&model, &function),
        _ => untouched(&errors, item),
    }
}

fn expand_cache_put(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, Macro::CachePut, &mut errors);
    let Some(mut function) = Function::parse(item.clone(), Macro::CachePut.name(), &mut errors) else {
        return untouched(&errors, item);
    };
    function.associated |= args.names_self_type();
    match CachePut::new(args, &function, &mut errors) {
        Some(model) if errors.is_empty() => expand::cache_put(&model, &function),
        _ => untouched(&errors, item),
    }
}

/// The errors, and the item as it was: it exists, so nothing else fails for want of it.
fn untouched(errors: &Errors, item: TokenStream) -> TokenStream {
    let errors = errors.to_tokens();
    quote!(#errors #item)
}

/// A constant that is no fraction does not compile; one that is, does.
///
/// ```compile_fail
/// const JITTER: f64 = 1.5;
///
/// #[larder::cached(ttl = 300, jitter = JITTER)]
/// async fn user(id: u64) -> u64 {
///     id
/// }
/// ```
///
/// ```
/// const JITTER: f64 = 0.5;
///
/// #[larder::cached(ttl = 300, jitter = JITTER)]
/// async fn user(id: u64) -> u64 {
///     id
/// }
/// ```
#[cfg(doctest)]
struct ConstantsAreChecked;
