use std::path::Path;

#[larder::cached(ttl = 300, key = "file:<path.display()>")]
async fn size(path: &Path) -> u64 {
    path.as_os_str().len() as u64
}

fn main() {}
