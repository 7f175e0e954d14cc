//! The expansion of each macro, as it stands in `golden/`. `UPDATE_GOLDEN=1 cargo test -p larder-macros golden` writes
//! what it is now, for the difference to be read.

use std::fs;
use std::path::Path;

use super::{TokenStream, expand_cache_put, expand_cached, expand_invalidate, expand_limited, quote};

/// Compares the formatted expansion with the file of that name.
#[track_caller]
fn golden(name: &str, output: TokenStream) -> String {
    let file = syn::parse2(output).expect("the expansion is items");
    let text = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).expect("the folder is there");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name} is another expansion: see `UPDATE_GOLDEN` in golden.rs");
    text
}

#[test]
fn a_plain_function_takes_at_most_seventy_eight_lines() {
    let item = quote! {
        async fn user(db: &Db, id: u64) -> Result<User, E> {
            db.load(id).await
        }
    };
    let text = golden("cached.rs.txt", expand_cached(quote!(ttl = 300, key = "user:<id>", skip(db)), item));
    let lines = text.lines().count();
    assert!(lines <= 78, "{lines} lines");
    assert!(!text.contains("allow("), "{text}");
    assert_eq!(text.matches("Arg(").count(), 1, "the key is written in one place: {text}");
}

#[test]
fn a_method_takes_no_more_than_its_machinery() {
    let item = quote! {
        async fn user(&self, id: u64) -> Option<User> {
            self.db.load(id).await
        }
    };
    let args = quote!(
        ttl = "5m",
        key = "<self.tenant>:user:<id>",
        cache = self.cache,
        stale_while_revalidate = "1m"
    );
    golden("cached_method.rs.txt", in_impl(expand_cached(args, item)));
}

#[test]
fn an_invalidation_is_a_guard_around_the_body() {
    let item = quote! {
        async fn rename(db: &Db, id: u64, name: &str) -> Result<User, E> {
            db.rename(id, name).await
        }
    };
    let args = quote!("user:<id>", "org:<result.org>:*", tags = ["names"]);
    golden("invalidate.rs.txt", expand_invalidate(args, item));
}

#[test]
fn a_put_is_a_guard_around_the_body() {
    let item = quote! {
        async fn save(db: &Db, user: User) -> Result<User, E> {
            db.save(user).await
        }
    };
    golden("cache_put.rs.txt", expand_cache_put(quote!(ttl = 300, key = "user:<user.id>"), item));
}

#[test]
fn a_limit_stands_before_the_body() {
    let item = quote! {
        async fn search(ip: IpAddr, words: &str) -> Result<Vec<String>, E> {
            index().search(words).await
        }
    };
    let args = quote!(per = "ip:<ip>", rate = "100/min", burst = 20, failure = FailureMode::Open);
    golden("limited.rs.txt", expand_limited(args, item));
}

#[test]
fn a_function_that_is_not_async_has_no_future() {
    let item = quote! {
        fn module(engine: &Engine, name: &str) -> Result<Module, E> {
            engine.compile(name)
        }
    };
    let args = quote!(ttl = 300, key = "module:<name>", skip(engine), when = name != "");
    let text = golden("blocking.rs.txt", expand_cached(args, item));
    assert!(!text.contains("async") && !text.contains("await"), "{text}");
}

#[test]
fn a_stream_is_made_when_it_is_polled() {
    let item = quote! {
        fn rows(db: &Db, table: &str) -> impl Stream<Item = Result<Row, E>> {
            db.rows(table)
        }
    };
    let args = quote!(ttl = 300, key = "rows:<table>", skip(db));
    let text = golden("stream.rs.txt", expand_cached(args, item));
    assert!(!text.contains("async") && !text.contains("await"), "{text}");
}

#[test]
fn a_change_that_is_not_async_has_no_future() {
    let item = quote! {
        fn rename(db: &Db, id: u64, name: &str) -> Result<User, E> {
            db.rename(id, name)
        }
    };
    let text = golden("invalidate_blocking.rs.txt", expand_invalidate(quote!("user:<id>"), item));
    assert!(!text.contains("async") && !text.contains("await"), "{text}");
}

fn in_impl(methods: TokenStream) -> TokenStream {
    quote!(impl Users { #methods })
}
