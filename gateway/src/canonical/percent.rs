//! Percent encoding: read once into characters, written in one way.

use super::PathRefusal;

/// Whether a byte of a path stands for itself: `pchar` of RFC 3986 without `%` and without `;`, which begins parameters.
pub(super) const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',')
        || matches!(byte, b'=' | b':' | b'@')
}

/// The same, or the slash between segments.
pub(super) const fn is_plain_or_slash(byte: u8) -> bool {
    byte == b'/' || is_plain(byte)
}

/// A character of a path and how it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) char: char,
    /// Whether any byte of it was percent-encoded.
    pub(super) encoded: bool,
    /// The bytes it took.
    pub(super) width: usize,
}

/// The first character of `raw`, percent encoding undone once; `None` at the end.
///
/// # Errors
/// [`PathRefusal`] when `%` is not followed by two hex digits or the bytes are not UTF-8 in its shortest form.
pub(super) fn decode(raw: &[u8]) -> Result<Option<Decoded>, PathRefusal> {
    let Some((first, mut width)) = byte(raw)? else { return Ok(None) };
    let length = match first {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Err(PathRefusal::NotUtf8),
    };
    let mut bytes = [first, 0, 0, 0];
    let mut encoded = width > 1;
    for slot in bytes.iter_mut().take(length).skip(1) {
        let (next, taken) = byte(raw.get(width..).unwrap_or_default())?.ok_or(PathRefusal::NotUtf8)?;
        encoded |= taken > 1;
        *slot = next;
        width += taken;
    }
    let text = std::str::from_utf8(bytes.get(..length).unwrap_or_default()).map_err(|_| PathRefusal::NotUtf8)?;
    Ok(text.chars().next().map(|char| Decoded { char, encoded, width }))
}

fn byte(raw: &[u8]) -> Result<Option<(u8, usize)>, PathRefusal> {
    match raw {
        [] => Ok(None),
        [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Ok(Some((high << 4 | low, 3))),
            _ => Err(PathRefusal::BadEncoding),
        },
        [b'%', ..] => Err(PathRefusal::BadEncoding),
        [byte, ..] => Ok(Some((*byte, 1))),
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Whether `raw` is how [`encode`] writes `decoded`.
pub(super) fn is_canonical(decoded: Decoded, raw: &[u8]) -> bool {
    let mut utf8 = [0; 4];
    let bytes = decoded.char.encode_utf8(&mut utf8).as_bytes();
    match (bytes, raw.get(..decoded.width)) {
        ([byte], Some([written])) => byte == written && is_plain(*byte),
        ([byte], _) if is_plain(*byte) => false,
        (_, Some(written)) => {
            written.len() == bytes.len() * 3
                && written.chunks_exact(3).all(|triple| !triple.iter().any(u8::is_ascii_lowercase))
        }
        (_, None) => false,
    }
}

/// Writes a character: itself when plain, else its UTF-8 in percent encoding with upper-case digits.
pub(super) fn encode(char: char, out: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    if u8::try_from(char).is_ok_and(is_plain) {
        out.push(char);
        return;
    }
    let mut utf8 = [0; 4];
    for byte in char.encode_utf8(&mut utf8).bytes() {
        out.push('%');
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0x0f)]);
    }
}
