//! A question to one server, beside the store under test.

use redis::{Client, RedisResult, TlsCertificates, Value};

use crate::support::redis_server::RedisServer;

/// What a server answers, as words; nothing while it cannot be asked.
pub(crate) async fn ask(server: &RedisServer, password: Option<&str>, words: &[&str]) -> String {
    let login = password.map(|password| format!(":{password}@")).unwrap_or_default();
    let client = Client::open(format!("redis://{login}127.0.0.1:{}", server.port()));
    try_to_ask(client, words).await.unwrap_or_default()
}

/// The same of a server that speaks only TLS.
pub(crate) async fn ask_over_tls(
    host: &str,
    server: &RedisServer,
    certificates: TlsCertificates,
    words: &[&str],
) -> String {
    let client = Client::build_with_tls(format!("rediss://{host}:{}", server.port()), certificates);
    try_to_ask(client, words).await.unwrap_or_default()
}

async fn try_to_ask(client: RedisResult<Client>, words: &[&str]) -> RedisResult<String> {
    let mut connection = client?.get_multiplexed_async_connection().await?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    Ok(match command.query_async::<Value>(&mut connection).await? {
        Value::Array(items) => {
            let words = items.into_iter().map(|item| redis::from_redis_value(item).unwrap_or_default());
            words.collect::<Vec<String>>().join(" ")
        }
        other => redis::from_redis_value(other)?,
    })
}
