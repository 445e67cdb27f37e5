//! Reading addresses. Nothing of a text that could be a password is ever told.

use percent_encoding::percent_decode_str;

use super::{HostPort, Login, RedisAddress, SENTINEL_PORT, SERVER_PORT};
use crate::store::redis::link::{Identity, Tls, Trust};

/// The most hosts an address may list: each is asked at every fail-over.
const MOST_HOSTS: usize = 32;

/// What is wrong with an address. It shows hosts and names, and nothing of user or password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another kind of store, or none.
    #[error(
        "is not the address of a Redis; write redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"
    )]
    Scheme,
    /// Nobody to ask.
    #[error("names no host; write one after \"://\"")]
    NoHost,
    /// A comma too many.
    #[error("has an empty host in its list; remove the extra comma")]
    EmptyHost,
    /// More than one host where there can only be one.
    #[error("lists several hosts; one server has one address, for several write redis+sentinel:// or redis+cluster://")]
    SeveralHosts,
    /// Too long a list.
    #[error("lists more than {MOST_HOSTS} hosts; a few are enough, the others are learned from them")]
    TooManyHosts,
    /// Characters that no host name has.
    #[error("has a host that is no name and no address; an IPv6 address stands in brackets: [::1]:6379")]
    BadHost,
    /// No port number.
    #[error("has a bad port after \"{0}:\"; a port is a number from 1 to 65535")]
    BadPort(String),
    /// Something after the host that is no database.
    #[error("has a bad database after \"/\"; a database is a number from 0 to 65535")]
    BadDatabase,
    /// A database where there is none.
    #[error("names a database, and a cluster has only one; remove what follows the hosts")]
    ClusterDatabase,
    /// Sentinels watch several primaries by name.
    #[error("names no primary; write its name after the Sentinels: redis+sentinel://h1,h2,h3/mymaster")]
    NoName,
    /// Options are keys of their own.
    #[error("has options after \"?\" or \"#\"; there are none")]
    Options,
}

impl RedisAddress {
    /// Reads an address. TLS trusts the host's own roots until [`RedisAddress::trust`] says otherwise.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        // A password that was put in for a variable may hold any character, '/' and '@' too; hosts and paths hold no '@'.
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Login::parse(login), rest),
            None => (Login::default(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            "redis" | "rediss" => {
                let [at] = <[HostPort; 1]>::try_from(HostPort::list(hosts, SERVER_PORT)?)
                    .map_err(|_| AddressError::SeveralHosts)?;
                let tls = (scheme == "rediss").then_some(Tls::HOST);
                Ok(Self::Server { at, tls, login, database: database(path)? })
            }
            "redis+sentinel" | "rediss+sentinel" => {
                let sentinels = HostPort::list(hosts, SENTINEL_PORT)?;
                let (name, number) = path.split_once('/').unwrap_or((path, ""));
                no_options(name)?;
                if name.is_empty() {
                    return Err(AddressError::NoName);
                }
                let (name, sentinel_login) = (name.to_owned(), Login::default());
                let tls = (scheme == "rediss+sentinel").then_some(Tls::HOST);
                Ok(Self::Sentinel { sentinels, name, tls, login, sentinel_login, database: database(number)? })
            }
            "redis+cluster" | "rediss+cluster" => {
                no_options(path)?;
                let nodes = HostPort::list(hosts, SERVER_PORT)?;
                let tls = (scheme == "rediss+cluster").then_some(Tls::HOST);
                if path.is_empty() {
                    Ok(Self::Cluster { nodes, tls, login })
                } else {
                    Err(AddressError::ClusterDatabase)
                }
            }
            _ => Err(AddressError::Scheme),
        }
    }

    /// Trusts only these; answers whether the address has TLS at all.
    pub fn trust(&mut self, trust: Trust) -> bool {
        self.tls().map(|tls| tls.trust = trust).is_some()
    }

    /// Shows this certificate to servers that ask for one; answers whether the address has TLS at all.
    pub fn identify(&mut self, identity: Identity) -> bool {
        self.tls().map(|tls| tls.identity = Some(identity)).is_some()
    }

    const fn tls(&mut self) -> Option<&mut Tls> {
        match self {
            Self::Server { tls, .. } | Self::Sentinel { tls, .. } | Self::Cluster { tls, .. } => tls.as_mut(),
        }
    }

    /// Logs in at the Sentinels as this; answers whether there are any.
    pub fn log_in_at_sentinels(&mut self, login: Login) -> bool {
        match self {
            Self::Sentinel { sentinel_login, .. } => {
                *sentinel_login = login;
                true
            }
            _ => false,
        }
    }
}

impl Login {
    fn parse(text: &str) -> Self {
        let (user, password) = text.split_once(':').map_or((text, ""), |(user, password)| (user, password));
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into);
            (!decoded.is_empty()).then_some(decoded)
        };
        Self { user: decoded(user), password: decoded(password).map(Into::into) }
    }
}

impl HostPort {
    fn list(text: &str, port: u16) -> Result<Vec<Self>, AddressError> {
        no_options(text)?;
        if text.is_empty() {
            return Err(AddressError::NoHost);
        }
        let list = text.split(',').map(|item| Self::parse(item, port)).collect::<Result<Vec<_>, _>>()?;
        if list.len() > MOST_HOSTS { Err(AddressError::TooManyHosts) } else { Ok(list) }
    }

