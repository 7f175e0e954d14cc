use larder::cached;

trait Find {
    fn find(id: u64) -> u64;
}

struct Users;

impl Find for Users {
    #[cached(ttl = 300, key = "user:<id>", companions)]
    fn find(id: u64) -> u64 {
        id
    }
}

fn main() {}
