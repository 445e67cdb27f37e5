//! A question to one server, beside the store under test.

use crate::support::redis_server::RedisServer;

/// What a server answers, as words; nothing while it cannot be asked.
pub(crate) async fn ask(server: &RedisServer, password: Option<&str>, words: &[&str]) -> String {
    try_to_ask(server, password, words).await.unwrap_or_default()
}

async fn try_to_ask(server: &RedisServer, password: Option<&str>, words: &[&str]) -> redis::RedisResult<String> {
    let login = password.map(|password| format!(":{password}@")).unwrap_or_default();
    let client = redis::Client::open(format!("redis://{login}127.0.0.1:{}", server.port()))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    Ok(match command.query_async::<redis::Value>(&mut connection).await? {
        redis::Value::Array(items) => {
            let words = items.into_iter().map(|item| redis::from_redis_value(item).unwrap_or_default());
            words.collect::<Vec<String>>().join(" ")
        }
        other => redis::from_redis_value(other)?,
    })
}
