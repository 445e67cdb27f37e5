//! The waiting page and the error pages, as the bytes a browser gets.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::page::{ErrorView, Language, MoveReason, PageState, Pages, WaitingView};

fn view(state: PageState) -> WaitingView<'static> {
    WaitingView {
        room: "concert",
        state,
        position: None,
        line_length: None,
        estimate_seconds: None,
        poll_after_seconds: 12,
        claim_window_seconds: 180,
        updated_at: "2026-12-01T11:03:09.500Z",
        joined_at: None,
        opens_at: None,
        moved: None,
        degraded: false,
        held: false,
        message: None,
        entry: "",
    }
}

fn in_line(state: PageState) -> WaitingView<'static> {
    WaitingView {
        position: Some(1234),
        line_length: Some(50_035),
        estimate_seconds: Some((420, 510)),
        joined_at: Some("2026-12-01T11:00:00.123Z"),
        ..view(state)
    }
}

/// Every state a page is rendered in, by a name for it.
fn views() -> Vec<(&'static str, WaitingView<'static>)> {
    vec![
        ("lobby", WaitingView { opens_at: Some("2026-12-01T20:00:00+09:00"), ..view(PageState::Lobby) }),
        ("waiting", in_line(PageState::Waiting)),
        ("provisional", WaitingView { degraded: true, ..view(PageState::Waiting) }),
        ("restoring", WaitingView { degraded: true, held: true, ..view(PageState::Waiting) }),
        ("nearly", WaitingView { position: Some(7), estimate_seconds: Some((40, 80)), ..in_line(PageState::Waiting) }),
        ("called", view(PageState::Called)),
        (
            "paused",
            WaitingView {
                estimate_seconds: None,
                message: Some("We found a fault in the seat map and are fixing it.\nWe go on at 20:30 at the latest."),
                ..in_line(PageState::Paused)
            },
        ),
        ("moved", WaitingView { moved: Some(MoveReason::Returned), ..in_line(PageState::Waiting) }),
        ("full", view(PageState::Full)),
        ("closed", WaitingView { message: Some("All seats are sold. Thank you!"), ..view(PageState::Closed) }),
        ("ended", view(PageState::Ended)),
        ("left", WaitingView { entry: "/", ..view(PageState::Left) }),
    ]
}

/// Every page in every language, by a name for it.
fn all_pages() -> Vec<(String, Language, String)> {
    let pages = Pages::new().unwrap();
    let mut all = Vec::new();
    for language in Language::ALL {
        for (name, view) in views() {
            all.push((name.to_owned(), language, pages.waiting(language, &view).unwrap()));
        }
        for status in [429, 502, 503, 504, 500] {
            let error = ErrorView { status, retry_after_seconds: (status != 500).then_some(30), message: None };
            all.push((format!("error-{status}"), language, pages.error(language, &error).unwrap()));
        }
    }
    all
}

fn page(language: Language, view: &WaitingView<'_>) -> String {
    Pages::new().unwrap().waiting(language, view).unwrap()
}

/// What stands between the first `open` and the `close` after it.
fn between<'a>(html: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

/// Everything outside of `<noscript>`: what a browser with scripts sees.
fn with_scripts(html: &str) -> String {
    let mut kept = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("<noscript>") {
        kept.push_str(before);
        rest = after.split_once("</noscript>").expect("noscript ends").1;
    }
    kept + rest
}

/// The tags of a document in order: name, attributes as written, and whether it is an end tag. Panics at markup that
/// a strict reader would not accept. Text inside `script` and `style` is skipped.
fn tags(html: &str) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").expect("the document type comes first");
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a bare > in {text:?}");
        let (tag, after) = after.split_once('>').expect("a tag ends");
        assert!(!tag.contains('<') && tag.matches('"').count() % 2 == 0, "broken tag {tag:?}");
        let (end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let tag = tag.strip_suffix('/').unwrap_or(tag);
        let (name, attributes) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "tag name {name:?}");
        found.push((name.to_owned(), attributes.trim().to_owned(), end));
        rest = after;
        if !end && (name == "script" || name == "style") {
            rest = rest.find(&format!("</{name}>")).map(|at| &rest[at..]).expect("raw text ends");
        }
    }
    found
}

/// Protects: the page is well-formed, so every browser builds the same tree, and ids are unique and few enough.
#[test]
fn every_page_is_well_formed() {
    const VOID: [&str; 4] = ["meta", "link", "rect", "path"];
    for (name, language, html) in all_pages() {
        let mut open = Vec::new();
        let mut ids = BTreeSet::new();
        let mut nodes = 0;
        for (tag, attributes, end) in tags(&html) {
            if let Some(id) = between(&format!(" {attributes}"), " id=\"", "\"") {
                assert!(ids.insert(id.to_owned()), "{name}: id {id} twice");
            }
            if end {
                assert_eq!(open.pop().as_deref(), Some(tag.as_str()), "{name} {language:?}: end tags match");
            } else {
                nodes += 1;
                if !VOID.contains(&tag.as_str()) && tag != "circle" {
                    open.push(tag);
                }
            }
        }
        assert!(open.is_empty(), "{name}: left open {open:?}");
        assert!(nodes < 200, "{name}: {nodes} elements");
        assert_eq!(html.matches("<h1").count(), 1, "{name}: one first heading");
    }
}

