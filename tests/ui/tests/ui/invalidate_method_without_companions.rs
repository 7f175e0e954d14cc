use larder::{cached, invalidate};

struct Users;

impl Users {
    #[cached(ttl = 60, key = "user:<id>", skip(self))]
    async fn user(&self, id: u64) -> u64 {
        id
    }

    #[invalidate(self.user(id))]
    async fn rename(&self, id: u64) {}
}

fn main() {}
