use larder_servers::MemcachedServer;

use super::*;

async fn connection(server: &MemcachedServer) -> Connection {
    Connection::open(&server.address().to_string(), Duration::from_secs(30)).await.unwrap()
}

async fn get(connection: &mut Connection, names: &[String]) -> Vec<Item> {
    let mut items = Vec::new();
    connection.get(names, &mut items).await.unwrap();
    items
}

async fn set(connection: &mut Connection, all: &[Storing<'_>]) -> Vec<bool> {
    let mut stored = Vec::new();
    connection.set(all, &mut stored).await.unwrap();
    stored
}

fn storing<'a>(name: &'a str, data: &'a [u8]) -> Storing<'a> {
    Storing { name, flags: 7, expires: 0, data }
}

/// More than goes out at once, and than fits between two ends of a connection.
#[tokio::test(flavor = "multi_thread")]
async fn many_items_go_and_come() {
    let server = MemcachedServer::start();
    let mut connection = connection(&server).await;
    let names: Vec<_> = (0..3_000).map(|n| format!("{n}:{}", "n".repeat(n % 240))).collect();
    let data: Vec<Vec<u8>> = (0..3_000).map(|n| vec![b'\n'; n * 2]).collect();
    let all: Vec<_> = names.iter().zip(&data).map(|(name, data)| storing(name, data)).collect();
    assert!(set(&mut connection, &all).await == [true; 3_000]);
    let mut items = get(&mut connection, &names).await;
    items.sort_by_key(|item| item.data.len());
    assert_eq!(items.len(), 3_000);
    for ((item, name), data) in items.iter().zip(&names).zip(&data) {
        assert!(item.name == *name && item.data == *data && item.flags == 7 && item.cas > 0);
    }
    connection.delete(&names).await.unwrap();
    assert!(get(&mut connection, &names).await.is_empty() && connection.is_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_is_not_replaced() {
    let server = MemcachedServer::start();
    let (mut one, mut other) = (connection(&server).await, connection(&server).await);
    let read = one.add_and_get(&[storing("k", b"-")]).await.unwrap();
    assert_eq!(one.add_and_get(&[storing("k", b"+")]).await.unwrap(), read, "it is there");
    for change in ["delete", "set", "add"] {
        let cas = get(&mut one, &["k".to_owned()]).await[0].cas;
        match change {
            "delete" => other.delete(&["k".to_owned()]).await.unwrap(),
            "set" => assert_eq!(set(&mut other, &[storing("k", b"-")]).await, [true]),
            _ => {
                other.delete(&["k".to_owned()]).await.unwrap();
                assert!(other.add(&storing("k", b"-")).await.unwrap());
            }
        }
        assert_eq!(one.compare_and_set(&[(storing("k", b"1"), cas)]).await.unwrap(), [false], "{change}");
        one.add(&storing("k", b"-")).await.unwrap();
    }
    let cas = get(&mut one, &["k".to_owned()]).await[0].cas;
    assert_eq!(one.compare_and_set(&[(storing("k", b"1"), cas)]).await.unwrap(), [true]);
    assert_eq!(one.increment_and_get("k").await.unwrap().unwrap().data, b"2");
    assert_eq!(one.increment_and_get("k").await.unwrap().unwrap().flags, 7, "they stay");
    assert_eq!(one.increment_and_get("other").await.unwrap(), None);
}

#[test]
fn a_line_that_makes_no_sense_is_no_item() {
    assert_eq!(item(b"VALUE k 7 3 12").unwrap().1, 3);
    for wrong in [
        "VALUE k 7 3",
        "VALUE k 7 3 12 1",
        "VALU k 7 3 12",
        "VALUE k -1 3 12",
        "VALUE k 7 18446744073709551615 12",
        "VALUE k 7 999999999999 12",
        "VALUE  7 x 12",
        "",
        "SERVER_ERROR out of memory",
    ] {
        assert!(item(wrong.as_bytes()).is_none(), "{wrong:?}");
    }
}
