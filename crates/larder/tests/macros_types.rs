//! Types are arguments: those of a function, of its `impl`, of the trait that it stands in.

use std::fmt::Display;
use std::marker::PhantomData;

use larder::{CacheExt, MemoryCache, cached};

trait Table {
    const NAME: &'static str;
    const COUNT: u64;

    fn name() -> String {
        Self::NAME.to_lowercase()
    }
}

struct Orders;
struct Users;

impl Table for Orders {
    const NAME: &'static str = "ORDERS";
    const COUNT: u64 = 3;
}

impl Table for Users {
    const NAME: &'static str = "US:ERS";
    const COUNT: u64 = 5;
}

struct Repo<T, const N: usize = 0>(PhantomData<T>);

impl<T: Table + Send + Sync> Repo<T> {
    const TABLE: &'static str = T::NAME;

    #[cached(ttl = 60, key = "types:<Self>:count", companions, skip(self))]
    async fn by_self(&self) -> u64 {
        T::COUNT
    }

    #[cached(ttl = 60, key = "types:<Self::TABLE>:count", companions, skip(self))]
    async fn by_constant(&self) -> u64 {
        T::COUNT
    }

    #[cached(ttl = 60, key = "types:<T>:count", companions, skip(self))]
    async fn by_parameter(&self) -> u64 {
        T::COUNT
    }

    #[cached(ttl = 60, key = "types:<T::NAME>:counted:<T::name()>:<T::NAME.len()>", companions, skip(self))]
    async fn by_constant_of_parameter(&self) -> u64 {
        T::COUNT
    }

    #[cached(ttl = 60, key = "types:shared:<id>", skip(self, Self), companions)]
    async fn by_nothing(&self, id: u8) -> u8 {
        id
    }

    /// Nothing but the key tells that it stands in an `impl`.
    #[cached(ttl = 60, key = "types:<Self>:associated")]
    async fn associated() -> u64 {
        T::COUNT
    }

    #[cached(ttl = 60, key = "types:<T::NAME>:associated", skip(Self))]
    async fn skipped() -> u64 {
        7
    }
}

#[tokio::test]
async fn no_type_is_served_what_is_another_ones() {
    let (orders, users) = (Repo::<Orders>(PhantomData), Repo::<Users>(PhantomData));
    for _ in 0..2 {
        assert_eq!((orders.by_self().await, users.by_self().await), (3, 5));
        assert_eq!((orders.by_constant().await, users.by_constant().await), (3, 5));
        assert_eq!((orders.by_parameter().await, users.by_parameter().await), (3, 5));
        let both = (orders.by_constant_of_parameter().await, users.by_constant_of_parameter().await);
        assert_eq!(both, (3, 5));
        assert_eq!((Repo::<Orders>::associated().await, Repo::<Users>::associated().await), (3, 5));
    }
}

#[tokio::test]
async fn companions_have_the_keys_of_their_types() {
    type Of<T> = Repo<T>;
    assert_eq!(Of::<Users>::by_self_key(), "types:macros_types%3A%3ARepo<macros_types%3A%3AUsers>:count");
    assert_eq!(Of::<Users>::by_constant_key(), "types:US%3AERS:count");
    assert_eq!(Of::<Users>::by_parameter_key(), "types:macros_types%3A%3AUsers:count");
    assert_eq!(Of::<Users>::by_constant_of_parameter_key(), "types:US%3AERS:counted:us%3Aers:6");
    assert_eq!(Of::<Users>::by_nothing_key(1), "types:shared:1");
    let users = Repo::<Users>(PhantomData);
    assert_eq!(users.by_self().await, 5);
    Of::<Users>::by_self_invalidate().await;
    assert_eq!(users.by_self_refresh().await, 5);
}

/// One type, whatever its lifetime: nothing has to be said of it.
struct Borrowing<'a>(&'a str);

