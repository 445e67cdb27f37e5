//! One suite of behaviours that every store passes: each is told once and run on memory and on a real Redis; those
//! about a loss on a real Redis Cluster too.

mod claiming;
mod fence;
mod following;
mod joining;
mod loss;
mod rules;
mod sessions;
mod turns;

use crate::support::world::World;

/// Instantiates behaviours for every backend.
macro_rules! on_every_store {
    ($($group:ident: [$($behaviour:ident),+ $(,)?])+) => {
        mod memory {
            use super::World;
            $(mod $group {
                use super::World;
                $(#[tokio::test]
                async fn $behaviour() {
                    super::super::$group::$behaviour(World::on_memory()).await;
                })+
            })+
        }
        mod redis {
            use super::World;
            $(mod $group {
                use super::World;
                $(#[tokio::test]
                async fn $behaviour() {
                    if let Some(world) = World::on_redis() {
                        super::super::$group::$behaviour(world).await;
                    }
                })+
            })+
        }
    };
}

/// Instantiates behaviours for a Redis Cluster, of which one node keeps the room.
macro_rules! on_a_cluster {
    ($($group:ident: [$($behaviour:ident),+ $(,)?])+) => {
        mod cluster {
            use super::World;
            $(mod $group {
                use super::World;
                $(#[tokio::test]
                async fn $behaviour() {
                    if let Some(world) = World::on_cluster().await {
                        super::super::$group::$behaviour(world).await;
                    }
                })+
            })+
        }
    };
}

// What a loss needs of its store (merging, hearing, collecting) beyond what every room needs; the way to a cluster's nodes
// itself is tested with the topologies.
on_a_cluster! {
    loss: [
        a_wiped_store_is_healed,
        unknown_sessions_count,
        two_memories_make_one,
        a_lagging_store_goes_on,
        a_token_proves_its_place,
        an_old_token_holds_nobody_up,
        arrivals_are_collected_in_order,
        the_silent_leave_and_the_heard_stay,
        nobody_is_swept_past_a_gateway_that_has_not_told,
        an_unconfirmed_session_costs_no_place,
        a_session_that_another_ended_is_not_told,
    ]
}

on_every_store! {
    joining: [
        places_are_dense_and_in_order,
        joining_again_is_the_same_place,
        a_visitor_twice_in_one_call_is_one_visitor,
        an_empty_line_with_room_lets_straight_in,
        straight_entry_stops_at_the_cohort_and_at_the_rate,
        nobody_overtakes_a_waiting_line,
        a_full_line_says_so,
        a_closed_room_says_so,
        before_the_opening_everybody_waits,
        a_paused_room_takes_joins_and_admits_nobody,
        queue_all_admits_nobody,
        binary_ids_survive,
        a_call_without_items_does_nothing,
    ]
    claiming: [
        a_claim_is_answered_once_and_for_all,
        a_place_not_called_is_told_so,
        a_place_never_given_is_unknown,
        the_cohort_is_never_exceeded,
        the_rate_says_exactly_when,
        a_batch_is_served_in_order,
        closed_paused_and_early_rooms_refuse,
        whoever_leaves_is_gone_for_good,
        a_returning_place_replaces_a_second_one,
    ]
    turns: [
        a_silent_called_place_leaves_and_comes_back,
        a_heard_place_is_not_swept,
        an_absence_is_no_silence,
        a_called_place_reserves_while_heard,
        an_unclaimed_slot_is_missed_after_the_window,
        the_window_rests_while_no_slot_is_offered,
        stale_decisions_change_nothing,
        the_frontier_never_moves_back,
        those_who_left_are_not_called,
        many_silent_places_leave_in_bounded_sweeps,
    ]
    sessions: [
        renewal_is_bounded,
        renewal_never_shortens,
        a_session_counts_through_its_leeway,
        an_ended_session_frees_its_slot_at_once,
        ending_reaches_followers_and_is_forgotten_in_time,
        expired_sessions_are_swept,
        a_returning_visitor_has_one_session,
    ]
    rules: [
        the_newest_config_wins,
        an_operator_outlives_configs_until_reset,
        the_same_limits_are_not_a_change,
        the_later_of_two_words_wins,
        new_limits_keep_the_fill,
        opening_again_keeps_the_room,
    ]
    following: [
        changes_lead_to_the_whole,
        a_gap_is_answered_with_the_whole,
        nothing_new_is_no_change,
        a_place_beyond_the_first_chunk,
    ]
    fence: [
        a_store_behind_its_caller_refuses,
        an_absent_room_is_absent,
        a_lost_room_is_not_begun_unasked,
        a_late_call_does_nothing,
        a_forward_jump_is_clamped,
        a_backward_jump_changes_nothing,
        slow_callers_do_not_lose_time,
        a_caller_left_behind_finds_back,
    ]
    loss: [
        a_wiped_store_is_healed,
        unknown_sessions_count,
        two_memories_make_one,
        a_lagging_store_goes_on,
        a_token_proves_its_place,
        an_old_token_holds_nobody_up,
        a_hold_outlasts_an_absence,
        arrivals_are_collected_in_order,
        the_silent_leave_and_the_heard_stay,
        nobody_is_swept_past_a_gateway_that_has_not_told,
        an_unconfirmed_session_costs_no_place,
        a_session_that_another_ended_is_not_told,
    ]
}
