//! One rule, one row: values that stand and values that do not.

use std::time::Duration;

use gateway::config::{StoreUrl, TicketAlgorithm};
use gateway::credentials::CookieSecurity;
use queue_core::Timestamp;

use super::{SMALLEST, check, good, only_error};

/// What is not written has the documented default.
#[test]
fn defaults_are_those_of_the_contract() {
    let config = good(SMALLEST);
    let room = &config.rooms[0];
    let default = queue_core::Policy::new(&queue_core::PolicyDraft::default()).unwrap();
    assert_eq!(room.policy, default);
    assert_eq!((room.host.to_string().as_str(), room.path.as_str(), room.upstream), ("*", "/", 0));
    assert_eq!(room.queueing_status_code, 200);
    assert!(matches!(config.store.url, StoreUrl::Memory));
    assert_eq!(config.store.decision_timeout, Duration::from_millis(50));
    assert_eq!(config.tickets.algorithm, TicketAlgorithm::EdDsa);
    assert!(config.tickets.keys.is_empty());
    assert_eq!(config.admin.bind.to_string(), "127.0.0.1:8081");
    assert_eq!(config.listeners[0].cookies, CookieSecurity::Insecure);
    assert_eq!(config.listeners[0].limits.max_header_bytes, 16 << 10);
    assert_eq!(config.upstreams[0].endpoints[0].to_string(), "127.0.0.1:8090");
    assert!(config.telemetry.access_log);
}

/// Values of a room outside their bounds are refused, each by its own words.
#[test]
fn room_values_out_of_bounds() {
    for (line, told) in [
        ("total_active_users = 0", "at least 1"),
        ("new_users_per_minute = 0", "between 1 and"),
        ("burst = 0", "between 1 and"),
        ("max_line_length = 100_000_000", "at most"),
        ("session_duration = \"9s\"", "at least 10 s"),
        (
            "session_duration = \"31m\"",
            "max_session_duration must not be shorter|must not be shorter than session_duration",
        ),
        ("claim_window = \"119s\"", "at least 120 s"),
        ("position_retention = \"119s\"", "at least twice poll_interval.max"),
        ("poll_interval = { min = \"100ms\" }", "at least 250 ms"),
        ("poll_interval = { min = \"30s\", max = \"20s\" }", "at most poll_interval.max"),
        ("poll_interval = { minn = \"1s\" }", "did you mean \"min\"?"),
        ("token_lifetime = \"60s\"", "position_retention"),
        ("queueing_status_code = 201", "200, 202, 429 or 503"),
        ("queueing_status_code = 65536", "from 0 to 65535"),
        ("queue_all = 1", "true or false"),
        ("session_duration = \"5 parsecs\"", "with a unit"),
        ("session_duration = \"5\"", "with a unit"),
        ("session_duration = \"99999999999999999999s\"", "with a unit"),
        ("host = \"shop.example:80\"", "without port"),
        ("host = \"좌석.example\"", "xn--"),
        ("host = \"${HOST}\"", "expected \"*\""),
        ("path = \"shop\"", "must begin with a slash"),
        ("path = \"/shop/*\"", "without `*`"),
        ("path = \"/a%2fb\"", "encoded slash"),
        ("path = \"/좌석\"", "/%EC%A2%8C%EC%84%9D"),
        ("path = \"/_USHER/x\"", "gateway's own"),
        ("path = \"/_usher\"", "gateway's own"),
        ("open = [\"/a*\"]", "only at the end"),
        ("open = [\"/*/b\"]", "only at the end"),
        ("open = \"/assets/*\"", "an array"),
        ("path = \"/shop\"\nopen = [\"/assets/*\"]", "does not lie in the room's path \"/shop\""),
        ("path = \"/shop\"\nopen = [\"/shopping\"]", "does not lie"),
        ("fail_mode = \"opn\"", "did you mean \"open\"?"),
        ("max_line_length = 1.5", "found a float"),
        ("total_active_users = 99999999999999999999999999999999999999999999", "from 0 to"),
    ] {
        let message = only_error(&format!("{line}\n"));
        assert!(told.split('|').any(|told| message.contains(told)), "{line}: {message}");
    }
}

