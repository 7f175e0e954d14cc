use larder::cached;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct User;

struct Users;

impl Users {
    #[cached(ttl = 300, key = "user:<id>", negative_ttl = 10, skip(self))]
    async fn user(&self, id: u64) -> Result<User, String> {
        Err(format!("{id} is not found"))
    }
}

fn main() {}
