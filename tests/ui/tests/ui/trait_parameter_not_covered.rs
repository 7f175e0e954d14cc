trait Repo<T, const N: usize> {
    fn count(&self, id: u64) -> u64;
}

struct Db;

impl<T, const N: usize> Repo<T, N> for Db {
    #[larder::cached(ttl = 300, key = "<Self>:<id>", skip(self))]
    fn count(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