impl Borrowing<'_> {
    #[cached(ttl = 60, key = "types:borrowing:<self.0>")]
    async fn get(&self) -> String {
        self.0.to_owned()
    }
}

impl Repo<u8, 3> {
    #[cached(ttl = 60, key = "types:concrete", skip(self))]
    async fn concrete(&self) -> u8 {
        3
    }
}

#[tokio::test]
async fn one_type_needs_no_name() {
    assert_eq!(Borrowing("x").get().await, "x");
    assert_eq!(Repo::<u8, 3>(PhantomData).concrete().await, 3);
}

trait Named: Sync {
    const NAME: u32;

    #[cached(ttl = 60, key = "types:default:<Self::NAME>", skip(self))]
    async fn by_constant(&self) -> u32 {
        Self::NAME
    }

    #[cached(ttl = 60, key = "types:default:<Self>", skip(self))]
    async fn by_name(&self) -> u32 {
        Self::NAME
    }
}

impl Named for Orders {
    const NAME: u32 = 1;
}

impl Named for Users {
    const NAME: u32 = 2;
}

#[async_trait::async_trait]
trait Boxed {
    async fn count() -> u64;
}

#[async_trait::async_trait]
impl<T: Table> Boxed for Repo<T> {
    #[cached(ttl = 60, key = "types:boxed:<T>")]
    async fn count() -> u64 {
        T::COUNT
    }
}

#[tokio::test]
async fn default_methods_tell_their_types_apart() {
    for _ in 0..2 {
        assert_eq!((Orders.by_constant().await, Users.by_constant().await), (1, 2));
        assert_eq!((Orders.by_name().await, Users.by_name().await), (1, 2));
        assert_eq!((Repo::<Orders>::count().await, Repo::<Users>::count().await), (3, 5));
    }
}

#[cached(ttl = 60, key = "types:free:<T::NAME>")]
async fn free<T: Table>() -> u64 {
    T::COUNT
}

#[cached(ttl = 60, key = "types:free:<T>:<value>")]
async fn free_by_name<T: Display + Sync>(value: &T) -> String {
    format!("{value} of {}", std::any::type_name::<T>())
}

#[tokio::test]
async fn functions_name_what_is_associated_to_their_parameters() {
    for _ in 0..2 {
        assert_eq!((free::<Orders>().await, free::<Users>().await), (3, 5));
        assert_eq!(free_by_name(&1_u8).await, "1 of u8");
        assert_eq!(free_by_name(&1_u16).await, "1 of u16");
    }
    assert_eq!(free::key::<Users>(), "types:free:US%3AERS");
}

/// What shows nothing of a value but what is in the key needs no name.
#[cached(ttl = 60, key = "types:text:<left.to_string()>:<right.to_string()>:<filter:hash>")]
async fn texts(
    left: impl ToString + Send,
    right: &(dyn ToString + Sync),
    filter: &(impl serde::Serialize + Sync),
) -> String {
    let _ = filter;
    left.to_string() + &right.to_string()
}

trait Animal: Display + Sync {
    fn kind(&self) -> &'static str;
}

impl Display for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("same")
    }
}

impl Display for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("same")
    }
}

impl Animal for Orders {
    fn kind(&self) -> &'static str {
        "orders"
    }
}

impl Animal for Users {
    fn kind(&self) -> &'static str {
        "users"
    }
}

#[cached(ttl = 60, key = "types:dyn:<animal.kind()>:<animal>", skip(other))]
async fn animals(animal: &dyn Animal, other: &dyn Animal) -> String {
    let _ = other;
    animal.kind().to_owned()
}

#[tokio::test]
async fn objects_are_told_apart_by_a_method() {
    for _ in 0..2 {
        assert_eq!(animals(&Orders, &Orders).await, "orders");
        assert_eq!(animals(&Users, &Orders).await, "users");
        assert_eq!(texts(1, &2, &3).await, "12");
        assert_eq!(texts("1", &"2", &3_i64).await, "12");
    }
}

