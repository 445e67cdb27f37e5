//! N15: no changed byte verifies. Whatever differs from what was signed is refused, whichever bit it is.

use std::time::Duration;

use proptest::prelude::*;
use queue_core::ticket::{AdmissionTicket, Algorithm, KeyRing, MAX_TOKEN_BYTES, QueueToken, TokenError};
use queue_core::{Epoch, Place, RoomId, Sequence, SessionId, Timestamp, VisitorId};

use super::fixture::{ALGORITHMS, ISSUER, NOW, admission, queue_token, ring, room};

/// base64url, in the order of its values.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn verifies(ring: &KeyRing, token: &str) -> bool {
    ring.verify_queue_token(token, &room(), NOW).is_ok() || ring.verify_admission(token, &room(), NOW).is_ok()
}

/// How many tokens of each algorithm and kind the sweep takes: a few, or 170 when `USHER_SWEEP=full` (about 1,000
/// tokens in all).
fn tokens_per_kind() -> u64 {
    if std::env::var_os("USHER_SWEEP").is_some_and(|sweep| sweep == "full") { 170 } else { 2 }
}

/// Every single bit of whole tokens, of both kinds and all algorithms, flipped one at a time. Results that are no UTF-8
/// cannot be presented at all: headers and cookies reach the verifier as text.
#[test]
fn no_flipped_bit_verifies() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        let mut flipped = 0_u64;
        for n in 0..tokens_per_kind() {
            let expires_at = NOW + Duration::from_secs(60 + n);
            for token in [
                ring.sign_queue_token(&QueueToken { expires_at, ..queue_token() }),
                ring.sign_admission(&AdmissionTicket { expires_at, ..admission() }),
            ] {
                assert!(verifies(&ring, &token));
                for bit in 0..token.len() * 8 {
                    let mut bytes = token.clone().into_bytes();
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    let Ok(changed) = String::from_utf8(bytes) else { continue };
                    assert!(!verifies(&ring, &changed), "{algorithm}: bit {bit} of {token}");
                    flipped += 1;
                }
            }
        }
        println!("{algorithm}: {flipped} tokens with one bit flipped, none accepted");
        assert!(flipped > 5_000);
    }
}

/// A signature's last character has spare bits: its look-alikes decode to the same bytes in lax decoders and would be
/// second identities of one token. The same for every part, and for padding and foreign alphabets.
#[test]
fn no_look_alike_verifies() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        for token in [ring.sign_queue_token(&queue_token()), ring.sign_admission(&admission())] {
            let ends: Vec<_> =
                token.bytes().enumerate().filter(|(_, b)| *b == b'.').map(|(i, _)| i).chain([token.len()]).collect();
            for end in ends {
                let (head, tail) = token.split_at(end);
                for last in ALPHABET {
                    let changed = format!("{}{}{tail}", &head[..end - 1], char::from(*last));
                    assert_eq!(verifies(&ring, &changed), changed == token, "{changed}");
                }
                for padding in ["=", "==", "===", " ", "\n", "\0", "A", "AA", "AAA", "AAAA", "%3D"] {
                    assert!(!verifies(&ring, &format!("{head}{padding}{tail}")), "{padding:?}");
                }
            }
            for lax in [token.replace('-', "+"), token.replace('_', "/"), token.to_lowercase(), format!(" {token}")] {
                assert!(lax == token || !verifies(&ring, &lax), "{lax}");
            }
        }
    }
}

/// Of the two signatures `(r, s)` and `(r, n − s)` that ES256 accepts, only the one we wrote is ours.
#[test]
fn the_other_es256_signature_does_not_verify() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&ORDER[2 * i..2 * i + 2], 16).unwrap()).collect();
    let ring = ring(Algorithm::Es256);
    for _ in 0..8 {
        let token = ring.sign_admission(&admission());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let mut borrow = 0;
        for i in (0..32).rev() {
            let digit = i16::from(order[i]) - i16::from(signature[32 + i]) - borrow;
            borrow = i16::from(digit < 0);
            signature[32 + i] = (digit & 0xff) as u8;
        }
        let twin = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(ring.verify_admission(&twin, &room(), NOW), Err(TokenError::Signature));
    }
}

