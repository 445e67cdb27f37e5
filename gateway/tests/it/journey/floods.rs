//! HTTP/2 floods against the binary: each is ended or bounded, and admitted visitors go on meanwhile.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::ask::HOST;
use super::http2::PRIOR_KNOWLEDGE;
use super::http2_frames::{END_HEADERS, Frames, field, frame, kind};
use super::secure::{Http2, request};
use super::setup::{ROOM, Setup};
use super::usher::{Gateway, Reserved};
use super::wait::{PATIENCE, eventually};
use super::{ONE_SLOT, Origin};

/// GOAWAY codes (RFC 9113, 7).
const ENHANCE_YOUR_CALM: u32 = 11;

/// What a flood may make the process grow by.
const MOST_GROWTH: f64 = 32.0 * 1024.0 * 1024.0;

struct Target {
    gateway: Gateway,
    ticket: String,
    _origin: Origin,
    _reserved: Reserved,
}

impl Target {
    async fn new() -> Self {
        Self::of("").await
    }

    async fn of(listener: &str) -> Self {
        let origin = Origin::start().await;
        let reserved = Reserved::new();
        let second =
            format!("[[listener]]\nname = \"plain\"\nbind = \"{}\"\ninsecure_cookies = true\n", reserved.address);
        let setup =
            Setup::before(&origin).listener(&format!("{PRIOR_KNOWLEDGE}{listener}")).room(ONE_SLOT).more(&second);
        let gateway = Gateway::ready(&setup).await;
        let client = Http2::cleartext(gateway.address).await;
        let answer = client.get(request("POST", &format!("/_usher/{ROOM}/join"))).await.unwrap().expect(201);
        let ticket = answer.json()["ticket"].as_str().unwrap().to_owned();
        Self { gateway, ticket, _origin: origin, _reserved: reserved }
    }

