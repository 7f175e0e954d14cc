//! What the macros write, as tokens.

use proc_macro2::TokenStream;
use quote::quote;

use super::{expand_cache_put, expand_cached, expand_invalidate, expand_limited};

mod golden;

/// The output as items inside an `impl`, where functions with and without `self` can stand.
fn methods(output: TokenStream) -> Vec<syn::ImplItemFn> {
    let block: syn::ItemImpl = syn::parse2(quote!(impl T { #output })).unwrap();
    let functions = block.items.into_iter().map(|item| match item {
        syn::ImplItem::Fn(function) => function,
        _ => panic!("something else than a function"),
    });
    functions.collect()
}

fn count(output: &TokenStream, text: &str) -> usize {
    output.to_string().matches(text).count()
}

fn free() -> TokenStream {
    quote! {
        /// A user.
        #[inline]
        pub(crate) async fn user<T>(db: &Db, (a, b): (u8, u8)) -> Result<T, E> {
            marker(db).await?;
            Ok(a + b)
        }
    }
}

fn method() -> TokenStream {
    quote! {
        async fn user(&self, id: u64) -> u64 {
            marker(self.db, id).await
        }
    }
}

#[test]
fn a_free_function_has_companions_and_one_body() {
    for args in [
        quote!(ttl = 300, skip(db)),
        quote!(ttl = 300, skip(db), when = a > b),
        quote!(ttl = 300, skip(db), stale_if_error = 1, timeout = "1s"),
        quote!(ttl = 300, skip(db), stale_if_error = 1, timeout = "1s", when = a > b, tags = ["<a>"]),
    ] {
        let output = expand_cached(args, free());
        let file: syn::File = syn::parse2(output.clone()).unwrap();
        assert_eq!(file.items.len(), 3, "the function, the type, its functions");
        assert_eq!(count(&output, "marker"), 1);
        assert_eq!(count(&output, "compile_error"), 0);
    }
}

/// Actix Web makes a type of the function's name of these, and would meet that of the companions.
#[test]
fn a_route_has_no_companions() {
    for route in [quote!(get("/users/{id}")), quote!(actix_web::post("/users"))] {
        let function = quote!(#[#route] async fn user() -> String { marker() });
        let output = expand_cached(quote!(ttl = 300), function.clone());
        let file: syn::File = syn::parse2(output.clone()).unwrap();
        assert!(!file.items.iter().any(|item| matches!(item, syn::Item::Struct(_))), "{output}");
        assert_eq!(count(&expand_cached(quote!(ttl = 300, companions), function), "no room"), 1);
    }
}

#[test]
fn a_method_has_siblings_if_it_asks_for_them() {
    let alone = expand_cached(quote!(ttl = 300, key = "<id>", skip(self)), method());
    assert_eq!(count(&alone, "marker"), 1);
    assert_eq!(methods(alone).len(), 1);

    let output = expand_cached(quote!(ttl = 300, key = "<id>", companions, skip(self)), method());
    assert_eq!(count(&output, "marker"), 1);
    let names: Vec<_> = methods(output).iter().map(|method| method.sig.ident.to_string()).collect();
    assert_eq!(
        names,
        [
            "user",
            "user_key",
            "user_invalidate",
            "user_mark_stale",
            "user_refresh",
            "user_with_outcome",
            "user_warm",
            "__user_target",
            "__user_all",
            "__user_write_key",
            "__user_run"
        ]
    );
}

#[test]
fn options_choose_the_form() {
    let foreground = expand_cached(quote!(ttl = 300, key = "<id>", skip(self)), method());
    assert_eq!(count(&foreground, "compute_background"), 0);
    for option in [
        quote!(stale_if_error = 1, timeout = 1),
        quote!(stale_while_revalidate = 1),
        quote!(refresh_ahead = 0.5),
    ] {
        let output = expand_cached(quote!(ttl = 300, key = "<id>", skip(self), #option), method());
        assert_eq!(count(&output, "compute_background"), 1);
        // The copy has taken the place of `self`.
        assert_eq!(count(&output, "larder_self . db"), 1);
    }
}

#[test]
fn the_crate_can_have_another_name() {
    let renamed = [
        expand_cached(quote!(ttl = 300, skip(db), crate = a::b), free()),
        expand_invalidate(quote!("<a>:<result>", crate = a::b), free()),
        expand_cache_put(quote!(ttl = 300, key = "<a>", crate = a::b), free()),
    ];
    for output in renamed {
        assert_eq!(count(&output, "larder ::"), 0, "{output}");
        assert_ne!(count(&output, "a :: b :: private"), 0);
    }
}

#[test]
fn an_error_leaves_the_item_and_its_companions() {
    let output = expand_cached(quote!(key = "<a>", tags), free());
    assert_eq!(count(&output, "compile_error"), 4, "{output}");
    assert_eq!(count(&output, "marker"), 1);
    let file: syn::File = syn::parse2(output).unwrap();
    assert_eq!(file.items.len(), 4 + 3);

    let output = expand_invalidate(quote!(), method());
    assert_eq!(methods_and_errors(output), (1, 1));
}

/// What stands in front of the future runs before the cache is asked.
/// The names that are made of the user's are parsed by the rules of our edition.
#[test]
fn a_keyword_of_our_edition_may_be_a_name() {
    let item: TokenStream = "async fn gen(gen: u64) -> u64 { 1 }".parse().unwrap();
    let output = expand_cached(quote!(ttl = 60), item).to_string();
    assert!(output.contains("struct r#gen") && output.contains("r#gen :: __run (__how , r#gen)"), "{output}");
    assert!(output.contains("refresh (r#gen : u64)"), "{output}");
}

#[test]
fn in_front_of_a_future_only_clones_of_arguments_stand() {
    for (statements, errors) in [
        ("", 0),
        ("use a::b; const N: u8 = 1; fn inner() {}", 0),
        ("let name = name.clone(); let db = Arc::clone(&self.db.0); let other = name.to_owned();", 0),
        ("let copy = String::from(name); let text = id.to_string(); let name = name.to_string();", 0),
        ("let mut db = self.db.clone(); let mut name = name.clone();", 0),
        ("let s = settings();", 1),
        ("let row = READ;", 1),
        ("let row = ROW.clone();", 1),
        ("let row = row().clone();", 1),
        ("let row = self.row().clone();", 1),
        ("ROW.store(1);", 1),
        ("println!();", 1),
        ("let raw = id;", 1),
        ("let id = id % 10;", 1),
        ("let id = id.to_string();", 1),
        ("let id = name.clone();", 1),
        ("let id = self.id.clone();", 1),
        ("let name = name.0.clone();", 1),
        ("let mut name = name.clone(); let (a, b) = name.clone();", 1),
        ("if x { return Box::pin(async { 1 }); }", 1),
    ] {
        for future in ["async move { 1 }", "Box::pin(async move { 1 })", "async move { 1 }.boxed()"] {
            let item = format!(
                "fn f(&self, id: u64, name: &str) -> BoxFuture<'static, u8> {{ {statements} {future} }}"
            );
            let output = expand_invalidate(quote!("a:<id>:<name>"), item.parse().unwrap());
            assert_eq!(count(&output, "compile_error"), errors, "{item}");
        }
    }
}

#[test]
fn a_stream_cannot_be_invalidated_after() {
    for (output, errors) in [
        ("impl Stream<Item = u8>", 1),
        ("BoxStream<'static, u8>", 1),
        ("Pin<Box<dyn futures::Stream<Item = u8> + Send>>", 1),
        ("Result<impl TryStream<Ok = u8>, E>", 1),
        ("Vec<Stream>", 0),
        ("Result<Streamed, E>", 0),
    ] {
        for asyncness in ["", "async"] {
            let item: TokenStream =
                format!("{asyncness} fn f(id: u8) -> {output} {{ g() }}").parse().unwrap();
            let expanded = expand_invalidate(quote!("a:<id>"), item.clone());
            assert_eq!(count(&expanded, "compile_error"), errors, "{item}");
        }
    }
}

/// Of two arguments of one name, `#[cfg]` leaves one, and the key has that.
#[test]
fn a_placeholder_is_each_argument_of_its_name() {
    let item = quote! {
        async fn dup(#[cfg(a)] id: u64, #[cfg(not(a))] id: String) -> u8 { 1 }
    };
    let outputs = [
        expand_cached(quote!(key = "dup:<id>", companions = false), item.clone()),
        expand_cached(quote!(companions = false), item.clone()),
        expand_invalidate(quote!("dup:<id>"), item.clone()),
        expand_cache_put(quote!(ttl = 1, key = "dup:<id>"), item.clone()),
        expand_limited(quote!(per = "dup:<id>", rate = "1/s"), item),
    ];
    for output in outputs {
        assert_eq!(count(&output, "compile_error"), 0, "{output}");
        assert_eq!(count(&output, "# [cfg (a)] (&&"), 1, "{output}");
        assert_eq!(count(&output, "# [cfg (not (a))] (&&"), 1, "{output}");
    }
}

fn methods_and_errors(output: TokenStream) -> (usize, usize) {
    let block: syn::ItemImpl = syn::parse2(quote!(impl T { #output })).unwrap();
    let methods = block.items.iter().filter(|item| matches!(item, syn::ImplItem::Fn(_))).count();
    (methods, block.items.len() - methods)
}

#[test]
fn a_function_rewritten_by_async_trait_keeps_its_prelude() {
    let item = quote! {
        fn load<'life0, 'async_trait>(
            &'life0 mut self, id: u64, __arg2: (u8, u8),
        ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u8> + Send + 'async_trait>>
        {
            Box::pin(async move {
                if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<u8> {
                    return __ret;
                }
                let mut __self = self;
                let id = id;
                let (a, b) = { let __arg2 = __arg2; __arg2 };
                let __ret: u8 = { let seven = 7; marker(__self, id, a, b, seven) };
                __ret
            })
        }
    };
    let output = expand_cached(quote!(ttl = 300, key = "<self.x>:<id>:<a>:<b>", cache = self.cache), item);
    assert_eq!(count(&output, "compile_error"), 0, "{output}");
    assert_eq!(count(&output, "marker"), 1);
    assert_eq!(count(&output, "Arg (& __self . x)"), 1, "{output}");
    assert_eq!(count(&output, "(__self . cache)"), 1);
    let text = output.to_string();
    let (prelude, call) = (text.find("let (a , b)"), text.find("kind . begin"));
    assert!(prelude < call && text.find("let seven") > call, "{text}");
    assert_eq!(methods(output).len(), 1);
}
