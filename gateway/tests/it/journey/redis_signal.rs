//! Stopping a Redis in mid-run without losing what it knows.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::redis_server::RedisServer;
use super::usher::signal;

/// The process of a running Redis.
pub(crate) struct RedisProcess(u32);

impl RedisProcess {
    pub(crate) async fn of(redis: &RedisServer) -> Self {
        let answer = Self::info(redis).await;
        let id = answer.lines().find_map(|line| line.strip_prefix("process_id:")).expect("a process id");
        Self(id.trim().parse().unwrap())
    }

    /// What a Redis tells of itself.
    pub(crate) async fn info(redis: &RedisServer) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).await.unwrap();
        stream.write_all(b"INFO\r\nQUIT\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// It keeps its connections and answers nothing.
    pub(crate) fn freeze(&self) {
        signal(self.0, "STOP");
    }

    pub(crate) fn thaw(&self) {
        signal(self.0, "CONT");
    }
}