/// Values of other sections outside their bounds are refused too.
#[test]
fn other_values_out_of_bounds() {
    let limit = "[[rate_limit]]\nname = \"a\"\nscope = \"client\"\n";
    for (lines, told) in [
        ("[[rate_limit]]\nname = \"a\"\nrate_per_second = 1\nburst = 1", "missing key \"scope\""),
        (&format!("{limit}rate_per_second = 0\nburst = 1"), "must be above 0"),
        (&format!("{limit}rate_per_second = -1.5\nburst = 1"), "must be above 0"),
        (&format!("{limit}rate_per_second = nan\nburst = 1"), "must be above 0"),
        (&format!("{limit}rate_per_second = \"fast\"\nburst = 1"), "a number"),
        (&format!("{limit}rate_per_second = 1\nburst = 0"), "at least 1"),
        (&format!("{limit}rate_per_second = 1\nburst = 1\nipv6_prefix = 129"), "between 1 and 128"),
        (&format!("{limit}rate_per_second = 0.001\nburst = 4_000_000_000"), "burst is too large for the rate"),
        (&format!("{limit}rate_per_second = 1\nburst = 11\nalgorithm = \"leaky_bucket\""), "at most 10s"),
        (&format!("{limit}rate_per_second = 1\nburst = 9_999\nalgorithm = \"sliding_log\""), "more than 1 GiB"),
        (
            &format!("{limit}rate_per_second = 1\nburst = 1\nalgorithm = \"fixed_window\"\ndistributed = true"),
            "only a token_bucket can be distributed",
        ),
        (&format!("{limit}rate_per_second = 1\nburst = 1\nfail_mode = \"opn\""), "did you mean \"open\"?"),
        (&format!("{limit}rate_per_second = 1\nburst = 1\nscope_ = 1"), "did you mean \"scope\"?"),
        ("[store]\nurl = \"memry:\"", "not the URL of a store"),
        ("[store]\nconnections = 0", "between 1 and 64"),
        ("[store]\ndecision_timeout = \"1s\"", "not be longer than response_timeout"),
        ("[store]\nconnect_timeout = \"0s\"", "longer than nothing"),
        ("[admin]\nbind = \"0.0.0.0:9000\"", "without a token"),
        ("[admin]\nbind = \"127.0.0.1:8080\"", "taken by another listener"),
        ("[admin]\ntoken_file = \"nowhere\"", "cannot read"),
        ("[telemetry]\nlog_format = \"jsn\"", "did you mean \"json\"?"),
        ("[drain]\ndelay = 5", "write \"5s\"?"),
        ("[drian]\ndelay = \"5s\"", "did you mean \"drain\"?"),
        ("[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:8080\"\ninsecure_cookies = true", "taken by another listener"),
        ("[[listener]]\nname = \"public\"\nbind = \"0.0.0.0:81\"\ninsecure_cookies = true", "used twice"),
        ("[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:81\"\ntrusted_proxies = [\"0.0.0.0/0\"]", "trusts everybody"),
        ("[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:81\"\ntrusted_proxies = [\"10.0.0.0/33\"]", "a network such as"),
        ("[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:81\"\nmax_header_bytes = \"16KB\"", "KiB"),
        ("[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:81\"\nmax_header_bytes = \"1KiB\"", "at least \"8KiB\""),
        ("[[upstream]]\nname = \"booking\"\nendpoints = [\"http://127.0.0.1:1\"]", "used twice"),
        ("[[upstream]]\nname = \"b\"", "at least one endpoint"),
        ("[[upstream]]\nname = \"b\"\nendpoints = [\"http://a:1\", \"http://a:1\"]", "listed twice"),
        ("[[upstream]]\nname = \"b\"\nendpoints = [\"http://u:p@a:1\"]", "without path, query and user"),
        ("[[upstream]]\nname = \"b\"\nendpoints = [\"ftp://a:1\"]", "without path, query and user"),
        (
            "[[room]]\nname = \"other\"\nupstream = \"booking\"",
            "room \"concert\" has host \"*\" and path \"/\" already",
        ),
        ("[[room]]\nname = \"concert\"\nupstream = \"booking\"\npath = \"/x\"", "used twice"),
    ] {
        let message = only_error(&format!("{lines}\n"));
        assert!(message.contains(told), "{lines}: {message}");
    }
}