/// Length is judged before anything is decoded, and odd shapes are refused without looking further.
#[test]
fn odd_shapes_are_malformed() {
    let ring = ring(Algorithm::EdDsa);
    let token = ring.sign_admission(&admission());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three parts") };
    let oversize = format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES + 1 - token.len()));
    for odd in [
        "",
        ".",
        "..",
        "...",
        header,
        claims,
        &format!("{header}.{claims}"),
        &format!("{header}.{claims}."),
        &format!("{header}..{signature}"),
        &format!(".{claims}.{signature}"),
        &format!("{claims}.{signature}"),
        &format!("{header}.{signature}"),
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token}.{signature}"),
        &format!("{header}.{header}.{claims}.{signature}"),
        &format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        &format!("{header}.{claims}.{}", &signature[..43]),
        &format!("{header}.{claims}.{signature}AAAA"),
        &"A".repeat(MAX_TOKEN_BYTES),
        &"A".repeat(10_000_000),
        &".".repeat(MAX_TOKEN_BYTES),
        &oversize,
        "\u{1f3ab}.\u{1f3ab}.\u{1f3ab}",
    ] {
        let error = ring.verify_admission(odd, &room(), NOW).unwrap_err();
        // With a header and a signature in place, it is the signature that does not fit.
        assert!(matches!(error, TokenError::Malformed | TokenError::Signature), "{error}: {odd:.200}");
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Replace(usize, char),
    Insert(usize, char),
    Remove(usize),
    Swap(usize, usize),
    Cut(usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = 0..MAX_TOKEN_BYTES;
    let written = prop_oneof![4 => prop::sample::select(&ALPHABET[..]).prop_map(char::from), 1 => any::<char>()];
    let edit = prop_oneof![
        (at.clone(), written.clone()).prop_map(|(i, c)| Edit::Replace(i, c)),
        (at.clone(), written).prop_map(|(i, c)| Edit::Insert(i, c)),
        at.clone().prop_map(Edit::Remove),
        (at.clone(), at.clone()).prop_map(|(i, j)| Edit::Swap(i, j)),
        at.prop_map(Edit::Cut),
    ];
    prop::collection::vec(edit, 1..6)
}

fn edited(token: &str, edits: &[Edit]) -> String {
    let mut text: Vec<char> = token.chars().collect();
    for edit in edits {
        let length = text.len().max(1);
        match *edit {
            Edit::Replace(i, c) if !text.is_empty() => text[i % length] = c,
            Edit::Insert(i, c) => text.insert(i % length, c),
            Edit::Remove(i) if !text.is_empty() => drop(text.remove(i % length)),
            Edit::Swap(i, j) if !text.is_empty() => text.swap(i % length, j % length),
            Edit::Cut(i) => text.truncate(i % length),
            _ => {}
        }
    }
    text.into_iter().collect()
}

/// The bits of any statement: visitor, place, start and length.
fn statements() -> impl Strategy<Value = (QueueToken, AdmissionTicket)> {
    let room = "[a-z0-9-]{1,32}".prop_map(|name| RoomId::new(&name).unwrap());
    let place = (0..=Epoch::MAX.get(), 1..=Sequence::MAX.get());
    let past_ms = 0..=NOW.as_millis();
    let ends = NOW.as_secs() + 1..=253_402_300_799;
    (room, any::<[u8; 16]>(), place, past_ms.clone(), past_ms, ends).prop_map(
        |(room, bits, (epoch, sequence), joined, issued, end)| {
            let visitor = VisitorId::from_entropy(bits);
            let epoch = Epoch::new(epoch).unwrap();
            let place = Place { epoch, sequence: Sequence::new(sequence).unwrap() };
            let joined = Timestamp::from_millis(joined);
            let issued_at = Timestamp::from_secs(Timestamp::from_millis(issued).as_secs());
            let expires_at = Timestamp::from_secs(end);
            let session = SessionId::new(visitor, joined);
            (
                QueueToken { room: room.clone(), visitor, place, joined, issued_at, expires_at },
                AdmissionTicket { room, session, issued_at, expires_at, epoch },
            )
        },
    )
}

proptest! {
    /// Random edits, several at a time: what still verifies is the very token that was signed.
    #[test]
    fn no_edited_token_verifies(edits in edits(), algorithm in prop::sample::select(&ALGORITHMS[..])) {
        let ring = ring(algorithm);
        for token in [ring.sign_queue_token(&queue_token()), ring.sign_admission(&admission())] {
            let changed = edited(&token, &edits);
            prop_assert_eq!(verifies(&ring, &changed), changed == token);
        }
    }

    /// Any text at all is refused without a panic.
    #[test]
    fn no_text_panics(text in any::<String>(), parts in "[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,90}") {
        let ring = ring(Algorithm::EdDsa);
        prop_assert!(!verifies(&ring, &text) && !verifies(&ring, &parts));
    }

    /// Every statement that can be made is read back as it was, within the size limit.
    #[test]
    fn every_statement_round_trips((token, ticket) in statements(), algorithm in prop::sample::select(&ALGORITHMS[..])) {
        let ring = KeyRing::generate(ISSUER, algorithm, [7; 32]).unwrap();
        let (signed_token, signed_ticket) = (ring.sign_queue_token(&token), ring.sign_admission(&ticket));
        prop_assert!(signed_token.len() <= MAX_TOKEN_BYTES && signed_ticket.len() <= MAX_TOKEN_BYTES);
        prop_assert_eq!(ring.verify_queue_token(&signed_token, &token.room, NOW), Ok(token));
        prop_assert_eq!(ring.verify_admission(&signed_ticket, &ticket.room, NOW), Ok(ticket));
    }
}
