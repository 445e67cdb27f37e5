//! The waiting page and the error pages, as the bytes a browser gets.

use gateway::page::{ErrorView, Language, MoveReason, PageState, Pages, WaitingView};
use std::fs;

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

/// Writes every page to the folder named by `USHER_PAGES`, for a browser to look at.
#[test]
fn write_pages() {
    let Some(folder) = std::env::var_os("USHER_PAGES").map(std::path::PathBuf::from) else { return };
    fs::create_dir_all(&folder).unwrap();
    let pages = Pages::new().unwrap();
    fs::write(folder.join("policy.txt"), pages.content_security_policy()).unwrap();
    for language in Language::ALL {
        for (name, view) in views() {
            let html = pages.waiting(language, &view).unwrap();
            fs::write(folder.join(format!("{name}.{}.html", language.tag())), html).unwrap();
        }
        for status in [429, 502, 503, 504, 500] {
            let error = ErrorView { status, retry_after_seconds: (status != 500).then_some(30), message: None };
            let html = pages.error(language, &error).unwrap();
            fs::write(folder.join(format!("error-{status}.{}.html", language.tag())), html).unwrap();
        }
    }
}
