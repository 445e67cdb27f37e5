//! Which room guards what: closed by default, the nearest room wins, the gateway's own paths are everywhere.

use gateway::canonical;
use gateway::route::{HostPattern, OpenPattern, Reserved, RoomIndex, RoomPath, RoomRoute, Route, Router};
use queue_core::RoomId;

fn room(name: &str, host: &str, path: &str, open: &[&str]) -> RoomRoute {
    RoomRoute {
        id: RoomId::new(name).unwrap(),
        host: HostPattern::parse(host).unwrap(),
        path: RoomPath::parse(path).unwrap(),
        open: open.iter().map(|pattern| OpenPattern::parse(pattern).unwrap()).collect(),
    }
}

fn route(router: &Router, host: &str, path: &str) -> Route {
    router.route(host, &canonical::path(path).unwrap())
}

fn index(index: usize) -> RoomIndex {
    RoomIndex::new(index).unwrap()
}

/// An exact host beats `*`, then the longest path wins; what an exact host does not have, `*` may.
#[test]
fn the_nearest_room_wins() {
    let router = Router::new([
        room("any", "*", "/", &[]),
        room("any-deep", "*", "/shop/vip/lounge", &[]),
        room("shop", "shop.example", "/shop", &["/shop/assets/*"]),
        room("vip", "shop.example", "/shop/VIP", &[]),
    ]);
    for (host, path, expected) in [
        ("shop.example", "/shop", Route::Guarded(index(2))),
        ("shop.example", "/shop/", Route::Guarded(index(2))),
        ("shop.example", "/SHOP/x", Route::Guarded(index(2))),
        ("shop.example", "/shop/vip/lounge", Route::Guarded(index(3))),
        ("shop.example", "/shop/viper", Route::Guarded(index(2))),
        ("shop.example", "/shopping", Route::Guarded(index(0))),
        ("shop.example", "/", Route::Guarded(index(0))),
        ("other.example", "/shop", Route::Guarded(index(0))),
        ("other.example", "/shop/vip/lounge/x", Route::Guarded(index(1))),
        ("shop.example", "/shop/assets/a.js", Route::Open(index(2))),
        ("other.example", "/shop/assets/a.js", Route::Guarded(index(0))),
    ] {
        assert_eq!(route(&router, host, path), expected, "{host}{path}");
    }
}

/// Open is exactly what is listed: in its case, as a whole segment, under the slash.
#[test]
fn open_is_what_is_listed() {
    let router = Router::new([room("a", "*", "/", &["/favicon.ico", "/assets/*", "/%EC%A2%8C/*"])]);
    for (path, open) in [
        ("/favicon.ico", true),
        ("/favicon.ico/", false),
        ("/favicon.ico2", false),
        ("/Favicon.ico", false),
        ("/assets/", true),
        ("/assets/a/b/c", true),
        ("/assets", false),
        ("/assets2/x", false),
        ("/ASSETS/x", false),
        ("/assets/../x", false),
        ("/%61ssets/x", true),
        ("/%ec%a2%8c/x", true),
        ("/%ec%a2%8d/x", false),
    ] {
        let expected = if open { Route::Open(index(0)) } else { Route::Guarded(index(0)) };
        assert_eq!(route(&router, "h", path), expected, "{path}");
    }
}

/// Case is ignored beyond ASCII too, look-alikes that some system folds included.
#[test]
fn guarding_ignores_case_of_every_script() {
    let router =
        Router::new([room("a", "*", "/caf%C3%A9", &[]), room("b", "*", "/kiosk", &[]), room("c", "*", "/shop", &[])]);
    for (path, expected) in [
        ("/caf%C3%89/x", Route::Guarded(index(0))),
        ("/CAF%C3%A9", Route::Guarded(index(0))),
        ("/caf%C3%A9s", Route::UnknownPath),
        ("/%E2%84%AAiosk", Route::Guarded(index(1))),
        ("/%C5%BFhop", Route::Guarded(index(2))),
        ("/shop%20", Route::UnknownPath),
        ("/shop/%20", Route::Guarded(index(2))),
    ] {
        assert_eq!(route(&router, "h", path), expected, "{path}");
    }
}

/// Hosts that no room has are told apart from paths that no room has.
#[test]
fn unknown_hosts_and_paths() {
    let router = Router::new([room("a", "a.example", "/shop", &[])]);
    assert_eq!(route(&router, "b.example", "/shop"), Route::UnknownHost);
    assert_eq!(route(&router, "a.example", "/"), Route::UnknownPath);
    assert_eq!(route(&router, "b.example", "/_usher/jwks.json"), Route::Reserved(Reserved::Jwks));
}

/// The gateway's own paths answer on every host, know the rooms, and nothing under the prefix reaches an upstream.
#[test]
fn reserved_paths() {
    let router = Router::new([room("concert", "a.example", "/", &[]), room("vip", "*", "/", &["/*"])]);
    for (path, expected) in [
        ("/_usher/concert/join", Reserved::Join(index(0))),
        ("/_usher/vip/position", Reserved::Position(index(1))),
        ("/_usher/vip/leave", Reserved::Leave(index(1))),
        ("/_usher/vip/events", Reserved::Events(index(1))),
        ("/_usher/vip/draw", Reserved::Draw(index(1))),
        ("/_usher/vip", Reserved::State(index(1))),
        ("/_usher/jwks.json", Reserved::Jwks),
        ("/x/../_usher//vip", Reserved::State(index(1))),
        ("/_usher", Reserved::Unknown),
        ("/_usher/", Reserved::Unknown),
        ("/_usher/vip/", Reserved::Unknown),
        ("/_usher/vip/join/x", Reserved::Unknown),
        ("/_usher/VIP/join", Reserved::Unknown),
        ("/_usher/nobody/join", Reserved::Unknown),
        ("/_usher/jwks.json/x", Reserved::Unknown),
        ("/_USHER/nothing", Reserved::Unknown),
    ] {
        assert_eq!(route(&router, "b.example", path), Route::Reserved(expected), "{path}");
    }
    assert_eq!(route(&router, "b.example", "/_usherx/vip"), Route::Open(index(1)));
}
