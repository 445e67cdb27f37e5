//! Values that must not be seen: given by `${NAME}`, by a file, or by an override; never written in the file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::document::{Node, Origin, Spot};
use super::reader::{Read, Reader};
use super::scalar::text_of;
use super::schema::Kind;

/// The longest secret file in bytes: keys are a few hundred; a wrong path must not fill the memory.
const LONGEST_SECRET_FILE: u64 = 64 << 10;

/// A URL in which `${NAME}` was replaced. It may hold a password.
#[derive(Clone, Debug)]
pub(super) struct SecretUrl {
    pub(super) url: SecretString,
    /// Whether it stands word for word in the file, where a password must not be.
    pub(super) literal: bool,
}

impl Read for SecretUrl {
    const KIND: Kind = Kind::Value("a URL, in which ${NAME} stands for an environment variable");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = text_of(node, spot, reader, &Self::KIND)?;
        let literal = matches!(node.origin, Origin::File(_)) && !text.contains("${");
        match reader.environment.interpolate(text) {
            Ok(url) => Some(Self { url: url.into(), literal }),
            Err(problem) => {
                reader.findings.error(spot, problem);
                None
            }
        }
    }
}

/// A URL without a password, in which `${NAME}` was replaced.
#[derive(Clone, Debug)]
pub(super) struct Url(pub(super) String);

impl Read for Url {
    const KIND: Kind = SecretUrl::KIND;

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        SecretUrl::read(node, spot, reader).map(|read| Self(read.url.expose_secret().to_owned()))
    }
}

/// The content of a file that the configuration names; spaces and line ends around it are cut off.
#[derive(Clone, Debug)]
pub(super) struct SecretFile {
    pub(super) content: SecretString,
}

impl Read for SecretFile {
    const KIND: Kind = Kind::Value("the path of a readable file, from the folder of this file on");

    fn read(node: &Node, spot: &Spot, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let path = PathBuf::from(String::read(node, spot, reader)?);
        let path = reader.folder.join(path);
        match content(&path) {
            Ok(content) if content.expose_secret().is_empty() => {
                reader.findings.error(spot, format!("{} is empty", path.display()));
                None
            }
            Ok(content) => Some(Self { content }),
            Err(error) => {
                reader.findings.error(spot, format!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }
}

fn content(path: &Path) -> std::io::Result<SecretString> {
    let mut text = Zeroizing::new(String::new());
    let read = std::fs::File::open(path)?.take(LONGEST_SECRET_FILE + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > LONGEST_SECRET_FILE) {
        return Err(std::io::Error::other(format!("longer than {LONGEST_SECRET_FILE} bytes")));
    }
    Ok(text.trim().into())
}