type AnyAnimal = dyn Animal;

#[cached(ttl = 60, key = "types:alias:<animal>", cache = cache, skip(cache))]
async fn behind_an_alias(cache: &MemoryCache, animal: &AnyAnimal) -> String {
    animal.kind().to_owned()
}

#[cached(ttl = 60, key = "types:parameter:<T>:<animal>", cache = cache, skip(cache))]
async fn behind_a_parameter<T: Animal + ?Sized>(cache: &MemoryCache, animal: &T) -> String {
    animal.kind().to_owned()
}

#[cached(ttl = 60, key = "types:name:<T>", cache = cache, skip(cache, animal))]
async fn by_name_alone<T: Animal + ?Sized>(cache: &MemoryCache, animal: &T) -> String {
    animal.kind().to_owned()
}

struct Zoo<A: ?Sized>(MemoryCache, A);

impl<A: Animal + ?Sized> Zoo<A> {
    #[cached(ttl = 60, key = "types:zoo:<A>:<self.1>", cache = self.0)]
    async fn kind(&self) -> String {
        self.1.kind().to_owned()
    }
}

#[tokio::test]
async fn values_of_several_types_behind_one_name_are_not_cached() {
    larder_warnings::listen();
    let cache = MemoryCache::new(100);
    let (orders, users): (&dyn Animal, &dyn Animal) = (&Orders, &Users);
    let zoos: [Box<Zoo<dyn Animal>>; 2] =
        [Box::new(Zoo(cache.clone(), Orders)), Box::new(Zoo(cache.clone(), Users))];
    for _ in 0..2 {
        for (animal, zoo, kind) in [(orders, &zoos[0], "orders"), (users, &zoos[1], "users")] {
            assert_eq!(behind_an_alias(&cache, animal).await, kind);
            assert_eq!(behind_a_parameter(&cache, animal).await, kind);
            assert_eq!(by_name_alone(&cache, animal).await, kind);
            assert_eq!(zoo.kind().await, kind);
        }
    }
    assert_eq!((cache.stats().hits, cache.stats().refused_keys), (0, 16));
    let warnings = larder_warnings::heard(&["dyn macros_types::Animal", "are not cached"]);
    assert!(!warnings.is_empty(), "{warnings:?}");
    for _ in 0..2 {
        assert_eq!(behind_a_parameter(&cache, &Orders).await, "orders");
        assert_eq!(by_name_alone(&cache, &Users).await, "users");
        assert_eq!(Zoo(cache.clone(), Users).kind().await, "users");
    }
    assert_eq!(cache.stats().hits, 3);
}

#[cached(ttl = 60, key = "types:called:<F>", cache = cache, skip(call, cache))]
async fn called<F: Fn() -> u8 + Send>(call: F, cache: &MemoryCache) -> u8 {
    call()
}

fn one() -> u8 {
    1
}

fn two() -> u8 {
    2
}

#[tokio::test]
async fn closures_share_a_name_and_are_not_cached() {
    let cache = MemoryCache::new(10);
    for _ in 0..2 {
        assert_eq!((called(|| 3, &cache).await, called(|| 4, &cache).await), (3, 4));
        assert_eq!((called(one, &cache).await, called(two, &cache).await), (1, 2));
    }
}

#[cached(ttl = 60)]
fn unit_of(metric: u8) -> Option<&'static str> {
    (metric == 1).then_some("ms")
}

#[cached(ttl = 60, local)]
async fn label(metric: u8) -> Result<&'static str, String> {
    unit_of(metric).ok_or_else(|| metric.to_string())
}

#[tokio::test]
async fn what_stays_here_may_be_a_static_reference() {
    assert_eq!((unit_of(1), unit_of(1), unit_of(2)), (Some("ms"), Some("ms"), None));
    assert_eq!((label(1).await, label(1).await), (Ok("ms"), Ok("ms")));
}
