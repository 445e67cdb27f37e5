//! What browsers and apps really send passes, and most of it without a copy.

use gateway::canonical::path;

/// The paths that URL parsers make of what people type and click: no rule may stand in their way.
#[test]
fn ordinary_paths_are_not_refused() {
    let words = [
        "events",
        "좌석-선택",
        "콘서트 2026",
        "café",
        "한국어",
        "日本語",
        "emoji🎫",
        "a+b",
        "user@example.com",
        "12:30",
        "~me",
        "wow!",
        "$5",
        "a&b",
        "it's",
        "(live)",
        "*star*",
        "a=b",
        "a,b",
        "under_score",
        "dash-ed",
        "v1.2.3",
        "100%",
        "50% off",
        "C++",
        "#1 hits",
        "what?",
        "“quoted”",
        "x^2",
        "{id}",
        "[list]",
        "a|b",
        "<tag>",
        "`tick`",
        ".well-known",
        "..hidden",
        "...",
        "naïve—dash",
        "Ω",
        "אבג",
        "ไทย",
        "%EA",
        "a b  c",
        "0",
        "-",
        "_",
    ];
    let mut seen = 0;
    for first in words {
        for second in words {
            // A word that is percent-encoded twice as a whole is what no browser sends and is refused.
            if [first, second].contains(&"%EA") {
                continue;
            }
            let encoded = format!("/{}/{}", encode_uri_component(first), encode_uri_component(second));
            let found = path(&encoded).unwrap_or_else(|refusal| panic!("{encoded}: {refusal}"));
            let typed = format!("/{}/{}.html", url_path(first), url_path(second));
            let as_typed = path(&typed).unwrap_or_else(|refusal| panic!("{typed}: {refusal}"));
            assert_eq!(as_typed.as_str(), format!("{found}.html"), "one resource, two spellings");
            seen += 2;
        }
    }
    assert!(seen > 4_000, "{seen}");
}

/// The usual request is borrowed: no allocation on the hot path, percent-encoded Korean included.
#[test]
fn canonical_paths_are_borrowed() {
    for raw in [
        "/",
        "/v1/events/42/seats",
        "/assets/app.3f9a.js",
        "/%EC%A2%8C%EC%84%9D/%EC%84%A0%ED%83%9D",
        "/a%20b/c,d;".trim_end_matches(';'),
        "/.well-known/security.txt",
        "/~user/!$&'()*+,=:@-._",
        "/100%25/",
    ] {
        assert!(path(raw).unwrap().is_unchanged(), "{raw}");
    }
}

/// As `encodeURIComponent` of scripts does.
fn encode_uri_component(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte))
}

/// As the URL parsers of browsers write what was typed into a path (WHATWG path percent-encode set, and `%` typed alone).
fn url_path(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_graphic() && !b"\"#<>?`{}^%".contains(&byte))
}

fn encode(text: &str, plain: impl Fn(u8) -> bool) -> String {
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
