//! `#[cached]` on functions of every shape.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::{Value, cached};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Counts computations.
#[derive(Default)]
struct Db(AtomicU32);

impl Db {
    fn query(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn queries(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[cached(ttl = 300, key = "shapes-user:<id>", skip(db))]
async fn user(db: &Db, id: u64) -> Result<String, String> {
    db.query();
    if id == 0 {
        return Err("no such user".to_owned());
    }
    Ok(format!("user {id}"))
}

#[tokio::test]
async fn a_function_runs_once_for_each_key() {
    let db = Db::default();
    assert_eq!(user(&db, 7).await.as_deref(), Ok("user 7"));
    assert_eq!(is_send(user(&db, 7)).await.as_deref(), Ok("user 7"));
    assert_eq!(user(&db, 8).await.as_deref(), Ok("user 8"));
    assert_eq!(db.queries(), 2);
}

#[tokio::test]
async fn an_error_is_not_kept() {
    let db = Db::default();
    assert_eq!(user(&db, 0).await.unwrap_err(), "no such user");
    assert_eq!(user(&db, 0).await.unwrap_err(), "no such user");
    assert_eq!(db.queries(), 2);
}

#[cached(ttl = "5m")]
async fn unit() {}

#[cached(ttl = Duration::from_secs(60), skip(db))]
async fn plain(db: &Db, name: &str) -> usize {
    db.query();
    name.len()
}

#[cached(ttl = 60, skip(db))]
async fn absent(db: &Db, id: i8) -> Option<i8> {
    db.query();
    (id > 0).then_some(id)
}

#[cached(ttl = 60, negative_ttl = 60, skip(db))]
async fn remembered_absence(db: &Db, id: i8) -> Option<i8> {
    db.query();
    (id > 0).then_some(id)
}

type Maybe<T> = Option<T>;
type Found = Result<Box<Maybe<u8>>, String>;

#[cached(ttl = 60, negative_ttl = 60, stale_if_error = 60)]
async fn absent_through_aliases(id: u8) -> Found {
    Ok(Box::new((id > 0).then_some(id)))
}

/// Whether it is an `Option` is known where it is called.
#[cached(ttl = 60, negative_ttl = 60, key = "generic-absence:<T>:<text>")]
async fn perhaps_absent<T: Value + FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

struct Row<T>(PhantomData<fn() -> T>);

impl<T: Value + Default> Row<T> {
    #[cached(ttl = 60, negative_ttl = 60, key = "row:<Self>")]
    async fn perhaps_absent() -> T {
        T::default()
    }
}

#[tokio::test]
async fn negative_ttl_stands_wherever_there_may_be_a_none() {
    assert_eq!(absent_through_aliases(0).await, Ok(Box::new(None)));
    assert_eq!(perhaps_absent::<u8>("no number").await, None);
    assert_eq!(Row::<Option<u8>>::perhaps_absent().await, None);
    assert_eq!(Row::<u8>::perhaps_absent().await, 0);
}

#[tokio::test]
async fn any_return_type_is_kept() {
    let db = Db::default();
    unit().await;
    assert_eq!(plain(&db, "four").await + plain(&db, "four").await, 8);
    assert_eq!(db.queries(), 1);
    assert_eq!(absent(&db, 1).await.or(absent(&db, 1).await), Some(1));
    assert_eq!(db.queries(), 2);
}

#[tokio::test]
async fn none_is_kept_only_with_negative_ttl() {
    let db = Db::default();
    assert_eq!(absent(&db, -1).await.or(absent(&db, -1).await), None);
    assert_eq!(db.queries(), 2);
    assert_eq!(remembered_absence(&db, -1).await, None);
    assert_eq!(remembered_absence(&db, -1).await, None);
    assert_eq!(db.queries(), 3);
}

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cached(ttl = 60, skip(db))]
async fn through_io(db: &Db, ok: bool) -> io::Result<u8> {
    db.query();
    if ok { Ok(1) } else { Err(io::Error::other("down")) }
}

#[cached(ttl = 60, skip(db))]
async fn through_anyhow(db: &Db, text: &str) -> anyhow::Result<u8> {
    db.query();
    Ok(text.parse()?)
}

#[cached(ttl = 60, skip(db))]
async fn through_own_alias(db: &Db, text: &str) -> Outcome<u8> {
    db.query();
    let number: u8 = text.parse()?;
    Ok(number)
}

#[tokio::test]
async fn aliases_of_result_are_results() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(through_io(&db, true).await.unwrap(), 1);
        assert_eq!(through_anyhow(&db, "2").await.unwrap(), 2);
        assert_eq!(is_send(through_own_alias(&db, "3")).await.unwrap(), 3);
    }
    assert_eq!(db.queries(), 3);
    for _ in 0..2 {
        assert!(through_io(&db, false).await.is_err());
        assert!(through_anyhow(&db, "x").await.is_err());
        assert!(through_own_alias(&db, "x").await.is_err());
    }
    assert_eq!(db.queries(), 9);
}

