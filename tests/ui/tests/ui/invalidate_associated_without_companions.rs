use larder::invalidate;

struct Users;

impl Users {
    fn user(id: u64) -> u64 {
        id
    }
}

#[invalidate(Users::user(id))]
async fn rename(id: u64) -> u64 {
    Users::user(id)
}

fn main() {}
