//! Runs an operation, of which the number is given, so many times; without arguments, writes the nanoseconds that each
//! one takes.

use std::env;

use larder_benches::operations::{OPERATIONS, times};

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match &*arguments {
        [index, times] => {
            let operation = usize::try_from(number(index)).ok().and_then(|index| OPERATIONS.get(index));
            (operation.expect("the number of an operation").prepare)()(number(times));
        }
        _ => times().iter().for_each(|time| println!("{time}")),
    }
}