/// Protects: the page costs a visitor on a slow line, and us, little: 40 KB raw, 14 KB compressed, script 6 KB.
#[test]
fn every_page_is_light() {
    let compressed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap().len()
    };
    for (name, language, html) in all_pages() {
        let (raw, gzip) = (html.len(), compressed(&html));
        println!("{name} {}: {raw} bytes, {gzip} compressed", language.tag());
        assert!(raw <= 40_000, "{name}: {raw} bytes raw");
        assert!(gzip <= 14_000, "{name}: {gzip} bytes compressed");
        if let Some(script) = between(&html, "<script>", "</script>") {
            assert!(compressed(script) <= 6_000, "{name}: {} bytes of script compressed", compressed(script));
        }
    }
}

/// Protects: nobody but this gateway is asked for anything, and no address leads elsewhere.
#[test]
fn no_page_names_another_host() {
    for (name, _, html) in all_pages() {
        let rest = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!rest.contains("//") && !rest.contains("url("), "{name} points outside");
        for (tag, attributes, _) in tags(&html) {
            assert!(!attributes.contains("src="), "{name}: <{tag} {attributes}> loads something");
            assert!(!attributes.contains("style=") && !attributes.contains(" on"), "{name}: inline {attributes}");
        }
    }
}

/// Protects: the policy lets exactly our own style and script run; a page whose script it refused would be dead.
#[test]
fn the_policy_fits_the_inline_blocks() {
    let pages = Pages::new().unwrap();
    let policy = pages.content_security_policy();
    assert!(policy.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
    let hash = |block: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, block.as_bytes())));
    for (name, _, html) in all_pages() {
        let style = between(&html, "<style>", "</style>").unwrap();
        assert!(policy.contains(&format!("style-src {};", hash(style))), "{name}: style");
        if let Some(script) = between(&html, "<script>", "</script>") {
            assert!(policy.contains(&format!("script-src {};", hash(script))), "{name}: script");
        }
    }
}

/// Protects: nothing that a visitor, an operator or the config writes becomes markup.
#[test]
fn no_value_becomes_markup() {
    let evil = r#"</script><script>alert(1)</script>"'><img src=x onerror=alert(1)>{{ 7*7 }}<!--"#;
    let pages = Pages::new().unwrap();
    for language in Language::ALL {
        let harmless = WaitingView { opens_at: Some("2026-12-01T11:00:00Z"), ..in_line(PageState::Lobby) };
        let plain = pages.waiting(language, &harmless).unwrap();
        let html = pages
            .waiting(
                language,
                &WaitingView {
                    room: evil,
                    message: Some(evil),
                    updated_at: evil,
                    joined_at: Some(evil),
                    opens_at: Some(evil),
                    entry: evil,
                    ..in_line(PageState::Lobby)
                },
            )
            .unwrap();
        assert!(!html.contains("<img") && !html.contains("alert(1)</script>") && !html.contains("<!--"));
        let names = |html: &str| tags(html).into_iter().map(|(name, _, end)| (name, end)).collect::<Vec<_>>();
        assert_eq!(names(&html), names(&plain), "the same elements as with harmless values");
        let error = ErrorView { status: 503, retry_after_seconds: Some(5), message: Some(evil) };
        assert!(!pages.error(language, &error).unwrap().contains("<img"));
    }
}

/// Protects: `lang` is right, and the tab's title says the state and the position.
#[test]
fn language_and_title_tell_the_state() {
    for (name, language, html) in all_pages() {
        assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{name}");
    }
    let title =
        |language, view: &WaitingView<'_>| between(&page(language, view), "<title>", "</title>").unwrap().to_owned();
    assert_eq!(title(Language::English, &in_line(PageState::Waiting)), "1,234 · In line · concert");
    assert_eq!(title(Language::Korean, &in_line(PageState::Waiting)), "1,234 · 대기 중 · concert");
    let titles: BTreeSet<_> = views().iter().map(|(_, view)| title(Language::English, view)).collect();
    assert_eq!(titles.len(), views().len() - 2, "every state its own title, a move or a fault none: {titles:?}");
}

/// Protects: a browser without scripts keeps its place and moves on by itself, and nothing reloads under a reader
/// whose scripts run. Who left, whose visit is over or whose room is closed is not made to join again.
#[test]
fn the_timed_reload_is_for_browsers_without_scripts() {
    for (name, _, html) in all_pages() {
        assert!(!with_scripts(&html).contains("http-equiv"), "{name}: a reload outside of noscript");
        let reloads = html.contains("<noscript><meta http-equiv=\"refresh\" content=\"12\"></noscript>");
        let stays = ["closed", "ended", "left"].contains(&name.as_str()) || name.starts_with("error");
        assert_eq!(reloads, !stays, "{name}");
    }
    let hurried = WaitingView { poll_after_seconds: 0, ..in_line(PageState::Waiting) };
    assert!(page(Language::English, &hurried).contains("content=\"1\""), "an interval of 0 is no reload loop");
}

