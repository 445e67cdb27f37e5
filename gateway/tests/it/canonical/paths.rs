//! The canonical path, rule by rule.

use gateway::canonical::{Canonical, PathRefusal, path};
use http::{HeaderMap, HeaderValue, Uri, header};

/// What is written differently and means the same becomes one form.
#[test]
fn one_form_for_one_path() {
    for (raw, canonical) in [
        ("/", "/"),
        ("//", "/"),
        ("/a//b", "/a/b"),
        ("/a/", "/a/"),
        ("/a//", "/a/"),
        ("/.", "/"),
        ("/./", "/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a//../b", "/b"),
        ("/a/b/.", "/a/b/"),
        ("/...", "/..."),
        ("/.a/..b/c.", "/.a/..b/c."),
        ("/.well-known/x", "/.well-known/x"),
        ("/%2e%2E/a", "/a"),
        ("/a/%2e/b/.%2e/c", "/a/c"),
        ("/%41%7a", "/Az"),
        ("/a%2Bb%3D%40", "/a+b=@"),
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/%ea%b0%80", "/%EA%B0%80"),
        ("/%EA%b0%80", "/%EA%B0%80"),
        ("/가", "/%EA%B0%80"),
        ("/[x]|{y}^`\"<>", "/%5Bx%5D%7C%7By%7D%5E%60%22%3C%3E"),
        ("/a%3Fb%23c", "/a%3Fb%23c"),
        ("/100%25", "/100%25"),
        ("/100%25x", "/100%25x"),
        ("/%25%25", "/%25%25"),
    ] {
        let found = path(raw).unwrap_or_else(|refusal| panic!("{raw}: {refusal}"));
        assert_eq!(found.as_str(), canonical, "{raw}");
        assert_eq!(found.is_unchanged(), raw == canonical, "{raw}");
    }
}

/// What two parsers could read differently is refused, each for its own reason.
#[test]
fn what_could_be_read_twice_is_refused() {
    use PathRefusal::*;
    for (raw, refusal) in [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a/b", NotAbsolute),
        ("example.com:443", NotAbsolute),
        ("/%", BadEncoding),
        ("/%4", BadEncoding),
        ("/%4g", BadEncoding),
        ("/%u002e", BadEncoding),
        ("/%+1", BadEncoding),
        ("/%252e", EncodedTwice),
        ("/%25%32%65", EncodedTwice),
        ("/%252%65", EncodedTwice),
        ("/%2525aa", EncodedTwice),
        ("/a%2fb", EncodedSlash),
        ("/a%2Fb", EncodedSlash),
        ("/a\\b", Backslash),
        ("/a%5cb", Backslash),
        ("/a%5Cb", Backslash),
        ("/%00", Control),
        ("/a\0", Control),
        ("/a%0d%0aSet-Cookie", Control),
        ("/%7f", Control),
        ("/a\tb", Control),
        ("/%c2%85", Control),
        ("/%ff", NotUtf8),
        ("/%c0%af", NotUtf8),
        ("/%c0%ae%c0%ae/", NotUtf8),
        ("/%e0%80%af", NotUtf8),
        ("/%ed%a0%80", NotUtf8),
        ("/%f5%80%80%80", NotUtf8),
        ("/%ea%b0", NotUtf8),
        ("/%80", NotUtf8),
        ("/a#b", Fragment),
        ("/a;b", Parameters),
        ("/a%3Bb", Parameters),
        ("/..;/a", Parameters),
    ] {
        assert_eq!(path(raw).unwrap_err(), refusal, "{raw:?}");
    }
}

/// The query decides nothing and passes byte for byte, whatever stands in it.
#[test]
fn the_query_passes_unchanged() {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("a"));
    let uri: Uri = "/a//b?x=%2f..%2f;%00&y=//?".parse().unwrap();
    let canonical = Canonical::of(&uri, &headers).unwrap();
    assert_eq!(canonical.path_and_query(), "/a/b?x=%2f..%2f;%00&y=//?");
    assert!(!canonical.is_unchanged());
    let uri: Uri = "/a?".parse().unwrap();
    assert_eq!(Canonical::of(&uri, &headers).unwrap().path_and_query(), "/a?");
}