#[cached(ttl = 60, key = "generic:<T>:<N>:<values:md5>", skip(db))]
#[expect(clippy::needless_lifetimes, reason = "a lifetime with a name is to be carried along")]
async fn generic<'a, T, const N: usize>(db: &'a Db, values: &[T; N]) -> Vec<T>
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    [T; N]: Serialize,
{
    db.query();
    values.to_vec()
}

#[cached(ttl = 60, skip(db))]
async fn parsed<T, D>(db: &Db, text: D) -> Option<T>
where
    T: std::str::FromStr + Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    D: Display + Send,
{
    db.query();
    text.to_string().parse().ok()
}

#[tokio::test]
async fn type_and_const_parameters_are_part_of_the_key() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(generic(&db, &[1_u8, 2]).await, [1, 2]);
        assert_eq!(generic(&db, &[1_u16, 2]).await, [1, 2]);
        assert_eq!(generic(&db, &[1_u8]).await, [1]);
        assert_eq!(parsed::<u8, _>(&db, "1").await, Some(1));
        assert_eq!(parsed::<u16, _>(&db, 1).await, Some(1));
    }
    assert_eq!(db.queries(), 5);
    assert_eq!(generic::key(&[1_u8]).split(':').nth(1), Some("u8"));
}

#[cached(ttl = 60, key = "borrowed:<name>:<first>", skip(db))]
async fn borrowed<'a, 'b: 'a>(db: &'a Db, name: &'b str, (first, _): (&'a u8, u8)) -> String {
    db.query();
    format!("{name}{first}")
}

#[cached(ttl = 60, skip(db))]
async fn patterns(
    db: &Db,
    mut words: String,
    (left, mut right): (u8, u8),
    [head, .., tail]: [u8; 3],
    Point { x, y: Point { x: _, y: height } }: Point<Point<u8>>,
    &again: &u8,
    _: u8,
) -> String {
    db.query();
    words.push('!');
    right += 1;
    format!("{words}{left}{right}{head}{tail}{x}{height}{again}", x = x.x)
}

struct Point<T> {
    x: T,
    y: T,
}

impl Display for Point<u8> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.x, self.y)
    }
}

#[tokio::test]
async fn arguments_may_borrow_and_be_patterns() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(borrowed(&db, "a", (&1, 2)).await, "a1");
        let point = || Point { x: Point { x: 6, y: 6 }, y: Point { x: 7, y: 8 } };
        let text = patterns(&db, "a".to_owned(), (1, 2), [3, 4, 5], point(), &9, 10).await;
        assert_eq!(text, "a!1335689");
    }
    assert_eq!(db.queries(), 2);
}

#[cached(ttl = 60, key = "boxed:<id>", skip(db))]
fn boxed<'a>(db: &'a Db, id: u8) -> Pin<Box<dyn Future<Output = u8> + Send + 'a>> {
    Box::pin(async move {
        db.query();
        id
    })
}

#[tokio::test]
async fn boxed_futures_work() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(boxed(&db, 1).await, 1);
    }
    assert_eq!(db.queries(), 1);
}

#[cached(ttl = 60, key = "instrument-below:<id>", skip(db))]
#[tracing::instrument(skip(db), fields(id = id))]
async fn instrument_below(db: &Db, id: u8) -> Result<u8, String> {
    db.query();
    Ok(id)
}

#[tracing::instrument(skip(db), err)]
#[cached(ttl = 60, key = "instrument-above:<id>", skip(db))]
async fn instrument_above(db: &Db, id: u8) -> Result<u8, String> {
    db.query();
    Ok(id)
}

#[tokio::test]
async fn instrument_stands_in_either_order() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(instrument_below(&db, 1).await, Ok(1));
        assert_eq!(instrument_above(&db, 1).await, Ok(1));
    }
    assert_eq!(db.queries(), 2);
}

