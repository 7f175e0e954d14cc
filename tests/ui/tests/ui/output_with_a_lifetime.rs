use std::borrow::Cow;

#[larder::cached(ttl = 60)]
async fn name(id: &str) -> Result<Option<Cow<'_, str>>, String> {
    Ok(Some(id.to_string().into()))
}

fn main() {}
