//! HTTP answers from typed ones.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::body::ResponseBody;
use crate::clock;
use crate::credentials::{USHER_TICKET, USHER_TOKEN};
use crate::page::{ErrorView, Language, MoveReason, PageState, WaitingView};
use crate::problem::{Problem, ProblemKind};
use crate::queue::{Answer, Moved, PositionDocument, State, whole_seconds};
use crate::route::RoomIndex;
use crate::shaping::Limited;
use crate::upgrade::UpgradeRefusal;
use crate::upstream::UpstreamError;
use crate::worker::Worker;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Language, Cookie");

/// When somebody who found a full or closed room may look again.
const LOOK_AGAIN_SECONDS: u64 = 30;

/// How a client wants to be answered: a person's page or a program's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// A page, in this language.
    Page(Language),
    /// A document.
    Document,
}

impl Wants {
    /// A page navigation is a GET or HEAD that accepts `text/html`.
    pub fn of(worker: &Worker, method: &Method, headers: &HeaderMap) -> Self {
        if (method == Method::GET || method == Method::HEAD) && accepts_html(headers) {
            Self::Page(language(worker, headers))
        } else {
            Self::Document
        }
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept.as_bytes().split(|byte| *byte == b',').any(|range| range.trim_ascii().starts_with(b"text/html"))
    })
}

fn language(worker: &Worker, headers: &HeaderMap) -> Language {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    worker.shared.pages.negotiate(wanted)
}

