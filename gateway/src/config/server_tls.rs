//! TLS toward a server: who vouches for it, and who we are to it. For the store and for upstreams alike.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use queue_core::store::{Identity, Trust};
use secrecy::ExposeSecret as _;

use super::reader::{Field, Reader};
use super::secret::SecretFile;

/// The longest file of certificates in bytes: all authorities that a host trusts are a quarter of it.
const LARGEST_CA_FILE: u64 = 1 << 20;

/// The authorities in `ca_file`; `None` when it is not given, or wrong and this was told.
pub(super) fn trust(ca_file: &Field<Option<String>>, reader: &mut Reader<'_, '_>) -> Option<Trust> {
    let path = reader.folder.join(ca_file.given()?);
    let trust = contents(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
        .and_then(|pem| Trust::only(&pem).map_err(|error| format!("{} {error}", path.display())));
    trust.map_err(|problem| reader.findings.error(&ca_file.spot, problem)).ok()
}

/// Our own certificate; `None` when it is not given, or wrong and this was told.
pub(super) fn identity(
    cert_file: &Field<Option<String>>,
    key_file: &Field<Option<SecretFile>>,
    reader: &mut Reader<'_, '_>,
) -> Option<Identity> {
    let (file, key) = match (cert_file.given(), key_file.given()) {
        (Some(file), Some(key)) => (file, key),
        (Some(_), None) if !key_file.given => {
            reader.findings.error(&cert_file.spot, "has no key; set client_key_file too");
            return None;
        }
        (None, Some(_)) if !cert_file.given => {
            reader.findings.error(&key_file.spot, "has no certificate; set client_cert_file too");
            return None;
        }
        _ => return None,
    };
    let path = reader.folder.join(file);
    let identity =
        contents(&path).map_err(|error| format!("cannot read {}: {error}", path.display())).and_then(|certificate| {
            Identity::new(&certificate, key.content.expose_secret().as_bytes()).map_err(|error| error.to_string())
        });
    identity.map_err(|problem| reader.findings.error(&cert_file.spot, problem)).ok()
}

fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let read = File::open(path)?.take(LARGEST_CA_FILE + 1).read_to_end(&mut contents)?;
    if u64::try_from(read).is_ok_and(|read| read > LARGEST_CA_FILE) {
        return Err(std::io::Error::other(format!("longer than {LARGEST_CA_FILE} bytes")));
    }
    Ok(contents)
}
