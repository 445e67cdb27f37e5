//! HTTP/2 downstream: the same decisions as over HTTP/1, and nothing that HTTP/2 can say and HTTP/1 cannot gets through.

use std::io::BufRead as _;

use bytes::Bytes;
use http::HeaderMap;

use super::ask::HOST;
use super::http2_frames::{Frames, field, kind};
use super::secure::{Http2, request};
use super::setup::{ROOM, Setup};
use super::usher::Gateway;
use super::wait::eventually;
use super::{ONE_SLOT, Origin};
use crate::edge_support::FakeUpstream;

/// Cleartext HTTP/2.
pub(crate) const PRIOR_KNOWLEDGE: &str = "insecure_cookies = true\nhttp2_cleartext = true\n";

struct Sale {
    origin: Origin,
    gateway: Gateway,
    client: Http2,
    ticket: String,
}

impl Sale {
    async fn new() -> Self {
        let origin = Origin::start().await;
        let setup = Setup::before(&origin).listener(PRIOR_KNOWLEDGE).room("upgrades = [\"websocket\"]\n");
        let gateway = Gateway::ready(&setup.room(ONE_SLOT)).await;
        let client = Http2::cleartext(gateway.address).await;
        let answer = client.get(request("POST", &format!("/_usher/{ROOM}/join"))).await.unwrap().expect(201);
        let ticket = answer.json()["ticket"].as_str().unwrap().to_owned();
        Self { origin, gateway, client, ticket }
    }

    fn admitted(&self, method: &str, path: &str) -> http::request::Builder {
        request(method, path).header("usher-ticket", &self.ticket)
    }

    async fn frames(&self) -> Frames {
        Frames::connect(self.gateway.address).await
    }
}

