//! What a server must be before it is trusted with a line.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::Value;

use super::super::address::HostPort;
use super::super::classify;
use super::dial::{Dialed, at_host};
use super::info::{field, text};
use crate::store::StoreError;

/// The oldest server whose commands and script errors the steps rely on.
const OLDEST: (u32, u32) = (7, 0);

/// Checks servers as they are connected to.
#[derive(Debug, Default)]
pub(super) struct Check {
    warned: AtomicBool,
}

/// One process of a server: another one has forgotten what was not yet written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::redis) struct RunId(String);

impl RunId {
    /// Its name.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Check {
    /// Looks at a server that was just connected to: it must be awake, a primary, and new enough.
    pub(super) async fn server(&self, at: &HostPort, dialed: &mut Dialed) -> Result<RunId, StoreError> {
        let answers: Vec<Value> = redis::pipe()
            .cmd("PING")
            .cmd("ROLE")
            .cmd("INFO")
            .arg("server")
            .cmd("INFO")
            .arg("memory")
            .query_async(&mut dialed.connection)
            .await
            .map_err(|error| at_host(at, classify(&error)))?;
        let [_, role, server, memory] = answers.as_slice() else {
            return Err(StoreError::Script(format!("{at}: it did not tell what it is")));
        };
        is_primary(role).map_err(|error| at_host(at, error))?;
        let server = text(server);
        is_new_enough(&server).map_err(|error| at_host(at, error))?;
        self.warn_of_eviction(at, &text(memory));
        Ok(RunId(field(&server, "run_id").unwrap_or_default().to_owned()))
    }

    /// Looks at what the primaries of a cluster tell of themselves.
    pub(super) fn cluster(&self, answers: &Value) -> Result<(), StoreError> {
        let Value::Map(answers) = answers else {
            return Err(StoreError::Script("the cluster did not tell what it is".to_owned()));
        };
        for (node, info) in answers {
            let (node, info) = (text(node), text(info));
            is_new_enough(&info).map_err(|error| match error {
                StoreError::Script(problem) => StoreError::Script(format!("{node}: {problem}")),
                other => other,
            })?;
            self.warn_of_eviction(&node, &info);
        }
        Ok(())
    }

    fn warn_of_eviction(&self, at: &impl std::fmt::Display, memory: &str) {
        let bounded = field(memory, "maxmemory").is_some_and(|bytes| bytes != "0");
        let policy = field(memory, "maxmemory_policy").unwrap_or("noeviction");
        if bounded && policy != "noeviction" && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                server = %at,
                policy,
                "the store may throw lines away when its memory is full; set its maxmemory-policy to noeviction"
            );
        }
    }
}

fn is_primary(role: &Value) -> Result<(), StoreError> {
    let Value::Array(parts) = role else { return Err(unreadable("ROLE")) };
    match parts.first().map(text).as_deref() {
        Some("master") => Ok(()),
        Some("slave") => {
            let of = parts.get(1).map(text).unwrap_or_default();
            let port = parts.get(2).map(text).unwrap_or_default();
            Err(StoreError::ReadOnly(format!(
                "it is a replica of {of}:{port}; name the primary, or its Sentinels (redis+sentinel://)"
            )))
        }
        Some("sentinel") => Err(StoreError::ReadOnly("it is a Sentinel; write redis+sentinel://".to_owned())),
        _ => Err(unreadable("ROLE")),
    }
}

fn is_new_enough(info: &str) -> Result<(), StoreError> {
    let version = field(info, "redis_version").ok_or_else(|| unreadable("INFO"))?;
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let known = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if known < OLDEST {
        let (major, minor) = OLDEST;
        let problem = format!("it is Redis {version}, and {major}.{minor} or newer is needed; upgrade it");
        return Err(StoreError::Script(problem));
    }
    Ok(())
}

fn unreadable(command: &str) -> StoreError {
    StoreError::Script(format!("its answer to {command} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions are compared by number, and what a fork calls its compatible version counts.
    #[test]
    fn old_servers_are_refused() {
        for good in ["7.0.0", "7.0.15", "7.2.4", "10.0.1"] {
            is_new_enough(&format!("# Server\r\nredis_version:{good}\r\n")).unwrap();
        }
        for bad in ["6.2.14", "2.8", "x"] {
            let error = is_new_enough(&format!("redis_version:{bad}\r\n")).unwrap_err();
            assert!(error.to_string().contains("7.0 or newer is needed"), "{error}");
        }
    }
}
