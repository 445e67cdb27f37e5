//! Switching protocols: only with a ticket, only after the right `101`, and no longer than the session (N22).

use std::io::{Read as _, Write as _};
use std::time::Duration;

use gateway::clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Occupied;
use super::ask::{Ask, HOST};
use super::setup::Setup;
use super::usher::Gateway;
use super::visitor::Visitor;
use super::wait::{PATIENCE, eventually};
use crate::edge_support::{FakeUpstream, Served};

/// The key and its proof of RFC 6455, 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An open tunnel or stream is closed so soon after its session ended; and the time this machine needs to notice.
const CLOSED_WITHIN: Duration = Duration::from_millis(1_000 + 300);

/// Answers with what the path says, then echoes; what is not `/v1/…` is answered plainly.
fn answers(mut served: Served, seen: &std::sync::Mutex<Vec<String>>) {
    while let Some((head, _)) = served.request() {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let asked = head.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n");
        seen.lock().unwrap().push(head);
        let (line, upgrade, connection, proof) = match path.as_str() {
            "/v1/wrong-proof" => ("101 Switching Protocols", "websocket", "Upgrade", "c3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "/v1/wrong-protocol" => ("101 Switching Protocols", "h2c", "Upgrade", PROOF),
            "/v1/no-connection" => ("101 Switching Protocols", "websocket", "keep-alive", PROOF),
            "/v1/no-switch" => ("200 OK\r\ncontent-length: 0", "websocket", "Upgrade", PROOF),
            "/session/complete" => ("200 OK\r\ncontent-length: 0\r\nusher-session: complete", "x", "keep-alive", "x"),
            _ if asked => ("101 Switching Protocols", "websocket", "Upgrade", PROOF),
            _ => ("200 OK\r\ncontent-length: 0", "x", "keep-alive", "x"),
        };
        let early = if line.starts_with("101") { "early" } else { "" };
        served.send(format!(
            "HTTP/1.1 {line}\r\nupgrade: {upgrade}\r\nconnection: {connection}\r\nsec-websocket-accept: {proof}\r\n\r\n{early}"
        ));
        if !line.starts_with("101") {
            continue;
        }
        let mut bytes = [0; 1024];
        while let Ok(read @ 1..) = served.stream.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            seen.lock().unwrap().push(format!("tunnel: {text}"));
            if served.stream.get_mut().write_all(&bytes[..read]).is_err() {
                return;
            }
        }
        return;
    }
}

struct Sale {
    upstream: FakeUpstream,
    gateway: Gateway,
    visitor: Visitor,
}

impl Sale {
    async fn of(room: &str, listener: &str) -> Self {
        let upstream = FakeUpstream::start(answers);
        let setup = Setup::before_address(upstream.address)
            .listener(&format!("insecure_cookies = true\n{listener}"))
            .room("upgrades = [\"websocket\"]\n")
            .room(room);
        let gateway = Gateway::ready(&setup).await;
        let visitor = gateway.admitted().await;
        Self { upstream, gateway, visitor }
    }

    /// Sends a handshake and returns what comes with the head of its answer.
    async fn shake(&self, path: &str, ticket: Option<&str>, change: impl Fn(String) -> String) -> (TcpStream, String) {
        let credential = ticket.map_or_else(String::new, |ticket| format!("Usher-Ticket: {ticket}\r\n"));
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{credential}\r\nsent too soon"
        );
        let mut stream = TcpStream::connect(self.gateway.address).await.unwrap();
        stream.write_all(change(head).as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time");
            let Ok(byte) = byte else { break };
            heard.push(byte);
        }
        (stream, String::from_utf8(heard).unwrap())
    }

    async fn tunnel(&self) -> TcpStream {
        let (mut stream, head) = self.shake("/v1/live", self.visitor.ticket().as_deref(), |head| head).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.to_ascii_lowercase().contains(&format!("sec-websocket-accept: {}", PROOF.to_ascii_lowercase())));
        let mut early = [0; b"earlysent too soon".len()];
        stream.read_exact(&mut early).await.unwrap();
        assert_eq!(&early, b"earlysent too soon", "what each side said first comes first, and after the 101");
        stream
    }

    /// What was said inside tunnels, as the upstream heard it.
    fn said(&self) -> Vec<String> {
        self.upstream.seen().into_iter().filter(|seen| seen.starts_with("tunnel")).collect()
    }

    async fn open_tunnels(&self) -> f64 {
        self.gateway.metrics().await.value("usher_tunnels_open{listener=\"public\"}")
    }
}