/// Documented, and everything else that an item can carry.
#[cached(ttl = 60, skip(db))]
#[must_use]
#[allow(clippy::many_single_char_names)]
#[expect(unused_variables, reason = "the attribute must reach the body")]
pub(crate) async fn attributes(db: &Db, #[cfg(any())] absent: u8, #[cfg(not(any()))] present: u8) -> u8 {
    db.query();
    let unused = 1;
    present
}

#[cached(ttl = 60)]
#[cfg(any())]
async fn compiled_out() -> Missing {}

#[tokio::test]
async fn attributes_stay() {
    let db = Db::default();
    assert_eq!(attributes(&db, 1).await + attributes(&db, 1).await, 2);
    assert_eq!(db.queries(), 1);
    assert_eq!(attributes::key(1), "macros_shapes.attributes:1");
}

#[cached(ttl = 60, key = "when:<id>", skip(db, fresh), when = !fresh)]
async fn when(db: &Db, id: u8, fresh: bool) -> Result<u8, String> {
    db.query();
    if id == 0 {
        return Err("zero".to_owned());
    }
    Ok(id)
}

#[tokio::test]
async fn when_decides_whether_the_cache_is_used() {
    let db = Db::default();
    for _ in 0..2 {
        assert_eq!(when(&db, 1, true).await, Ok(1));
    }
    assert_eq!(db.queries(), 2);
    for _ in 0..2 {
        assert_eq!(when(&db, 1, false).await, Ok(1));
    }
    assert_eq!(db.queries(), 3);
    assert!(when(&db, 0, true).await.is_err());
}

macro_rules! cached_getter {
    ($name:ident($argument:ident: $ty:ty), $key:literal, $ttl:expr, $body:block) => {
        #[cached(ttl = $ttl, key = $key)]
        async fn $name($argument: $ty) -> $ty $body
    };
}

cached_getter!(from_macro(id: u8), "from-macro:<id>", 60, { id });

macro_rules! cached_by_macro {
    ($name:ident) => {
        #[cached(ttl = "1m", key = "by-macro:<id>")]
        async fn $name(id: u8) -> u8 {
            id
        }
    };
}

cached_by_macro!(by_macro);

#[tokio::test]
async fn macro_rules_may_write_cached_functions() {
    assert_eq!(from_macro(1).await, 1);
    assert_eq!(from_macro::key(1), "from-macro:1");
    assert_eq!(by_macro(1).await, 1);
}

#[tokio::test]
async fn a_function_inside_a_body_can_be_cached() {
    struct Local(u8);

    #[cached(ttl = 60, key = "local:<value.0>")]
    async fn local(value: &Local) -> HashMap<u8, u8> {
        HashMap::from([(value.0, 1)])
    }

    assert_eq!(local(&Local(1)).await, local(&Local(1)).await);
    assert_eq!(local::key(&Local(1)), "local:1");
}

#[cached(ttl = 60, key = "factorial:<n>", skip(db))]
async fn factorial(db: &Db, n: u64) -> Result<u64, String> {
    db.query();
    match n {
        0 => Ok(1),
        n => Ok(n * Box::pin(factorial(db, n - 1)).await?),
    }
}

#[tokio::test]
async fn functions_may_recurse() {
    let db = Db::default();
    assert_eq!(is_send(factorial(&db, 5)).await, Ok(120));
    assert_eq!(factorial(&db, 4).await, Ok(24));
    assert_eq!(db.queries(), 6);
}

const TTL: Duration = Duration::from_secs(5);
const JITTER: f64 = 0.1;

#[cached(
    ttl = TTL,
    jitter = JITTER,
    stale_if_error = "1h30m",
    negative_ttl = Duration::from_millis(id.into()),
    tags = ["all", "id:<id>"],
    namespace = "options",
    schema = 2,
    lock = larder::Lock::Process,
    cache = named("options"),
    detached,
)]
async fn options(id: u8) -> Result<Option<u8>, String> {
    Ok(Some(id))
}

#[tokio::test]
async fn options_may_be_expressions() {
    assert_eq!(options(1).await, Ok(Some(1)));
    assert_eq!(options::key(1), "options:v2:macros_shapes.options:1");
}

#[cached(ttl = 60)]
async fn with_items_inside(id: u8) -> u8 {
    struct Local(u8);
    impl Local {
        fn new(id: u8) -> Self {
            Self(id)
        }
    }
    Local::new(id).0
}

#[tokio::test]
async fn items_inside_the_body_do_not_make_it_a_method() {
    assert_eq!(with_items_inside(1).await, 1);
    assert_eq!(with_items_inside::key(1), "macros_shapes.with_items_inside:1");
}
