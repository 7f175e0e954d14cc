use futures_core::Stream;

#[larder::invalidate("orders:*")]
fn import(rows: Vec<u64>) -> impl Stream<Item = u64> {
    Rows(rows)
}

struct Rows(Vec<u64>);

impl Stream for Rows {
    type Item = u64;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<u64>> {
        std::task::Poll::Ready(self.get_mut().0.pop())
    }
}

fn main() {}