/// Who has no ticket waits and who has one passes, over one connection; the upstream gets one canonical HTTP/1 request.
#[tokio::test]
async fn decisions_are_the_same() {
    let sale = Sale::new().await;
    sale.client.get(request("GET", "/")).await.unwrap().expect(429);
    let page = sale.client.get(request("GET", "/").header("accept", "text/html")).await.unwrap().expect(200);
    assert!(String::from_utf8_lossy(&page.body).contains("data-phase"), "the waiting page");
    assert_eq!(page.headers["content-length"].to_str().unwrap(), page.body.len().to_string());
    let crumbs = sale.admitted("GET", "/v1/%7eseats?x=1").header("cookie", "a=1").header("cookie", "usher-queue-x=2");
    let crumbs = crumbs.header("cookie", "b=2; c=3").header("x-forwarded-for", "203.0.113.9").header("te", "trailers");
    let answer = sale.client.get(crumbs).await.unwrap().expect(200);
    assert_eq!(answer.json()["method"], "GET");
    let seen = sale.origin.last();
    assert_eq!(seen.target, "/v1/~seats?x=1");
    for (name, value) in
        [("host", HOST), ("cookie", "a=1; b=2; c=3"), ("x-forwarded-for", "127.0.0.1"), ("usher-ticket", &sale.ticket)]
    {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let before = sale.origin.seen().len();
    for method in ["HEAD", "OPTIONS", "PROPFIND", "DELETE", "TRACE"] {
        sale.client.get(request(method, "/v1/holds")).await.unwrap().expect(429);
    }
    assert_eq!(sale.origin.seen().len(), before, "no method is exempt");
    let head = sale.client.get(sale.admitted("HEAD", "/v1/holds")).await.unwrap().expect(200);
    assert!(head.body.is_empty() && head.headers.contains_key("content-length"), "{head:?}");
}

/// What could be read in two ways is refused, with an answer where the stream can carry one.
#[tokio::test]
async fn contradictions_are_refused() {
    let sale = Sale::new().await;
    let before = sale.origin.seen().len();
    let other_host = sale.admitted("GET", "/").header("host", "other.example");
    sale.client.get(other_host).await.unwrap().expect(400);
    for path in ["/a%2fb", "/a;x", "/a%00"] {
        sale.client.get(sale.admitted("GET", path)).await.unwrap().expect(400);
    }
    let connect = http::Request::builder().method("CONNECT").uri("other.example:443");
    sale.client.get(connect.header("usher-ticket", &sale.ticket)).await.unwrap().expect(405);

    let ticket = field("usher-ticket", &sale.ticket);
    let good = |path: &str| [field(":method", "POST"), field(":scheme", "http"), field(":path", path)].concat();
    let with_host = |path: &str| [good(path), field(":authority", HOST), ticket.clone()].concat();
    for (broken, why) in [
        ([with_host("/"), field("connection", "close")].concat(), "connection field"),
        ([with_host("/"), field("transfer-encoding", "chunked")].concat(), "transfer coding"),
        ([with_host("/"), field("upgrade", "websocket")].concat(), "upgrade"),
        ([with_host("/"), field("te", "gzip")].concat(), "te"),
        ([with_host("/"), field("X-Upper", "1")].concat(), "upper case"),
        ([with_host("/"), field("x-split", "a\r\nx: y")].concat(), "line end"),
        ([with_host("/"), field("", "1")].concat(), "empty name"),
        ([with_host("/"), field("x-padded", " a")].concat(), "space before a value"),
        ([with_host("/"), field("x-padded", "a\t")].concat(), "tab after a value"),
        ([with_host("/"), field(":path", "/twice")].concat(), "pseudo field late"),
        ([good("/"), field(":path", "/twice"), field(":authority", HOST), ticket.clone()].concat(), "double"),
        ([with_host("/"), field(":status", "200")].concat(), "pseudo field of answers"),
        ([with_host("/"), field("content-length", "5"), field("content-length", "6")].concat(), "two lengths"),
        ([with_host("/"), field("content-length", "+5")].concat(), "signed length"),
    ] {
        // Each over a connection of its own: some of these end it.
        let mut frames = sale.frames().await;
        let stream = frames.request(&broken, true).await;
        assert_eq!(frames.outcome(stream).await, None, "{why}");
    }
    // A length that is not that of the data: refused before the upstream could take it for whole.
    for (length, data) in [("5", "123"), ("2", "123")] {
        let head = [with_host("/v1/holds"), field("content-length", length)].concat();
        let mut frames = sale.frames().await;
        let stream = frames.request(&head, false).await;
        frames.send(kind::DATA, 1, stream, data.as_bytes()).await;
        assert_ne!(frames.outcome(stream).await, Some(200), "{length}");
    }
    let mut frames = sale.frames().await;
    let fine = frames.request(&with_host("/v1/holds"), true).await;
    assert_eq!(frames.outcome(fine).await, Some(200), "without the fault it passes");
    let bad_path = frames.request(&[good("no-slash"), field(":authority", HOST), ticket].concat(), true).await;
    assert!(!matches!(frames.outcome(bad_path).await, Some(200)));
    let seen = sale.origin.seen();
    assert!(seen[before..].iter().all(|seen| seen.target == "/v1/holds"), "{seen:?}");
}

/// Bodies stream up to the limit, `100 Continue` comes when somebody waits for the body, and refusals come without it.
#[tokio::test]
async fn bodies_have_their_limit() {
    let sale = Sale::new().await;
    let mebibyte = Bytes::from(vec![b'x'; 1024 * 1024]);
    let holds = || sale.admitted("POST", "/v1/holds");
    let whole = sale.client.send(holds(), mebibyte.clone(), None).await.unwrap().expect(200);
    assert_eq!(whole.json()["body_bytes"], mebibyte.len());
    let longer = Bytes::from([&mebibyte[..], b"x"].concat());
    let told = holds().header("content-length", longer.len());
    sale.client.send(told, longer.clone(), None).await.unwrap().expect(413);
    sale.client.send(holds(), longer, None).await.unwrap().expect(413);

    let mut frames = sale.frames().await;
    let head = [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/v1/holds"),
        field(":authority", HOST),
        field("usher-ticket", &sale.ticket),
        field("expect", "100-continue"),
    ];
    let stream = frames.request(&head.concat(), false).await;
    assert_eq!(frames.status(stream).await, Some(100));
    frames.send(kind::DATA, 1, stream, b"abc").await;
    assert_eq!(frames.status(stream).await, Some(200));
}

/// Trailers pass both ways; what only a head may say does not pass as one (N23).
#[tokio::test]
async fn trailers_pass() {
    let upstream = FakeUpstream::start(|mut served, seen| {
        loop {
            let mut whole = String::new();
            while !whole.ends_with("\r\n\r\n") || (whole.contains("chunked") && !whole.contains("\r\n0\r\n")) {
                if served.stream.read_line(&mut whole).unwrap_or(0) == 0 {
                    return;
                }
            }
            seen.lock().unwrap().push(whole);
            served.send(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\n\
                 x-sum: 7\r\nusher-ticket: forged\r\nset-cookie: a=b\r\ncontent-length: 9\r\n\r\n",
            );
        }
    });
    let setup = Setup::before_address(upstream.address).listener(PRIOR_KNOWLEDGE);
    let gateway = Gateway::ready(&setup).await;
    let client = Http2::cleartext(gateway.address).await;
    let mut trailers = HeaderMap::new();
    for name in ["x-sum", "content-length", "transfer-encoding-x", "usher-visitor", "host", "x-forwarded-for"] {
        trailers.insert(name, "3".parse().unwrap());
    }
    let ask = request("POST", "/assets/x").header("te", "trailers");
    let ask = ask.header("trailer", "x-sum, content-length, usher-visitor, host, x-forwarded-for");
    let answer = client.send(ask, Bytes::from_static(b"abc"), Some(trailers)).await.unwrap().expect(200);
    assert_eq!(answer.body, "ok");
    let trailers = answer.trailers.unwrap();
    assert_eq!((trailers.len(), &trailers["x-sum"] == "7"), (1, true), "{trailers:?}");
    let seen = upstream.seen().pop().unwrap();
    let (_, sent) = seen.split_once("\r\n0\r\n").unwrap();
    assert_eq!(sent, "x-sum: 3\r\n\r\n");
}

/// A drain tells the client to go, finishes what is under way and refuses nothing that was sent before (N30).
#[tokio::test]
async fn a_drain_finishes_streams() {
    let mut sale = Sale::new().await;
    let slow = tokio::spawn({
        let (client, ask) = (sale.client.clone(), sale.admitted("GET", "/slow"));
        async move { client.get(ask).await }
    });
    let arrived = async || sale.origin.seen().iter().any(|seen| seen.target == "/slow").then_some(());
    eventually("the request at the upstream", arrived).await;
    sale.gateway.process.signal("TERM");
    eventually("the drain", async || sale.gateway.process.log().contains("draining").then_some(())).await;
    sale.origin.release();
    slow.await.unwrap().unwrap().expect(200);
    assert_eq!(sale.gateway.process.ended().await, Some(0));
}