async fn closed(stream: &mut TcpStream) {
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert!(end.is_ok(), "still open");
}

async fn echoes(stream: &mut TcpStream, text: &str) -> bool {
    let mut heard = vec![0; text.len()];
    stream.write_all(text.as_bytes()).await.is_ok() && stream.read_exact(&mut heard).await.is_ok()
}

/// A visitor with a ticket gets a tunnel: both ways, counted, and the upstream is told who it is.
#[tokio::test]
async fn a_ticket_opens_a_tunnel() {
    let sale = Sale::of("", "").await;
    let mut stream = sale.tunnel().await;
    assert!(echoes(&mut stream, "a seat?").await);
    assert_eq!(sale.open_tunnels().await, 1.0);
    let head = sale.upstream.seen().into_iter().find(|seen| seen.starts_with("GET /v1/live")).unwrap();
    assert!(head.contains("usher-visitor: ") && head.to_ascii_lowercase().contains("connection: upgrade"), "{head}");
    drop(stream);
    eventually("the end", async || (sale.open_tunnels().await == 0.0).then_some(())).await;
}

/// Without a good ticket, on whatever path, and for whatever is not on the list, there is no switch: nothing that is said
/// behind the request reaches the upstream (h2c smuggling, CVE-2026-2833).
#[tokio::test]
async fn nothing_else_opens_one() {
    let sale = Sale::of("", "").await;
    let ticket = sale.visitor.ticket();
    let forged = ticket.clone().map(|ticket| format!("{ticket}x"));
    let same = |head: String| head;
    for (path, ticket) in [
        ("/v1/live", None),
        ("/v1/live", forged.as_deref()),
        ("/assets/live", None),
        ("/assets/live", forged.as_deref()),
    ] {
        let (_, head) = sale.shake(path, ticket, same).await;
        assert!(!head.starts_with("HTTP/1.1 101"), "{path}: {head}");
    }
    for (from, to) in [
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade", "Connection: keep-alive"),
        ("Version: 13", "Version: 8"),
        (KEY, "c2hvcnQ="),
        ("GET ", "POST "),
        ("HTTP/1.1\r\n", "HTTP/1.0\r\n"),
    ] {
        let (_, head) = sale.shake("/v1/live", ticket.as_deref(), |head| head.replacen(from, to, 1)).await;
        assert!(head.starts_with("HTTP/1.") && !head.contains(" 101 "), "{to}: {head}");
        if to == "Version: 8" {
            assert!(head.starts_with("HTTP/1.1 426 ") && head.contains("sec-websocket-version: 13"), "{head}");
        }
    }
    for path in ["/v1/wrong-proof", "/v1/wrong-protocol", "/v1/no-connection"] {
        let (_, head) = sale.shake(path, ticket.as_deref(), same).await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{path}: {head}");
    }
    let (_, head) = sale.shake("/v1/no-switch", ticket.as_deref(), same).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(sale.said(), Vec::<String>::new());
    assert_eq!(sale.open_tunnels().await, 0.0);
}

/// A room that allows no switch forwards the request without it.
#[tokio::test]
async fn a_room_without_upgrades_has_none() {
    let sale = Sale::of("", "").await;
    let setup = Setup::before_address(sale.upstream.address);
    let gateway = Gateway::ready(&setup).await;
    let visitor = gateway.admitted().await;
    let plain = Sale { upstream: FakeUpstream::plain(), gateway, visitor };
    let (_, head) = plain.shake("/v1/live", plain.visitor.ticket().as_deref(), |head| head).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let asked = sale.upstream.seen().into_iter().find(|seen| seen.starts_with("GET /v1/live")).unwrap();
    assert!(!asked.to_ascii_lowercase().contains("\r\nupgrade:"), "{asked}");
}

