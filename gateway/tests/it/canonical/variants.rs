//! Tens of thousands of spellings of guarded paths: none is taken for open, and one reading is the last.

use std::cell::Cell;

use gateway::canonical::path;
use gateway::route::{HostPattern, OpenPattern, RoomPath, RoomRoute, Route, Router};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use queue_core::RoomId;

fn room(name: &str, path: &str, open: &[&str]) -> RoomRoute {
    RoomRoute {
        id: RoomId::new(name).unwrap(),
        host: HostPattern::Any,
        path: RoomPath::parse(path).unwrap(),
        open: open.iter().map(|pattern| OpenPattern::parse(pattern).unwrap()).collect(),
    }
}

fn router() -> Router {
    Router::new([
        room("site", "/", &["/assets/*", "/favicon.ico", "/v1/orders/*"]),
        room("shop", "/shop", &["/shop/public/*"]),
    ])
}

/// A house whose doors are all open but one.
fn open_house() -> Router {
    Router::new([room("site", "/", &["/*"]), room("shop", "/shop", &[])])
}

/// What the upstream serves only to those with a ticket.
const GUARDED: [&str; 7] =
    ["/shop", "/shop/buy", "/v1/holds", "/", "/admin/x.html", "/v1/order", "/shop/%EC%A2%8C%EC%84%9D"];
/// Where a spelling may start out, to lead elsewhere.
const DECOYS: [&str; 7] =
    ["/assets", "/assets/a/b", "/favicon.ico", "/v1/orders", "/shop/public", "/shop/public/x", ""];
/// Ways up, as all kinds of servers read them.
const UPS: [&str; 14] = [
    "/..",
    "/%2e%2e",
    "/.%2E",
    "/%2e.",
    "\\..",
    "/..\\",
    "%2f..",
    "%5c..",
    "/..;x=1",
    "/..%00",
    "/%c0%ae%c0%ae",
    "/%252e%252e",
    "/.%u002e",
    "/..%3b",
];
/// What does not change the meaning for some server.
const NOISE: [&str; 12] =
    ["/", "/.", "/%2e", "//", "/x/..", "/x/%2e%2e", "/;a", "/%20/..", "/.;/", "\\", "%2f", "/%2F"];

#[derive(Clone, Debug)]
struct Spelling {
    guarded: usize,
    decoy: usize,
    ups: Vec<usize>,
    noise: Vec<(usize, usize)>,
    /// For each byte: leave, encode in upper case, in lower case, change case, encode twice.
    bytes: Vec<u8>,
    tail: usize,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    (
        0..GUARDED.len(),
        0..DECOYS.len(),
        // Mostly ways up that every server knows, or hardly any spelling would be read to its end.
        prop::collection::vec(prop_oneof![5 => 0..4_usize, 1 => 0..UPS.len()], 3..6),
        prop::collection::vec((0..NOISE.len(), 0_usize..12), 0..3),
        prop::collection::vec(prop_oneof![6 => Just(0_u8), 1 => 1_u8..5], 24),
        0_usize..6,
    )
        .prop_map(|(guarded, decoy, ups, noise, bytes, tail)| Spelling { guarded, decoy, ups, noise, bytes, tail })
}

impl Spelling {
    /// As many ways up as the decoy is deep, or more, then the guarded path, with noise at slashes.
    fn text(&self) -> String {
        let decoy = DECOYS[self.decoy];
        let mut text = decoy.to_owned();
        if !decoy.is_empty() {
            for up in &self.ups {
                text.push_str(UPS[*up]);
            }
        }
        let target = GUARDED[self.guarded];
        let segments = target.split('/').skip(1).enumerate();
        let mut bytes = self.bytes.iter().cycle();
        for (index, segment) in segments {
            for (noise, at) in &self.noise {
                if *at == index {
                    text.push_str(NOISE[*noise]);
                }
            }
            text.push('/');
            for (byte, how) in segment.bytes().zip(&mut bytes) {
                // What is percent-encoded in the path already stays as it is.
                match (how, byte) {
                    (_, b'%') | (0, _) => text.push(char::from(byte)),
                    _ if segment.contains('%') => text.push(char::from(byte)),
                    (1, _) => text.push_str(&format!("%{byte:02X}")),
                    (2, _) => text.push_str(&format!("%{byte:02x}")),
                    (3, _) => text.push(char::from(byte ^ if byte.is_ascii_alphabetic() { 0x20 } else { 0 })),
                    _ => text.push_str(&format!("%25{byte:02x}")),
                }
            }
        }
        text.push_str(["", "/", "/.", "?", "//", ";a=b"][self.tail]);
        text.trim_end_matches('?').to_owned()
    }
}

/// However a guarded path is spelled, it is refused or found guarded, never open; and what goes upstream reads the same
/// when it is read again.
#[test]
fn no_spelling_of_a_guarded_path_is_open() {
    let (router, open_house) = (router(), open_house());
    let (guarded, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::new(Config { cases: 60_000, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&spelling(), |spelling| {
        let raw = spelling.text();
        let Ok(canonical) = path(&raw) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        let route = router.route("any", &canonical);
        prop_assert!(matches!(route, Route::Guarded(_)), "{raw} became {canonical}: {route:?}");
        if GUARDED[spelling.guarded].starts_with("/shop") {
            let route = open_house.route("any", &canonical);
            prop_assert!(matches!(route, Route::Guarded(_)), "{raw} became {canonical}: {route:?}");
        }
        let again =
            path(canonical.as_str()).map_err(|refusal| TestCaseError::fail(format!("{canonical}: {refusal}")))?;
        prop_assert!(again.is_unchanged(), "{raw}: {canonical} became {again}");
        prop_assert_eq!(router.route("any", &again), route);
        guarded.set(guarded.get() + 1);
        Ok(())
    });
    outcome.unwrap();
    let (guarded, refused) = (guarded.get(), refused.get());
    assert!(guarded > 5_000 && refused > 5_000, "both answers are tried: {guarded} guarded, {refused} refused");
}

/// Whatever bytes come: reading never panics, and what it gives is its own canonical form and in printable ASCII.
#[test]
fn any_bytes_are_read_once() {
    let mut runner = TestRunner::new(Config { cases: 60_000, failure_persistence: None, ..Config::default() });
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9._~/%-]{1,6}",
        2 => "(%[0-9a-fA-F]{2}){1,4}",
        2 => Just("/".to_owned()),
        1 => Just("..".to_owned()),
        1 => any::<String>(),
    ];
    let raw = prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()));
    let outcome = runner.run(&raw, |raw| {
        if let Ok(canonical) = path(&raw) {
            prop_assert!(canonical.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{raw:?}: {canonical}");
            prop_assert!(
                !canonical.as_str().contains("//") && !canonical.as_str().contains("/../"),
                "{raw:?}: {canonical}"
            );
            let again =
                path(canonical.as_str()).map_err(|refusal| TestCaseError::fail(format!("{canonical}: {refusal}")))?;
            prop_assert!(again.is_unchanged(), "{raw:?}: {canonical} became {again}");
        }
        Ok(())
    });
    outcome.unwrap();
}
