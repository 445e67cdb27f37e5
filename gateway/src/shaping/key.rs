//! Whom a limit counts.

use std::net::IpAddr;

use queue_core::VisitorId;

use super::Scope;

/// Who asks, for what.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// The client's address, resolved through trusted proxies.
    pub client: IpAddr,
    /// The visitor, once known. Limits by visitor do not apply before.
    pub visitor: Option<VisitorId>,
    /// The room's name.
    pub room: &'a str,
    /// The upstream's name.
    pub upstream: &'a str,
}

impl Keys<'_> {
    /// The key under which a limit of this scope counts, if it applies. Of an IPv6 client `ipv6_prefix` leading bits count.
    pub(super) fn of(&self, scope: Scope, ipv6_prefix: u8) -> Option<u128> {
        match scope {
            Scope::Client => Some(client_key(self.client, ipv6_prefix)),
            Scope::Visitor => self.visitor.map(|visitor| u128::from_le_bytes(*visitor.as_bytes())),
            Scope::Room => Some(name_key(self.room)),
            Scope::Upstream => Some(name_key(self.upstream)),
        }
    }
}

fn client_key(client: IpAddr, ipv6_prefix: u8) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => {
            let ignored = 128_u32.saturating_sub(ipv6_prefix.into());
            address.to_bits() & u128::MAX.checked_shl(ignored).unwrap_or(0)
        }
    }
}

/// FNV-1a with 128 bits: names come from the operator's config, nobody plants collisions.
fn name_key(name: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    name.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}