    /// Runs a flood while an admitted visitor asks over another connection, each time with success; the process must not
    /// have grown by more than a flood may make it.
    async fn under<T>(&self, flood: impl Future<Output = T>) -> T {
        let before = self.memory().await;
        let admitted = async {
            loop {
                let client = Http2::cleartext(self.gateway.address).await;
                for _ in 0..20 {
                    let ask = request("GET", "/v1/holds").header("usher-ticket", &self.ticket);
                    client.get(ask).await.expect("admitted traffic goes on").expect(200);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let outcome = tokio::select! {
            outcome = flood => outcome,
            never = admitted => never,
        };
        let grown = self.memory().await - before;
        assert!(grown < MOST_GROWTH, "grown by {grown} bytes");
        // And it still answers.
        let client = Http2::cleartext(self.gateway.address).await;
        client.get(request("GET", "/v1/holds").header("usher-ticket", &self.ticket)).await.unwrap().expect(200);
        outcome
    }

    async fn memory(&self) -> f64 {
        self.gateway.metrics().await.value("process_resident_memory_bytes")
    }

    async fn frames(&self) -> Frames {
        Frames::connect(self.gateway.address).await
    }

    async fn rejected(&self, reason: &str) -> f64 {
        let series = format!("usher_connections_rejected_total{{listener=\"public\",reason=\"{reason}\"}}");
        self.gateway.metrics().await.value(&series)
    }
}

/// The head of a request that has to wait.
fn head(path: &str) -> Vec<u8> {
    [field(":method", "GET"), field(":scheme", "http"), field(":path", path), field(":authority", HOST)].concat()
}

const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Rapid reset (CVE-2023-44487): requests taken back at once, in one segment or one by one, end the connection.
#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let target = Target::new().await;
    let code = target
        .under(async {
            let mut frames = target.frames().await;
            let mut burst = Vec::new();
            for index in 0..500 {
                let stream = 1 + 2 * index;
                burst.extend(frame(kind::HEADERS, END_HEADERS | 1, stream, &head("/")));
                burst.extend(frame(kind::RST_STREAM, 0, stream, &CANCEL));
            }
            // It may be closed before all of it has gone.
            let _ = frames.stream.write_all(&burst).await;
            frames.until_closed().await
        })
        .await;
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    eventually("the count", async || (target.rejected("flood").await >= 1.0).then_some(())).await;

    // Slowly enough that each request is looked at before it is taken back: work without an answer is counted too.
    let code = target
        .under(async {
            let mut frames = target.frames().await;
            let mut sent = 0;
            while sent < 2_000 {
                let fields = [head("/hang"), field("usher-ticket", &target.ticket)].concat();
                let stream = frames.request(&fields, true).await;
                // A ping comes back once the request before it was read.
                frames.send(kind::PING, 0, 0, &[0; 8]).await;
                if frames.read().await.is_none() {
                    break;
                }
                frames.send(kind::RST_STREAM, 0, stream, &CANCEL).await;
                sent += 1;
            }
            (sent, frames.until_closed().await)
        })
        .await;
    assert!(code.0 < 1_000 && code.1.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
}

/// CONTINUATION without end (CVE-2024-27316), empty DATA, pings and settings: ended or bounded.
#[tokio::test]
async fn frames_that_say_nothing_are_bounded() {
    let target = Target::new().await;
    target
        .under(async {
            let mut frames = target.frames().await;
            frames.send(kind::HEADERS, 0, 1, &head("/")).await;
            for _ in 0..1_000 {
                frames.send(kind::CONTINUATION, 0, 1, &field("x-more", "y")).await;
            }
            assert!(frames.until_closed().await.is_some_and(|code| code != 0), "it ends with a reason");
        })
        .await;
    target
        .under(async {
            let mut frames = target.frames().await;
            let fields = [
                field(":method", "POST"),
                field(":scheme", "http"),
                field(":path", "/v1/holds"),
                field(":authority", HOST),
            ];
            let fields = [&fields.concat()[..], &field("usher-ticket", &target.ticket)].concat();
            let stream = frames.request(&fields, false).await;
            let empty = frame(kind::DATA, 0, stream, &[]).repeat(1_000);
            for _ in 0..100 {
                if frames.stream.write_all(&empty).await.is_err() {
                    break;
                }
            }
            frames.until_closed().await;
        })
        .await;
    for (kind, payload) in [(kind::PING, &[0; 8][..]), (kind::SETTINGS, &[0, 4, 0, 1, 0, 0][..])] {
        target
            .under(async {
                let mut frames = target.frames().await;
                let many = frame(kind, 0, 0, payload).repeat(1_000);
                // Nothing is read: the answers have nowhere to go.
                for _ in 0..100 {
                    let write = frames.stream.write_all(&many);
                    if !matches!(tokio::time::timeout(Duration::from_millis(200), write).await, Ok(Ok(()))) {
                        break;
                    }
                }
            })
            .await;
    }
}

/// A header bomb (CVE-2026-49975): small blocks that decode to much are refused at 16 KiB of fields.
#[tokio::test]
async fn header_bombs_are_refused() {
    let target = Target::new().await;
    target
        .under(async {
            for _ in 0..20 {
                let mut frames = target.frames().await;
                // One field of 4 KiB into the table (6.2.1), then named a thousand times by one byte.
                let mut block = head("/");
                block.push(0x40);
                block.extend(&field("x-bomb", &"y".repeat(3_900))[1..]);
                block.extend([0xbe; 1_000]);
                let stream = frames.next_stream();
                frames.send(kind::HEADERS, END_HEADERS | 1, stream, &block).await;
                let status = frames.status(stream).await;
                assert!(matches!(status, Some(431) | None), "{status:?}");
            }
        })
        .await;
}

/// MadeYouReset (CVE-2025-8671): streams that the client's faults make the gateway reset are counted, and end it.
#[tokio::test]
async fn made_resets_end_the_connection() {
    let target = Target::new().await;
    let code = target
        .under(async {
            let mut frames = target.frames().await;
            for _ in 0..2_000 {
                let stream = frames.request(&head("/"), true).await;
                // A window beyond 2^31 - 1 is a fault of the stream (RFC 9113, 6.9.1).
                frames.send(kind::WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]).await;
            }
            frames.until_closed().await
        })
        .await;
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
}

/// A reader with a shut window gets nothing handed over to keep, and its streams are reset; so is the connection that has
/// only such ones.
#[tokio::test]
async fn stalled_readers_are_reset() {
    let target = Target::of("write_timeout = \"1s\"\n").await;
    target
        .under(async {
            // Answers of an upstream, and waiting pages of our own.
            let insider = [head("/bytes/1000000"), field("usher-ticket", &target.ticket)].concat();
            let outsider = [head("/"), field("accept", "text/html")].concat();
            let mut connections = Vec::new();
            for fields in [&insider, &outsider, &outsider] {
                // Initial window 0 (RFC 9113, 6.5.2).
                let mut frames = Frames::with_settings(target.gateway.address, &[(4, 0)]).await;
                let mut streams = Vec::new();
                for _ in 0..100 {
                    streams.push(frames.request(fields, true).await);
                }
                connections.push((frames, streams));
            }
            for (frames, streams) in &mut connections {
                for stream in streams {
                    assert_eq!(frames.outcome(*stream).await, None, "a stalled stream is reset");
                }
            }
        })
        .await;
    assert!(target.rejected("write").await >= 300.0);
}

/// A connection that says nothing, or stops within its preface, is closed.
#[tokio::test]
async fn half_a_preface_is_closed() {
    let target = Target::of("first_byte_timeout = \"300ms\"\nheader_timeout = \"300ms\"\n").await;
    for said in [&b""[..], b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"] {
        let mut stream = tokio::net::TcpStream::connect(target.gateway.address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "{said:?}: still open");
    }
    assert_eq!((target.rejected("first_byte").await, target.rejected("header").await), (1.0, 2.0));
}
