//! The model of the one rule, searched to its end: all rules hold, each mutant is caught.
//!
//! A failure prints the shortest way to it. `LARDER_SOAK=1` searches deeper, for minutes to hours:
//! `LARDER_SOAK=1 cargo test -p larder-model --test model`.

#![expect(clippy::print_stdout, reason = "shown on failure and with --nocapture")]

use larder_model::config::Config;
use larder_model::configs;
use larder_model::mutant::Mutant;
use larder_model::search::{Outcome, search};

/// Room for the largest configuration, and an end for one whose bounds are a mistake.
const MOST: usize = 5_000_000;

/// Bounds the memory: what is beyond is left out, and the output says so.
const MOST_IN_SOAK: usize = 40_000_000;

fn holds(config: &Config) {
    let Outcome { states, complete, unseen, breach } = search(config, None, MOST);
    println!("{}: {states} states", config.name);
    if let Some(trace) = breach {
        panic!("{trace}");
    }
    assert!(complete, "not searched to its end");
    assert!(!config.expects.is_empty(), "nothing is expected");
    assert!(unseen.is_empty(), "the search proves nothing about {unseen:?}");
}

fn holds_deeper(config: &Config) {
    if std::env::var_os("LARDER_SOAK").is_none() {
        return;
    }
    for deeper in config.deeper() {
        let outcome = search(&deeper, None, MOST_IN_SOAK);
        let end = if outcome.complete { "all" } else { "the first" };
        println!(
            "{}: {end} {} states with {} computations, {} invalidations, {:?}",
            config.name, outcome.states, deeper.computations, deeper.invalidations, deeper.faults
        );
        if let Some(trace) = outcome.breach {
            panic!("{trace}");
        }
    }
}

fn is_caught(mutant: Mutant) {
    let config = configs::catches(mutant);
    assert!(
        configs::EVERY.iter().any(|every| every.name == config.name),
        "{} is not searched with all rules",
        config.name
    );
    let outcome = search(&config, Some(mutant), MOST);
    let trace = outcome.breach.unwrap_or_else(|| panic!("{} was not caught", mutant.text()));
    println!("{trace}");
}

/// A test for each configuration; one that is missing here fails `every_config_has_a_test`.
macro_rules! configs {
    ($( $test:ident: $config:ident, )+) => {
        mod holds {
            $(
                #[test]
                fn $test() {
                    super::holds(&super::configs::$config);
                    super::holds_deeper(&super::configs::$config);
                }
            )+
        }

        #[test]
        fn every_config_has_a_test() {
            let tested = [$( configs::$config.name, )+];
            for config in configs::EVERY {
                assert!(tested.contains(&config.name), "{} has no test", config.name);
            }
        }
    };
}

configs! {
    hits: HITS,
    appliers: APPLIERS,
    computations: COMPUTATIONS,
    shared_computations: SHARED_COMPUTATIONS,
    dependent_computations: DEPENDENT_COMPUTATIONS,
    dependencies: DEPENDENCIES,
    missing_dependencies: MISSING_DEPENDENCIES,
    shared_dependencies: SHARED_DEPENDENCIES,
    shared_misses: SHARED_MISSES,
    renewals: RENEWALS,
    shared_renewals: SHARED_RENEWALS,
    inserts: INSERTS,
    shown_inserts: SHOWN_INSERTS,
    shared_inserts: SHARED_INSERTS,
    late_records: LATE_RECORDS,
    judgement: JUDGEMENT,
    promotion: PROMOTION,
    writes: WRITES,
    position: POSITION,
    outbox: OUTBOX,
    replies: REPLIES,
    trims: TRIMS,
    losses: LOSSES,
    losses_in_a_row: LOSSES_IN_A_ROW,
    falling_losses: FALLING_LOSSES,
    put_back: PUT_BACK,
    restarts: RESTARTS,
    trimmed_restarts: TRIMMED_RESTARTS,
    clears: CLEARS,
    starts: STARTS,
    mutual_trims: MUTUAL_TRIMS,
    lost_starts: LOST_STARTS,
    lost_inserts: LOST_INSERTS,
    drops: DROPS,
    bypass: BYPASS,
    bypass_judgement: BYPASS_JUDGEMENT,
    failover: FAILOVER,
    failover_starts: FAILOVER_STARTS,
    forgotten_failover: FORGOTTEN_FAILOVER,
    falling_failover: FALLING_FAILOVER,
    falling_cluster: FALLING_CLUSTER,
}

