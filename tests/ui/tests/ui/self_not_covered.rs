use larder::cached;

struct Repo {
    tenant: String,
}

impl Repo {
    #[cached(ttl = 300, key = "user:<id>")]
    async fn user(&self, id: u64) -> String {
        format!("user {id} of {}", self.tenant)
    }
}

fn main() {}