/// Protects: without scripts one can check, enter and leave, with nothing but links and a form.
#[test]
fn everything_works_without_scripts() {
    let html = page(Language::English, &in_line(PageState::Waiting));
    assert!(html.contains(r#"<form id="leave" method="post" action="/_usher/concert/leave">"#));
    assert!(html.contains(r#"<a class="button quiet" href="">Check now</a>"#));
    assert!(html.contains("1,234") && html.contains("of 50,035 people in line") && html.contains("7–9 minutes"));
    assert!(html.contains("This page checks again by itself every 12 seconds."));
    let html = page(Language::English, &view(PageState::Called));
    assert!(html.contains(r#"<a id="action" class="button" href="">Enter now</a>"#));
    assert!(html.contains("held for 3 minutes") && !html.contains("Check now"));
    let left = WaitingView { entry: "/shop", ..view(PageState::Left) };
    assert!(page(Language::English, &left).contains(r#"class="button" href="&#x2f;shop">Join the line</a>"#));
}

/// Protects: the regions that are read aloud exist and are empty at load, or nothing would be announced later.
#[test]
fn live_regions_are_present_and_empty() {
    for (name, _, html) in all_pages() {
        if !name.starts_with("error") {
            assert!(html.contains(r#"role="status"></p>"#) && html.contains(r#"role="alert"></p>"#), "{name}");
        }
    }
}

/// Protects: a waiting person reads why: paused, degraded, moved, the operator's words, what is not known yet.
#[test]
fn the_page_says_why() {
    let english = |view: &WaitingView<'_>| page(Language::English, view);
    let (head, body) =
        (|html: &str| between(html, "<main", "</main>").unwrap().to_owned(), in_line(PageState::Waiting));
    let paused = head(&english(&WaitingView { message: Some("Back at 20:30."), ..in_line(PageState::Paused) }));
    assert!(paused.contains("Back at 20:30.") && paused.contains(">Paused</dd>") && !paused.contains("7–9"));
    assert!(head(&english(&WaitingView { degraded: true, ..body })).contains("We are reconnecting"));
    let restoring = WaitingView { degraded: true, held: true, ..body };
    assert!(head(&english(&restoring)).contains("The line is being restored"));
    let unknown = head(&english(&view(PageState::Waiting)));
    assert_eq!(unknown.matches("checking …").count(), 2, "neither position nor wait is made up");
    for (reason, words) in [
        (MoveReason::Returned, "came back"),
        (MoveReason::Lane, "priority"),
        (MoveReason::Operator, "organiser changed"),
        (MoveReason::Restored, "restored after a fault"),
    ] {
        assert!(head(&english(&WaitingView { moved: Some(reason), ..body })).contains(words), "{reason:?}");
    }
}

/// Protects: every text the script asks for by name is there in every language.
#[test]
fn the_script_has_its_words() {
    for (name, language, html) in all_pages().into_iter().filter(|(name, ..)| name == "waiting") {
        let words = between(&html, r#"id="words">"#, "</script>").unwrap();
        let words: serde_json::Value = serde_json::from_str(words).unwrap();
        let script = between(&html, "<script>", "</script>").unwrap();
        let fixed = script.match_indices("say(\"").filter_map(|(at, open)| {
            script[at + open.len()..].split_once('"').map(|(key, _)| key).filter(|key| !key.ends_with('-'))
        });
        let mut keys: BTreeSet<String> = fixed.map(str::to_owned).collect();
        let notes = ["degraded", "offline", "trouble", "busy", "slower", "leave-failed", "seconds", "minutes", "hours"];
        keys.extend(notes.map(str::to_owned));
        keys.extend(["returned", "lane", "operator", "restored"].map(|reason| format!("moved-{reason}")));
        for phase in words["parts"].as_object().unwrap().keys() {
            keys.extend(["title", "heading", "lead"].map(|part| format!("{part}-{phase}")));
        }
        assert!(keys.len() > 40, "{name}: the script was read");
        for key in keys {
            assert!(!words["words"][&key].is_null(), "{key} in {language:?}");
        }
    }
}

/// Writes every page to the folder named by `USHER_PAGES`, for a browser to look at.
#[test]
fn write_pages() {
    let Some(folder) = std::env::var_os("USHER_PAGES").map(std::path::PathBuf::from) else { return };
    fs::create_dir_all(&folder).unwrap();
    let pages = Pages::new().unwrap();
    fs::write(folder.join("policy.txt"), pages.content_security_policy()).unwrap();
    for (name, language, html) in all_pages() {
        fs::write(folder.join(format!("{name}.{}.html", language.tag())), html).unwrap();
    }
}