/// A test for each mutant; one that is missing here does not compile.
macro_rules! mutants {
    ($( $test:ident: $mutant:ident, )+) => {
        mod caught {
            $(
                #[test]
                fn $test() {
                    super::is_caught(super::Mutant::$mutant);
                }
            )+
        }

        const _: fn(Mutant) = |mutant| match mutant {
            $( Mutant::$mutant => {} )+
        };
    };
}

mutants! {
    stamp_after_computation: StampAfterComputation,
    now_before_slots: NowBeforeSlots,
    position_before_slots: PositionBeforeSlots,
    two_appliers: TwoAppliers,
    stamp_moved_to_later_now: StampMovedToLaterNow,
    promotion_stamped_at_insertion: PromotionStampedAtInsertion,
    promotion_without_check: PromotionWithoutCheck,
    contact_asked_after_look: ContactAskedAfterLook,
    contact_asked_after_judging: ContactAskedAfterJudging,
    promotion_takes_later_epoch: PromotionTakesLaterEpoch,
    outbox_not_looked_at_again: OutboxNotLookedAtAgain,
    slots_not_looked_at_again: SlotsNotLookedAtAgain,
    outbox_not_looked_at: OutboxNotLookedAt,
    slots_looked_at_first: SlotsLookedAtFirst,
    no_dependencies: NoDependencies,
    misses_not_recorded: MissesNotRecorded,
    previous_not_judged: PreviousNotJudged,
    previous_not_recorded: PreviousNotRecorded,
    join_any_computation: JoinAnyComputation,
    own_scopes_only: OwnScopesOnly,
    no_trim_check: NoTrimCheck,
    own_reply_moves_position: OwnReplyMovesPosition,
    older_reply_empties_outbox: OlderReplyEmptiesOutbox,
    older_echo_empties_outbox: OlderEchoEmptiesOutbox,
    no_floor_at_start: NoFloorAtStart,
    no_floor_after_trim: NoFloorAfterTrim,
    lost_log_taken_for_quiet: LostLogTakenForQuiet,
    backward_read_lowers_reset: BackwardReadLowersReset,
    floor_without_local_change: FloorWithoutLocalChange,
    reset_at_servers_id: ResetAtServersId,
    insert_stamped_at_end: InsertStampedAtEnd,
    placed_after_change: PlacedAfterChange,
    no_look_after_begin: NoLookAfterBegin,
    older_takes_place: OlderTakesPlace,
    stamp_moved_down: StampMovedDown,
    outbox_after_local_change: OutboxAfterLocalChange,
    append_before_local_change: AppendBeforeLocalChange,
    replica_not_noticed: ReplicaNotNoticed,
    not_appended_again: NotAppendedAgain,
    replica_taken_for_whole: ReplicaTakenForWhole,
    no_leap_after_start: NoLeapAfterStart,
    set_back_not_noticed: SetBackNotNoticed,
    named_not_missed: NamedNotMissed,
}

/// Without a log: see `larder_model::generations`.
mod generations {
    use larder_model::generations::{CONFIGURATIONS, DEEPER, Mutant, Search};

    #[test]
    fn no_order_makes_a_read_stale() {
        let deeper = std::env::var_os("LARDER_SOAK").map(|_| DEEPER);
        for left in CONFIGURATIONS.into_iter().chain(deeper.into_iter().flatten()) {
            let search = Search::run(None, left);
            println!("{left:?}: {} states, {} reads accepted", search.states(), search.accepted);
            assert!(search.stale.is_none(), "{:#?}", search.stale);
            assert!(search.accepted > 0, "the search proves nothing");
        }
    }

    #[test]
    fn what_is_left_out_is_caught() {
        for mutant in Mutant::ALL {
            let caught = CONFIGURATIONS.iter().any(|left| Search::run(Some(mutant), *left).stale.is_some());
            assert!(caught, "{mutant:?} makes no read stale");
        }
    }
}
