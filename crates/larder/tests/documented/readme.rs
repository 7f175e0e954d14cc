//! The blocks of README that stand without what they need around them, with it: so they are compiled, and some run. Those on
//! HTTP are in `crates/larder-http/tests/operating/readme.rs`, and in an example.

#![expect(dead_code, unused_variables, reason = "most of what README shows is only compiled")]
#![expect(clippy::print_stdout, reason = "README shows it")]

mod blocks;

use larder::CacheExt as _;

/// The blocks behind this line, each as its lines.
fn blocks<'a>(readme: &'a str, fence: &str) -> Vec<Vec<&'a str>> {
    let mut lines = readme.lines();
    let mut blocks = Vec::new();
    while lines.any(|line| line == fence) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").map(str::trim).collect());
    }
    blocks
}

/// Whether the lines of each paragraph stand there in a row. A list of attributes is shown for each of them.
fn is_there(block: &[&str], source: &str) -> bool {
    let source: Vec<&str> = source.lines().map(str::trim).collect();
    let in_a_row = |lines: &[&str]| source.windows(lines.len()).any(|there| there == lines);
    match block.iter().all(|line| line.starts_with("#[")) {
        true => block.chunks(1).all(in_a_row),
        false => block.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()).all(in_a_row),
    }
}

#[test]
fn each_block_is_compiled() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let http = read("../larder-http/tests/operating/readme.rs");
    let client = read("../../examples/api-client/src/main.rs");
    let sources = [include_str!("blocks.rs"), &http, &client].join("\n");
    let readme = read("../../README.md");
    // That of `larder-http` is no rustdoc.
    let of_http = read("../larder-http/README.md");
    let blocks = [blocks(&readme, "```rust,ignore"), blocks(&of_http, "```rust")].concat();
    assert!(blocks.len() > 7, "there are {}", blocks.len());
    for block in blocks {
        assert!(
            is_there(&block, &sources),
            "README has a block that is compiled nowhere:\n{}",
            block.join("\n")
        );
    }
}

#[tokio::test]
async fn what_a_transaction_reads_is_not_stored() {
    let _own = larder::testing::isolate();
    blocks::transactions::transaction().await.unwrap();
    assert_eq!(larder::global().stats().stores, 0);
}

#[tokio::test]
async fn a_limit_is_kept_by_hand() {
    let _own = larder::testing::isolate();
    let refused = blocks::limits::calls(200).await.unwrap_err();
    assert_eq!(refused.rate(), larder::limit::Rate::per_minute(100));
}
