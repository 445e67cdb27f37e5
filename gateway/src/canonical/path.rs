//! The canonical path.

use std::borrow::Cow;
use std::fmt;

use super::percent::{self, Decoded};

/// A path in its one canonical form: begins with `/`, has no empty, `.` or `..` segments (a trailing slash stays), and
/// every character is written in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'r>(Cow<'r, str>);

/// Why a path is refused: another parser could read it differently than we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRefusal {
    /// It does not begin with a slash: `*`, an authority, or nothing.
    #[error("a path must begin with a slash")]
    NotAbsolute,
    /// A `%` without two hex digits.
    #[error("a percent sign must be followed by two hex digits")]
    BadEncoding,
    /// What the percent encoding stands for begins another percent encoding.
    #[error("a path must not be percent-encoded twice")]
    EncodedTwice,
    /// An encoded slash.
    #[error("a path must not hold an encoded slash")]
    EncodedSlash,
    /// A backslash, encoded or not.
    #[error("a path must not hold a backslash")]
    Backslash,
    /// NUL or another control character, encoded or not.
    #[error("a path must not hold control characters")]
    Control,
    /// Bytes that are not UTF-8 in its shortest form.
    #[error("a path must be UTF-8")]
    NotUtf8,
    /// A fragment.
    #[error("a path must not hold a fragment")]
    Fragment,
    /// `;`, encoded or not: some servers cut what follows before they resolve dot segments.
    #[error("a path must not hold parameters")]
    Parameters,
}

impl CanonicalPath<'_> {
    /// The path as it goes upstream.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is what the request had, byte for byte.
    pub const fn is_unchanged(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }

    /// The same path, owned.
    pub fn into_owned(self) -> CanonicalPath<'static> {
        CanonicalPath(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical form of a raw path (without query). Borrowed when it is canonical already.
///
/// # Errors
/// [`PathRefusal`] when another parser could read it differently.
pub fn path(raw: &str) -> Result<CanonicalPath<'_>, PathRefusal> {
    if !raw.starts_with('/') {
        return Err(PathRefusal::NotAbsolute);
    }
    if is_plainly_canonical(raw.as_bytes()) || is_canonical(raw.as_bytes())? {
        return Ok(CanonicalPath(Cow::Borrowed(raw)));
    }
    Ok(CanonicalPath(Cow::Owned(rewrite(raw.as_bytes())?)))
}

/// The usual case in one cheap pass: no percent signs, no empty segment, none that begins with a dot.
fn is_plainly_canonical(raw: &[u8]) -> bool {
    let mut after_slash = false;
    raw.iter().all(|byte| {
        let fits =
            if after_slash { *byte != b'.' && percent::is_plain(*byte) } else { percent::is_plain_or_slash(*byte) };
        after_slash = *byte == b'/';
        fits
    })
}

/// Whether the whole path is as [`rewrite`] would write it. Also the only place that refuses: it reads every character.
fn is_canonical(raw: &[u8]) -> Result<bool, PathRefusal> {
    let mut canonical = true;
    let mut twice = TwiceEncoded::default();
    // The characters since the last slash, as far as they can still make an empty or dot segment.
    let mut segment = Segment::Empty;
    let mut at = 1;
    while let Some(decoded) = percent::decode(raw.get(at..).unwrap_or_default())? {
        permitted(decoded)?;
        twice.read(decoded.char)?;
        if decoded.char == '/' {
            canonical &= segment == Segment::Named;
            segment = Segment::Empty;
        } else {
            canonical &= percent::is_canonical(decoded, raw.get(at..).unwrap_or_default());
            segment = segment.with(decoded.char);
        }
        at += decoded.width;
    }
    Ok(canonical && !matches!(segment, Segment::Dot | Segment::Dots))
}

/// What a segment is so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Empty,
    Dot,
    Dots,
    Named,
}

impl Segment {
    const fn with(self, char: char) -> Self {
        match (self, char) {
            (Self::Empty, '.') => Self::Dot,
            (Self::Dot, '.') => Self::Dots,
            _ => Self::Named,
        }
    }
}

fn permitted(decoded: Decoded) -> Result<(), PathRefusal> {
    match decoded.char {
        '/' if decoded.encoded => Err(PathRefusal::EncodedSlash),
        '\\' => Err(PathRefusal::Backslash),
        ';' => Err(PathRefusal::Parameters),
        '#' if !decoded.encoded => Err(PathRefusal::Fragment),
        char if char.is_control() => Err(PathRefusal::Control),
        _ => Ok(()),
    }
}

/// Finds `%` and two hex digits in what was decoded, however each of the three was written.
#[derive(Default)]
struct TwiceEncoded {
    /// Characters since a `%` that could belong to it, itself included; 0: none.
    seen: u8,
}

impl TwiceEncoded {
    const fn read(&mut self, char: char) -> Result<(), PathRefusal> {
        self.seen = match (self.seen, char) {
            (_, '%') => 1,
            (1, char) if char.is_ascii_hexdigit() => 2,
            (2, char) if char.is_ascii_hexdigit() => return Err(PathRefusal::EncodedTwice),
            _ => 0,
        };
        Ok(())
    }
}

/// Writes the path anew. Slashes are merged before dot segments are resolved; `..` above the root stays at the root.
fn rewrite(raw: &[u8]) -> Result<String, PathRefusal> {
    let mut out = String::with_capacity(raw.len() + 1);
    let segments = raw.split(|byte| *byte == b'/').skip(1);
    let last = raw.iter().filter(|byte| **byte == b'/').count() - 1;
    for (index, segment) in segments.enumerate() {
        let start = out.len();
        out.push('/');
        let mut at = 0;
        while let Some(decoded) = percent::decode(segment.get(at..).unwrap_or_default())? {
            percent::encode(decoded.char, &mut out);
            at += decoded.width;
        }
        let ends_here = index == last;
        match out.get(start + 1..).unwrap_or_default() {
            "" | "." => out.truncate(start),
            ".." => {
                out.truncate(start);
                out.truncate(out.rfind('/').unwrap_or(0));
            }
            _ => continue,
        }
        // `/a/`, `/a/.` and `/a/b/..` all end in a slash.
        if ends_here {
            out.push('/');
        }
    }
    Ok(out)
}
