//! Every fault there is, and what is right all the same.

use std::thread;
use std::time::Duration;

use larder_tests::history::clock::SECOND;
use larder_tests::history::config::Mode;
use larder_tests::history::faults::Fault;

use crate::{BYPASS, assert_holds, report, scenario, soak};

/// Long enough for several faults of the slower kinds.
const SHORT: Duration = Duration::from_secs(5);

fn holds(fault: Fault) {
    match soak() {
        None => holds_for(fault, [Mode::Serve, BYPASS, Mode::Serve], SHORT),
        Some(lasts) => thread::scope(|scope| {
            for mode in [Mode::Serve, BYPASS] {
                scope.spawn(move || holds_for(fault, [mode; 3], lasts));
            }
        }),
    }
}

fn holds_for(fault: Fault, modes: [Mode; 3], lasts: Duration) {
    let report = report(&scenario(fault, modes, lasts));
    assert_holds(&report);
    assert!(report.from_cache > 500 && report.delivered > 100, "too little happened to prove anything");
    assert!(report.from_others > 100, "too little was shared to prove anything");
    if fault == Fault::Nothing {
        assert!(report.tally.from_disk > 5, "too little was found on disk to prove anything");
    }
    if !fault.lasts() {
        assert!(report.usual_out_of_touch < SECOND / 4, "who is never in touch promises nothing");
        assert!(report.delivered > report.changes / 2, "too little was delivered to prove anything");
    }
}

/// A test for each fault; one that is missing here fails `every_fault_has_a_test`.
macro_rules! faults {
    ($( $test:ident: $fault:ident, )+) => {
        $(
            #[test]
            fn $test() {
                holds(Fault::$fault);
            }
        )+

        #[test]
        fn every_fault_has_a_test() {
            let tested = [$( Fault::$fault, )+];
            for fault in Fault::ALL {
                assert!(tested.contains(&fault), "{fault:?} has no test");
            }
        }
    };
}

faults! {
    nothing_happens: Nothing,
    the_server_restarts_with_its_data: RestartKept,
    the_server_restarts_with_nothing: RestartLost,
    everything_is_deleted: Flush,
    the_log_is_deleted: DeleteLog,
    the_log_is_trimmed: TrimLog,
    all_connections_are_closed: KillClients,
    the_server_is_stopped: StopServer,
    a_process_is_stopped: StopWorker,
    a_process_is_killed: KillWorker,
    a_link_is_slow: Delay,
    a_link_is_cut: Cut,
    a_link_is_half_closed: HalfClose,
    a_link_is_a_black_hole: BlackHole,
    a_link_is_throttled: Throttle,
    the_server_is_gone_for_long: LongOutage,
    a_subscriber_panics: PanickingSubscriber,
    everything_happens: Everything,
    a_replica_takes_over_in_good_order: ClusterFailover,
    the_master_of_the_log_is_killed: ClusterMasterKilled,
    the_log_moves_to_another_master: MoveLog,
    sentinels_change_the_master: SentinelFailover,
    the_master_of_the_sentinels_is_killed: SentinelMasterKilled,
    a_replica_lags: LaggingReplica,
}