/// A JSON answer that nobody may keep.
pub fn json(status: StatusCode, document: &impl Serialize) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(serde_json::to_vec(document).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// A refusal, as a page for people.
pub fn refusal(worker: &Worker, problem: Problem, wants: Wants) -> Response<ResponseBody> {
    let Wants::Page(language) = wants else { return problem.into_response() };
    let status = problem.kind().status();
    let retry = problem.retry_after_seconds();
    let view = ErrorView { status: status.as_u16(), retry_after_seconds: retry, message: None };
    match worker.shared.pages.error(language, &view) {
        Ok(html) => {
            let mut response = page(worker, status, language, html);
            if let Some(seconds) = retry {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Err(error) => {
            tracing::error!(%error, "the error page cannot be rendered");
            problem.into_response()
        }
    }
}

/// The answer to a handshake that cannot be granted.
pub fn bad_upgrade(worker: &Worker, refusal: UpgradeRefusal, wants: Wants) -> Response<ResponseBody> {
    let kind = match refusal {
        UpgradeRefusal::Key => ProblemKind::BadRequest,
        UpgradeRefusal::Version => ProblemKind::UpgradeRequired,
    };
    let mut response = self::refusal(worker, Problem::new(kind).detail(refusal.to_string()), wants);
    if refusal == UpgradeRefusal::Version {
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

/// The answer to somebody who has to wait: the waiting page, or `429` with the position.
pub fn wait(worker: &Worker, room: RoomIndex, document: &PositionDocument<'_>, wants: Wants) -> Response<ResponseBody> {
    let response = match wants {
        Wants::Page(language) => waiting_page(worker, room, document, language),
        Wants::Document => Problem::new(ProblemKind::Queued)
            .detail("It is not your turn yet; poll the position with the token.")
            .retry_after(document.poll_after_seconds)
            .members(document)
            .into_response(),
    };
    with_credentials(worker, room, document, response)
}

/// The answer to somebody whom the room has no place for: full or closed, said at once (N10).
pub fn turned_away(
    worker: &Worker,
    room: RoomIndex,
    state: PageState,
    problem: Problem,
    wants: Wants,
) -> Response<ResponseBody> {
    let Wants::Page(language) = wants else { return problem.into_response() };
    let status = problem.kind().status();
    let retry = problem.retry_after_seconds();
    let mut response = placeless(worker, room, state, status, language, "");
    if let Some(seconds) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The answer to somebody who gave up the place from a page without scripts: a page that does not join again by itself.
pub fn left(worker: &Worker, room: RoomIndex, headers: &HeaderMap) -> Response<ResponseBody> {
    if !accepts_html(headers) {
        return empty(StatusCode::NO_CONTENT);
    }
    let entry = &worker.front(room).entry;
    placeless(worker, room, PageState::Left, StatusCode::OK, language(worker, headers), entry)
}

/// The waiting page of somebody without a place.
fn placeless(
    worker: &Worker,
    room: RoomIndex,
    state: PageState,
    status: StatusCode,
    language: Language,
    entry: &str,
) -> Response<ResponseBody> {
    let updated = clock::now().to_string();
    let front = worker.front(room);
    let view = WaitingView {
        room: front.room.id().as_str(),
        state,
        position: None,
        line_length: None,
        estimate_seconds: None,
        poll_after_seconds: LOOK_AGAIN_SECONDS,
        claim_window_seconds: whole_seconds(front.room.policy().claim_window()),
        updated_at: &updated,
        joined_at: None,
        opens_at: None,
        moved: None,
        degraded: false,
        held: false,
        message: None,
        entry,
    };
    match worker.shared.pages.waiting(language, &view) {
        Ok(html) => page(worker, status, language, html),
        Err(error) => {
            tracing::error!(%error, "the page cannot be rendered");
            empty(status)
        }
    }
}

fn waiting_page(
    worker: &Worker,
    room: RoomIndex,
    document: &PositionDocument<'_>,
    language: Language,
) -> Response<ResponseBody> {
    let updated = document.updated_at.to_string();
    let joined = document.joined_at.map(|at| at.to_string());
    let opens = document.opens_at.map(|at| at.to_string());
    let front = worker.front(room);
    let view = WaitingView {
        room: document.room,
        state: match document.state {
            State::Lobby => PageState::Lobby,
            State::Waiting | State::Ended => PageState::Waiting,
            State::Called | State::Admitted => PageState::Called,
            State::Paused => PageState::Paused,
            State::Full => PageState::Full,
            State::Closed => PageState::Closed,
        },
        position: document.position,
        line_length: Some(u64::from(document.line_length)),
        estimate_seconds: document.estimated_wait_seconds.map(|wait| (wait.p50, wait.p90)),
        poll_after_seconds: document.poll_after_seconds,
        claim_window_seconds: whole_seconds(front.room.policy().claim_window()),
        updated_at: &updated,
        joined_at: joined.as_deref(),
        opens_at: opens.as_deref(),
        moved: document.moved.map(|moved| match moved {
            Moved::Returned => MoveReason::Returned,
            Moved::Restored => MoveReason::Restored,
        }),
        degraded: document.degraded,
        held: document.held_for_seconds.is_some(),
        message: document.message,
        entry: "",
    };
    match worker.shared.pages.waiting(language, &view) {
        Ok(html) => page(worker, front.queueing_status, language, html),
        Err(error) => {
            tracing::error!(%error, "the waiting page cannot be rendered");
            json(front.queueing_status, document)
        }
    }
}

fn page(worker: &Worker, status: StatusCode, language: Language, html: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HTML);
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::VARY, VARY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    if let Ok(policy) = HeaderValue::from_str(worker.shared.pages.content_security_policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Adds the cookies for what a document newly grants.
pub fn with_credentials(
    worker: &Worker,
    room: RoomIndex,
    document: &PositionDocument<'_>,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    let cookies = worker.cookies(room);
    let policy = worker.front(room).room.policy();
    let token = document.token.as_deref();
    let token = token.and_then(|token| cookies.set_queue_token(token, policy.token_lifetime().as_secs()));
    let ticket = document
        .ticket
        .as_deref()
        .zip(document.session_ends_at)
        .and_then(|(ticket, ends)| cookies.set_ticket(ticket, whole_seconds(ends.since(document.updated_at))));
    for cookie in token.into_iter().chain(ticket) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// How credentials travel back: as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A browser: cookies.
    Cookie,
    /// An app: headers.
    Header,
}

impl Carrier {
    /// By cookie, unless the request showed that it keeps its credentials in headers.
    pub fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(&USHER_TICKET) || headers.contains_key(&USHER_TOKEN) {
            Self::Header
        } else {
            Self::Cookie
        }
    }
}

/// The answer to a question at the reserved prefix.
pub fn answer(
    worker: &Worker,
    room: RoomIndex,
    answer: Answer<'_>,
    status: StatusCode,
    carrier: Carrier,
) -> Response<ResponseBody> {
    match answer {
        Answer::Position(document) => {
            let response = json(status, &document);
            match carrier {
                Carrier::Cookie => with_credentials(worker, room, &document, response),
                Carrier::Header => response,
            }
        }
        other => problem_of(other).into_response(),
    }
}

/// The refusal in an answer that is not a position.
pub fn problem_of(answer: Answer<'_>) -> Problem {
    /// When a store that was away may be back.
    const STORE_BACK_SECONDS: u64 = 2;
    match answer {
        Answer::Position(document) => Problem::new(ProblemKind::Queued).members(&document),
        Answer::BadToken => Problem::new(ProblemKind::BadToken).detail("Join the line again to get a new token."),
        Answer::TooFast { retry_after } => Problem::new(ProblemKind::RateLimited)
            .detail("You poll faster than you were told to; your place is not touched by it.")
            .retry_after(whole_seconds(retry_after)),
        Answer::Full => Problem::new(ProblemKind::LineFull).retry_after(LOOK_AGAIN_SECONDS),
        Answer::Closed => Problem::new(ProblemKind::RoomClosed).retry_after(LOOK_AGAIN_SECONDS),
        Answer::Undecided(_) => Problem::new(ProblemKind::StoreUnavailable)
            .detail("Nobody new can be let in at the moment; places already given are safe.")
            .retry_after(STORE_BACK_SECONDS),
    }
}

/// The refusal of somebody whom the upstream could not serve.
pub fn problem_of_upstream(error: &UpstreamError) -> Problem {
    /// As many as may were being served or waited; a connection becomes free within moments.
    const FREE_SECONDS: u64 = 1;
    let problem = Problem::new(error.problem());
    match error {
        UpstreamError::PoolWait | UpstreamError::PoolFull => problem.retry_after(FREE_SECONDS),
        UpstreamError::Ejected { retry_after } => problem.retry_after(whole_seconds(*retry_after).max(1)),
        _ => problem,
    }
}

/// The answer to somebody who asks too often: a page for people, else a document.
pub fn limited(worker: &Worker, limited: &Limited, wants: Wants) -> Response<ResponseBody> {
    let problem = Problem::new(ProblemKind::RateLimited)
        .detail("Too many requests in a short time.")
        .retry_after(limited.retry_after_seconds());
    let mut response = refusal(worker, problem, wants);
    worker.shared.shaper.fields().limited(limited, response.headers_mut());
    response
}
