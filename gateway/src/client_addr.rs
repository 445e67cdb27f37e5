//! Whose request it is: the right-most hop that no trusted proxy vouches for.

mod forwarded;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use ipnet::IpNet;

use forwarded::Hops;

/// The address of a client. Never one that the client made up: see [`TrustedProxies::client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr(IpAddr);

/// What one client is counted as: an IPv4 address, or the network that one IPv6 subscriber has to himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientBucket(IpAddr);

/// The networks whose word about the address before them is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl ClientAddr {
    /// The peer of a connection. IPv4 written as IPv6 becomes IPv4.
    pub const fn of_peer(peer: IpAddr) -> Self {
        Self(peer.to_canonical())
    }

    /// The address.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// What the client is counted as. IPv6 addresses are cut to `ipv6_prefix` bits (64 is what a subscriber has); more
    /// than 128 is 128.
    pub fn bucket(self, ipv6_prefix: u8) -> ClientBucket {
        match self.0 {
            IpAddr::V4(_) => ClientBucket(self.0),
            IpAddr::V6(address) => {
                let beyond = u32::from(128_u8.saturating_sub(ipv6_prefix));
                let mask = u128::MAX.checked_shl(beyond).unwrap_or(0);
                ClientBucket(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask)))
            }
        }
    }
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TrustedProxies {
    /// These networks.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this address may speak for others.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether nobody is trusted.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client of a request that came from `peer`: starting at the peer, for as long as a hop is trusted, the hop that
    /// it names. A trusted proxy writes one of `X-Forwarded-For` and `Forwarded` and may pass on a forged other one, so
    /// when both lead to different clients neither is believed and the peer itself is the client.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        let peer = ClientAddr::of_peer(peer);
        if !self.trusts(peer.0) {
            return peer;
        }
        let walk = |hops: Hops| self.walk(peer, &hops);
        match (Hops::of_x_forwarded_for(headers).map(walk), Hops::of_forwarded(headers).map(walk)) {
            (None, None) => peer,
            (Some(client), None) | (None, Some(client)) => client,
            (Some(one), Some(other)) => {
                if one == other {
                    one
                } else {
                    peer
                }
            }
        }
    }

    fn walk(&self, peer: ClientAddr, hops: &Hops) -> ClientAddr {
        let mut client = peer;
        for hop in hops.nearest_first() {
            // What is no address names nobody: the proxy that reported it stays the last one known.
            let Some(address) = hop else { break };
            client = ClientAddr::of_peer(address);
            if !self.trusts(address) {
                break;
            }
        }
        client
    }
}