/// A tunnel ends with its session within a second, whoever ended it, and being open does not prolong it.
#[tokio::test]
async fn a_tunnel_ends_with_its_session() {
    let mut sale = Sale::of("", "").await;
    let mut stream = sale.tunnel().await;
    sale.visitor.send(Ask::get("/session/complete")).await.expect(200);
    let began = clock::monotonic();
    closed(&mut stream).await;
    let took = clock::monotonic().duration_since(began);
    assert!(took < CLOSED_WITHIN, "{took:?}");
    let cut = sale.gateway.metrics().await;
    assert_eq!(cut.value("usher_connections_rejected_total{listener=\"public\",reason=\"session\"}"), 1.0);
}

/// The session's end counts, not that of the ticket that opened the tunnel: other requests prolong it, up to its
/// greatest length; what is said in the tunnel does not.
#[tokio::test]
async fn a_tunnel_lasts_as_long_as_its_session() {
    let mut sale = Sale::of("session_duration = \"10s\"\nmax_session_duration = \"14s\"\n", "").await;
    let began = clock::monotonic();
    let mut active = sale.tunnel().await;
    let idle = sale.gateway.admitted().await;
    let mut other = Sale { upstream: FakeUpstream::plain(), gateway: sale.gateway, visitor: idle };
    let mut silent = other.tunnel().await;
    let (mut silent_lasted, mut active_lasted) = (None, None);
    while silent_lasted.is_none() || active_lasted.is_none() {
        let now = clock::monotonic().duration_since(began);
        assert!(now < Duration::from_secs(20), "{silent_lasted:?} {active_lasted:?}");
        if silent_lasted.is_none() && !echoes(&mut silent, "still here").await {
            silent_lasted = Some(now);
        }
        if active_lasted.is_none() && !echoes(&mut active, "still here").await {
            active_lasted = Some(now);
        }
        if now < Duration::from_secs(12) {
            sale.visitor.send(Ask::get("/v1/holds")).await.expect(200);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (silent, active) = (silent_lasted.unwrap().as_secs_f64(), active_lasted.unwrap().as_secs_f64());
    assert!((8.5..11.8).contains(&silent), "{silent}");
    assert!((12.5..15.8).contains(&active), "{active}");
    other.visitor.send(Ask::get("/v1/holds")).await;
}

/// A long answer ends with its session too, and visibly: it does not look whole (N26).
#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let Occupied { gateway, mut insider, origin } = Occupied::new().await;
    let ticket = insider.ticket().unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!("GET /trickle HTTP/1.1\r\nHost: {HOST}\r\nUsher-Ticket: {ticket}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = vec![0; 1];
    stream.read_exact(&mut heard).await.unwrap();
    while !String::from_utf8_lossy(&heard).contains("first ") {
        heard.push(stream.read_u8().await.unwrap());
    }
    insider.send(Ask::get("/session/complete")).await.expect(200);
    let began = clock::monotonic();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    let took = clock::monotonic().duration_since(began);
    assert!(took < CLOSED_WITHIN, "{took:?}");
    assert!(end.is_err() || !String::from_utf8_lossy(&rest).contains("0\r\n\r\n"), "{rest:?}");
    drop(origin);
}

/// A tunnel in which nothing is said ends, and all of them end when the gateway does (N27, N30).
#[tokio::test]
async fn silence_and_drains_end_tunnels() {
    let mut sale = Sale::of("", "tunnel_idle_timeout = \"500ms\"\n").await;
    let mut silent = sale.tunnel().await;
    closed(&mut silent).await;
    let mut stream = sale.tunnel().await;
    sale.gateway.process.signal("TERM");
    closed(&mut stream).await;
    assert_eq!(sale.gateway.process.ended().await, Some(0));
}
