//! Opening the listening socket.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait for `accept`: above the bursts of an opening; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4096;

/// Why the address cannot be listened on. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Someone else listens there.
    #[error("{address} is taken: another process listens there; stop it or choose another address in `bind`")]
    Taken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The port is below 1024 and the process has no right to it.
    #[error("no permission to listen on {address}: choose a port above 1023 or grant CAP_NET_BIND_SERVICE")]
    Forbidden {
        /// The address asked for.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error("{address} is no address of this machine; use one of its own, or 0.0.0.0 for all")]
    NotHere {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address}")]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on `address`, non-blocking and ready for a runtime. With `reuse_port` every core of this process (and any
/// other process of the same user that also asks for it) may listen there at once, and the kernel spreads connections.
///
/// # Errors
/// [`BindError`] when the address is taken, forbidden, foreign, or the system refuses otherwise.
pub fn bind(address: SocketAddr, reuse_port: bool) -> Result<std::net::TcpListener, BindError> {
    open(address, reuse_port).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
        _ => BindError::Other { address, source },
    })
}

fn open(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An operator who starts a second gateway is told which address is taken and what to do.
    #[test]
    fn a_taken_port_is_told() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), false).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address, true).unwrap_err();
        assert!(matches!(error, BindError::Taken { .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains(&address.to_string()) && told.contains("`bind`"), "{told}");
    }

    /// Cores share one address.
    #[test]
    fn cores_share_an_address() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), true).unwrap();
        assert!(bind(first.local_addr().unwrap(), true).is_ok());
    }
}
