//! What the log says of a store, and what it must not.

use std::io;
use std::sync::{Arc, Mutex};

use queue_core::store::StoreError;
use tracing_subscriber::fmt::MakeWriter;

use super::ask::ask;
use super::gateway::Gateway;
use crate::support::redis_server::RedisServer;
use crate::support::wait::eventually;

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A server that may throw lines away is warned of once, however often it is connected to; a store that is away is told
/// once and not at every attempt; and no password is ever in the log, of a server that takes it or of one that does not.
#[tokio::test]
async fn the_log_of_a_store() {
    let server = RedisServer::start_with(|port, _| {
        let port = port.to_string();
        let options = ["--port", &port, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
        options.iter().chain(&["--requirepass", "hunter2"]).map(ToString::to_string).collect()
    });
    let Some(mut server) = server else { return };
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let _here = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
    let mut gateway = Gateway::at(&format!("redis://:hunter2@127.0.0.1:{}", server.port()));
    eventually("a room", async || gateway.open(1).await.ok()).await;
    for _ in 0..2 {
        assert!(ask(&server, Some("hunter2"), &["CLIENT", "KILL", "TYPE", "normal"]).await.parse::<u32>().is_ok());
        eventually("a place", async || gateway.join(1).await.ok()).await;
    }
    assert_eq!(log.text().matches("maxmemory-policy").count(), 1, "{}", log.text());
    assert!(log.text().matches("connected to the store").count() >= 2, "{}", log.text());

    server.kill();
    let mut refused = 0;
    eventually("ten refusals", async || {
        refused += u32::from(matches!(gateway.join(1).await, Err(StoreError::Io(_))));
        (refused >= 10).then_some(())
    })
    .await;
    assert_eq!(log.text().matches("the store cannot be used").count(), 1, "{}", log.text());
    server.start_again();
    let mut stranger = Gateway::at(&format!("redis://:hunter3@127.0.0.1:{}", server.port()));
    eventually("the refusal", async || stranger.open(1).await.err().filter(|error| *error != StoreError::Timeout))
        .await;
    assert!(!log.text().contains("hunter"), "{}", log.text());
}