    fn parse(text: &str, default: u16) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(AddressError::BadHost)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| AddressError::BadHost)?;
                let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').unwrap_or("")) };
                (host, port)
            }
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(if text.is_empty() { AddressError::EmptyHost } else { AddressError::NoHost });
        }
        let of_a_host = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_' | ':');
        if !host.chars().all(of_a_host) {
            return Err(AddressError::BadHost);
        }
        let port = match port {
            None => default,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                // Not the port itself: it could be a password whose '@' was forgotten.
                _ => return Err(AddressError::BadPort(host.to_owned())),
            },
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

fn database(text: &str) -> Result<u16, AddressError> {
    no_options(text)?;
    if text.is_empty() { Ok(0) } else { text.parse().map_err(|_| AddressError::BadDatabase) }
}

fn no_options(text: &str) -> Result<(), AddressError> {
    if text.contains(['?', '#']) { Err(AddressError::Options) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn hosts(list: &[HostPort]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    /// One server: everything but the host may be left out, and a password may hold any character.
    #[test]
    fn one_server() {
        let RedisAddress::Server { at, tls, login, database } = RedisAddress::parse("redis://h").unwrap() else {
            panic!("not a server")
        };
        assert_eq!((at.to_string(), tls.is_none(), database), ("h:6379".to_owned(), true, 0));
        assert!(login.user.is_none() && login.password.is_none());
        let parsed = RedisAddress::parse("rediss://me:p/a@s%2Fs?@[::1]:7/3").unwrap();
        let RedisAddress::Server { at, tls, login, database } = parsed else { panic!("not a server") };
        assert_eq!((at.to_string(), tls.is_some(), database), ("[::1]:7".to_owned(), true, 3));
        assert_eq!(login.user.as_deref(), Some("me"));
        assert_eq!(login.password.unwrap().expose_secret(), "p/a@s/s?");
    }

    /// Sentinels have their own port, the primary's name, and perhaps a database.
    #[test]
    fn sentinels() {
        let parsed = RedisAddress::parse("redis+sentinel://:pw@a,b:7,c/mymaster/2").unwrap();
        let RedisAddress::Sentinel { sentinels, name, login, database, .. } = parsed else { panic!("no Sentinels") };
        assert_eq!(hosts(&sentinels), ["a:26379", "b:7", "c:26379"]);
        assert_eq!((name.as_str(), database, login.user.is_none()), ("mymaster", 2, true));
        for (scheme, has_tls) in [("redis", false), ("rediss", true)] {
            let parsed = RedisAddress::parse(&format!("{scheme}+sentinel://a/mymaster")).unwrap();
            assert!(matches!(parsed, RedisAddress::Sentinel { tls, .. } if tls.is_some() == has_tls));
        }
        assert_eq!(login.password.unwrap().expose_secret(), "pw");
    }

    /// Some nodes of a cluster, with TLS or without; what is trusted goes with those that have it.
    #[test]
    fn clusters() {
        for (scheme, has_tls) in [("redis", false), ("rediss", true)] {
            let mut parsed = RedisAddress::parse(&format!("{scheme}+cluster://me:pw@a:1,b")).unwrap();
            assert_eq!(parsed.trust(Trust::Host), has_tls);
            let RedisAddress::Cluster { nodes, tls, login } = parsed else { panic!("no cluster") };
            assert_eq!((hosts(&nodes), tls.is_some()), (vec!["a:1".to_owned(), "b:6379".to_owned()], has_tls));
            assert_eq!((login.user.as_deref(), login.password.unwrap().expose_secret()), (Some("me"), "pw"));
        }
    }

    /// Every mistake is named, and no message or `Debug` shows a password, wherever it was put by mistake.
    #[test]
    fn mistakes_are_named() {
        use AddressError::*;
        for (text, error) in [
            ("hunter2", Scheme),
            ("http://h", Scheme),
            ("redis://", NoHost),
            ("redis://:6379", NoHost),
            ("redis://a,b", SeveralHosts),
            ("redis://h:", BadPort("h".to_owned())),
            ("redis://h:0", BadPort("h".to_owned())),
            ("redis://h:hunter2", BadPort("h".to_owned())),
            ("redis://[::1", BadHost),
            ("redis://[::1]6", BadPort("::1".to_owned())),
            ("redis://a b", BadHost),
            ("redis://h/db", BadDatabase),
            ("redis://h/0?x=1", Options),
            ("redis+sentinel:///mymaster", NoHost),
            ("redis+sentinel://a,,b/mymaster", EmptyHost),
            ("redis+sentinel://a,b", NoName),
            ("redis+sentinel://a,b/", NoName),
            ("redis+sentinel://a/n/x", BadDatabase),
            ("redis+sentinel://a/n?password=hunter2", Options),
            ("redis+cluster://a,b/1", ClusterDatabase),
            ("rediss+cluster://a,b/1", ClusterDatabase),
            ("redis+cluster://", NoHost),
        ] {
            let told = RedisAddress::parse(text).map(|_| ()).unwrap_err();
            assert_eq!(told, error, "{text}");
            assert!(!format!("{told} {told:?}").contains("hunter2"));
        }
        let many = format!("redis+cluster://{}", ["h"; 33].join(","));
        assert_eq!(RedisAddress::parse(&many).map(|_| ()).unwrap_err(), TooManyHosts);
        let address = RedisAddress::parse("redis://me:hunter2@h").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
