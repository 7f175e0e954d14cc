use std::collections::HashSet;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_rise_by_one_whichever_client_raises_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("source");
    let server = SourceServer::start(&path, 2).unwrap();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let source = Source::connect(&path).await.unwrap();
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..250 {
                let before = source.version(1).await;
                mine.push(source.raise(1).await);
                let after = source.version(1).await;
                assert!(before < mine[mine.len() - 1] && mine[mine.len() - 1] <= after);
            }
            mine
        }));
    }
    let mut all = HashSet::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    assert_eq!(all, (2..1_002).collect());
    let source = Source::connect(&path).await.unwrap();
    assert_eq!((source.version(0).await, source.version(1).await), (1, 1_001));

    assert_eq!((source.tell(7).await, source.tell(3).await), (7, 7));
    assert_eq!(source.phase().await, Phase::Live);
    server.set_phase(Phase::Settle);
    assert_eq!(source.phase().await, Phase::Settle);
    assert!(!server.is_done(2, Phase::Settle));
    source.done(2, Phase::Settle).await;
    assert!(server.is_done(2, Phase::Settle) && !server.is_done(2, Phase::Quiet));
}