/// Two spellings of one path are one path: rooms that differ only by case or a trailing slash cannot both exist.
#[test]
fn rooms_that_guard_the_same_are_refused() {
    let room = |name, path| format!("[[room]]\nname = \"{name}\"\nupstream = \"booking\"\npath = \"{path}\"\n");
    let report = check(&format!("{SMALLEST}{}{}", room("a", "/Shop"), room("b", "/shop/")));
    assert_eq!(report.errors.len(), 1, "{report}");
    assert_eq!(report.errors[0].key, "room.b.path");
}

/// What cannot be done yet is refused plainly, never ignored.
#[test]
fn what_is_not_supported_yet_says_so() {
    for (lines, told) in [
        ("queueing_method = \"random\"", "queueing_method = \"random\" is not supported yet"),
        ("queueing_method = \"reject\"", "queueing_method = \"reject\" is not supported yet"),
        ("admission = \"adaptive\"", "admission = \"adaptive\" is not supported yet"),
        ("latency_target = \"300ms\"", "latency_target is not supported yet"),
    ] {
        assert_eq!(only_error(&format!("{lines}\n")), told);
    }
}

/// What is doubtful is told and does not stop the gateway.
#[test]
fn doubtful_values_are_warnings() {
    for (lines, key, told) in [
        ("new_users_per_minute = 6", "room.concert.new_users_per_minute", "never reached"),
        ("new_users_per_minute = 6000", "room.concert.new_users_per_minute", "the rate never limits"),
        ("session_duration = \"60s\"", "room.concert.session_duration", "before its visitor hears of it"),
        ("open = [\"/*\"]", "room.concert.open.0", "opens the whole room"),
        ("total_active_users = 5000\nnew_users_per_minute = 6000", "upstream.booking.max_connections", "5000 visitors"),
        ("[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:81\"", "listener.b", "TLS terminator"),
    ] {
        let report = check(&format!("{SMALLEST}{lines}\n"));
        assert!(report.is_usable(), "{report}");
        let found = report.warnings.iter().any(|finding| finding.key == key && finding.message.contains(told));
        assert!(found, "{lines}: {report}");
    }
}

/// Events open and close the room: the one that is on or comes next counts, and times without offset are refused.
#[test]
fn events_open_and_close_the_room() {
    let event = |name: &str, start: &str, end: &str| {
        format!("[[room.event]]\nname = \"{name}\"\nevent_start_time = {start}\n{end}\n")
    };
    let past = event("past", "\"2026-10-01T20:00:00+09:00\"", "event_end_time = \"2026-10-01T23:00:00+09:00\"");
    let next = event("next", "2026-12-01T20:00:00+09:00", "prequeue_start_time = \"2026-12-01T19:30:00+09:00\"");
    let config = good(&format!("{SMALLEST}{next}{past}"));
    let names: Vec<_> = config.rooms[0].events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["past", "next"]);
    let limits = config.rooms[0].policy.limits();
    assert_eq!(limits.opens_at, Some(Timestamp::from_secs(1_796_122_800)));
    assert_eq!(limits.closes_at, None);

    for (events, told) in [
        (event("a", "\"2026-12-01T20:00:00\"", ""), "lacks the offset"),
        (event("a", "2026-12-01T20:00:00", ""), "lacks the offset"),
        (event("a", "\"tomorrow\"", ""), "with its UTC offset"),
        (
            event("a", "\"2026-12-01T20:00:00Z\"", "event_end_time = \"2026-12-01T20:00:00Z\""),
            "later than event_start_time",
        ),
        (event("a", "\"2026-12-01T20:00:00Z\"", "prequeue_start_time = \"2026-12-02T20:00:00Z\""), "earlier than"),
        (format!("{next}{}", event("b", "\"2026-12-02T20:00:00Z\"", "")), "before \"next\" has ended"),
        (event("a", "\"2026-12-01T20:00:00Z\"", "event_stop_time = 1"), "unknown key"),
    ] {
        let message = only_error(&events);
        assert!(message.contains(told), "{events}: {message}");
    }
}
