trait Id: std::fmt::Display + Sync {
    fn table(&self) -> &str;
}

#[larder::cached(ttl = 300, key = "row:<id>")]
async fn row(id: &dyn Id) -> String {
    id.table().to_owned()
}

fn main() {}
