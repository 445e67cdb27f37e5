//! What a test does to a Redis behind its users' backs.

use super::redis_server::RedisServer;

/// Every key with its value, as the server serializes it.
pub(crate) struct Dump(Vec<(Vec<u8>, Vec<u8>)>);

impl RedisServer {
    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Sends a command.
    pub(crate) async fn command(&self, words: &[&str]) {
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(word);
        });
        command.exec_async(&mut self.connection().await).await.unwrap();
    }

    pub(crate) async fn dump(&self) -> Dump {
        let mut connection = self.connection().await;
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        let mut dump = Vec::new();
        for key in keys {
            let value = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.unwrap();
            dump.push((key, value));
        }
        Dump(dump)
    }

    pub(crate) async fn restore(&self, dump: Dump) {
        let mut connection = self.connection().await;
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
        for (key, value) in dump.0 {
            redis::cmd("RESTORE").arg(key).arg(0).arg(value).exec_async(&mut connection).await.unwrap();
        }
    }
}
