//! `USHER__SECTION__KEY` over the file.

use super::{Folder, SMALLEST};

const FILE: &str = "[[rate_limit]]\nname = \"per-client\"\nscope = \"client\"\nrate_per_second = 20\nburst = 40\n";

/// Any key can be overridden: in sections, in array items by name or index, in tables inside tables, in arrays.
#[test]
fn variables_win_over_the_file() {
    let report = Folder::with(&format!("{SMALLEST}{FILE}")).check(&[
        ("USHER__STORE__URL", "redis://127.0.0.1:6379/3"),
        ("USHER__STORE__RESPONSE_TIMEOUT", "100ms"),
        ("USHER__ROOM__CONCERT__TOTAL_ACTIVE_USERS", "50"),
        ("USHER__ROOM__0__POLL_INTERVAL__MAX", "30s"),
        ("USHER__ROOM__CONCERT__OPEN", "[\"/a/*\", \"/b\"]"),
        ("USHER__LISTENER__PUBLIC__BIND", "127.0.0.1:80"),
        ("USHER__LISTENER__PUBLIC__INSECURE_COOKIES", "false"),
        ("USHER__UPSTREAM__BOOKING__ENDPOINTS__0", "http://10.1.1.1:9000"),
        ("USHER__RATE_LIMIT__PER_CLIENT__BURST", "7"),
        ("USHER__TICKETS__ALGORITHM", "HS256"),
        ("USHER_OTHER", "not ours"),
        ("PATH", "/bin"),
    ]);
    // A shared store demands a key, which is not what this test is about.
    let messages: Vec<_> = report.errors.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(messages.len(), 1, "{report}");
    assert!(messages[0].starts_with("missing [[tickets.key]]"), "{report}");

    let report = Folder::with(&format!("{SMALLEST}{FILE}")).check(&[
        ("USHER__ROOM__CONCERT__TOTAL_ACTIVE_USERS", "50"),
        ("USHER__ROOM__0__POLL_INTERVAL__MAX", "30s"),
        ("USHER__ROOM__CONCERT__OPEN", "[\"/a/*\", \"/b\"]"),
        ("USHER__LISTENER__PUBLIC__BIND", "127.0.0.1:80"),
        ("USHER__UPSTREAM__BOOKING__ENDPOINTS__0", "http://10.1.1.1:9000"),
        ("USHER__RATE_LIMIT__PER_CLIENT__BURST", "7"),
        ("USHER__TICKETS__ISSUER", "123"),
    ]);
    let config = report.config.unwrap();
    assert_eq!(config.rooms[0].policy.limits().total_active_users, 50);
    assert_eq!(config.rooms[0].policy.poll_interval().max.as_secs(), 30);
    assert_eq!(config.rooms[0].open.len(), 2);
    assert_eq!(config.listeners[0].bind.port(), 80);
    assert_eq!(config.upstreams[0].endpoints[0].to_string(), "10.1.1.1:9000");
    assert_eq!(config.rate_limits[0].rule.quota().burst(), 7);
    assert_eq!(config.tickets.issuer, "123", "a string stays one even when it looks like a number");
}

/// A slip in a variable is told like one in the file, by the variable's name.
#[test]
fn wrong_variables_are_told() {
    for (name, value, told) in [
        ("USHER__ROOM__CONCRT__BURST", "1", "there is no room \"concrt\"; known: concert, or an index from 0"),
        ("USHER__ROOM__1__BURST", "1", "there is no room \"1\""),
        ("USHER__ROOM__CONCERT__BURTS", "1", "unknown key \"burts\" in [[room]]; did you mean \"burst\"?"),
        ("USHER__ROOM__CONCERT__BURST", "many", "found a string"),
        ("USHER__ROOM__CONCERT__BURST__X", "1", "burst is not a section but"),
        ("USHER__STOER__URL", "memory:", "unknown key \"stoer\" in the file; did you mean \"store\"?"),
        ("USHER__STORE", "memory:", "expected a table, [store], found a string"),
        ("USHER__", "x", "must be written USHER__SECTION__KEY"),
    ] {
        let report = Folder::with(&format!("{}burst = 3\n", SMALLEST)).check(&[(name, value)]);
        assert_eq!(report.errors.len(), 1, "{name}: {report}");
        let shown = report.errors[0].to_string();
        assert!(shown.starts_with(&format!("error: environment variable {name}: ")), "{shown}");
        assert!(shown.contains(told), "{name}: {shown}");
    }
}
