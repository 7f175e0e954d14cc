//! The attribute macros of [larder](https://docs.rs/larder): [`#[cached]`](macro@cached),
//! [`#[cached_many]`](macro@cached_many), [`#[invalidate]`](macro@invalidate) and [`#[cache_put]`](macro@cache_put). Use them through `larder`,
//! which exports them: what they write calls into it.

mod args;
mod crate_name;
mod errors;
mod expand;
mod function;
mod model;
mod suggest;
mod surroundings;
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

#[doc = include_str!("../docs/cached.md")]
#[proc_macro_attribute]
pub fn cached(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_cached(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/cached_many.md")]
#[proc_macro_attribute]
pub fn cached_many(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_caching(args.into(), item.into(), Macro::CachedMany).into()
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
/// What it drops is named by [the function that keeps it](#cached-functions), or in three other ways:
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
/// # Cached functions
///
/// A cached function can be named itself, in place of its key: the compiler then sees to it that there is such a function,
/// that it is cached, and that its arguments fit; and a new key, or another cache, is one in both places.
///
/// ```
/// use larder::{cached, invalidate};
///
/// # struct Db;
/// # impl Db { async fn rename(&self, _: u64, _: &str) -> Result<(), String> { Ok(()) } }
/// #[cached(ttl = 300, key = "user:<id>", skip(db))]
/// async fn user(db: &Db, id: u64) -> Result<String, String> {
///     // …
/// #   Ok(id.to_string())
/// }
///
/// #[cached(ttl = "1h", key = "report:<year>:<month>")]
/// async fn report(year: u32, month: u32) -> Vec<String> {
///     // …
/// #   Vec::new()
/// }
///
/// #[invalidate(user(id), report(..))]
/// async fn rename(db: &Db, id: u64, name: &str) -> Result<(), String> {
///     db.rename(id, name).await
/// }
/// # #[tokio::main]
/// # async fn main() { rename(&Db, 1, "Ann").await.unwrap() }
/// ```
///
/// `user(id)` is the entry of that call. It takes what [`user::invalidate(id)`](macro@cached#companions) takes: the arguments
/// that are in the key, and those that `cache` names. They are Rust expressions, which can use the arguments and `result`, and
/// are evaluated before the function runs, if they do not name `result`. Of an argument that the function owns, a clone is
/// used.
///
/// `report(..)` is all that the function keeps, and whatever else has a key that begins as its own do: the prefix in front of
/// the first placeholder, here `report:`. Where the key does not begin with text that ends in `:`, the compiler says so, and
/// what to do. Arguments that `cache` names stand in front: `report(&self.cache, ..)`.
///
/// Methods are named as they are called, `self.user(id)` and `self.users.user(id)`, and functions in an `impl` as
/// `Users::user(id)` or `Self::user(id)`; they need the option [`companions`](macro@cached#companions). A path whose last but
/// one name begins with a capital letter is taken for that of a type. Methods of traits have no companions, and are
/// invalidated by their keys.
///
/// Each function is dropped from its own cache, so that `cache`, `namespace` and `schema` are for keys, prefixes and tags.
///
/// # Lists and conditions
///
/// `[]` behind a list, of an argument or of the result, stands for a text of each of its elements: `<ids[]>`,
/// `<orders[].id>`, `<result[].customer.id>`. A list is what has an `iter()`, such as a slice, a `Vec`, a set or an `Option`
/// (`<map[].0>` are the keys of a map). There is one list in a text.
///
/// `if = …` invalidates only if an expression is true. It can name arguments, and is evaluated before the function runs; or
/// it names `result`, a reference to the `Ok` or `Some` value, and is evaluated when there is one. Where the function fails,
/// panics or is cancelled, a condition on `result` does not hold anything back: the change may have been made.
///
/// ```
/// use larder::invalidate;
///
/// # struct Order { id: u64 }
/// #[invalidate("order:<result[].id>", "orders-of:<customer>")]
/// async fn cancel_all(customer: u64) -> Result<Vec<Order>, String> {
///     // UPDATE … RETURNING id
/// #   Ok([1, 2].map(|id| Order { id }).into())
/// }
///
/// #[invalidate("user:<id>", if = *result > 0)]
/// async fn touch(id: u64) -> Result<u64, String> {
///     // the number of rows that were changed
/// #   Ok(id)
/// }
/// # #[tokio::main]
/// # async fn main() { cancel_all(1).await.unwrap(); touch(1).await.unwrap(); }
/// ```
///
/// # Options
///
/// Inside of a database transaction an invalidation has to wait for the commit: see
/// [`deferred`](../larder/fn.deferred.html).
///
/// | option | what it does |
/// | --- | --- |
/// | `if = *result > 0` | invalidates only if this holds; see above |
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
    expand_caching(args, item, Macro::Cached)
}

fn expand_caching(args: TokenStream, item: TokenStream, of: Macro) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, of, &mut errors);
    let Some(mut function) = Function::parse(item.clone(), of.name(), &mut errors) else {
        return untouched(&errors, item);
    };
    function.associated |= args.names_self_type();
    match Cached::new(args, &function, of, &mut errors) {
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
