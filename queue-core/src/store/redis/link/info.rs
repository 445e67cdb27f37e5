//! Reading INFO.

use redis::{FromRedisValue as _, Value};

/// The value of a line `name:value`.
pub(in crate::store::redis) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// An answer as text; empty when it is none.
pub(in crate::store::redis) fn text(value: &Value) -> String {
    String::from_redis_value_ref(value).unwrap_or_default()
}
