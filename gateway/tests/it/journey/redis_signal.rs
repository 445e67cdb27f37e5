//! Stopping a Redis in mid-run without losing what it knows.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::redis_server::RedisServer;
use super::usher::signal;

/// The process of a running Redis.
pub(crate) struct RedisProcess(u32);

impl RedisProcess {
    pub(crate) async fn of(redis: &RedisServer) -> Self {
        let answer = say(redis, "INFO server").await;
        let id = answer.lines().find_map(|line| line.strip_prefix("process_id:")).expect("a process id");
        Self(id.trim().parse().unwrap())
    }

    /// What a Redis tells of itself.
    pub(crate) async fn info(redis: &RedisServer) -> String {
        say(redis, "INFO").await
    }

    /// It forgets everything.
    pub(crate) async fn flush(redis: &RedisServer) {
        let answer = say(redis, "FLUSHALL").await;
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// It keeps its connections and answers nothing.
    pub(crate) fn freeze(&self) {
        signal(self.0, "STOP");
    }

    pub(crate) fn thaw(&self) {
        signal(self.0, "CONT");
    }
}

/// One command, and what comes back until the connection ends.
async fn say(redis: &RedisServer, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).await.unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
