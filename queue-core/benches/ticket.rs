//! What a signature costs: our keys parsed once and recognised headers, beside `jsonwebtoken`, which rebuilds its
//! signer and verifier per call. `cargo bench -p queue-core --bench ticket`
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot set up has nothing to measure")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use queue_core::ticket::{AdmissionTicket, Algorithm, KeyRing, PrivateKeySource, QueueToken};
use queue_core::{Epoch, Place, RoomId, Sequence, SessionId, Timestamp, VisitorId};
use secrecy::ExposeSecret as _;
use serde_json::Value;

const ISSUER: &str = "https://tickets.example.com";
const ENTROPY: [u8; 32] = [42; 32];
const NOW: Timestamp = Timestamp::from_secs(1_796_122_800);

fn statements() -> (QueueToken, AdmissionTicket) {
    let room = RoomId::new("concert").unwrap();
    let visitor = VisitorId::from_entropy([7; 16]);
    let epoch = Epoch::new(48_162).unwrap();
    let place = Place { epoch, sequence: Sequence::new(123_456).unwrap() };
    let expires_at = NOW + Duration::from_secs(300);
    let session = SessionId::new(visitor, NOW);
    (
        QueueToken { room: room.clone(), visitor, place, joined: NOW, issued_at: NOW, expires_at },
        AdmissionTicket { room, session, issued_at: NOW, expires_at, epoch },
    )
}

/// Every poll verifies a queue token; every join signs one.
fn queue_tokens(criterion: &mut Criterion) {
    let (token, _) = statements();
    let ring = KeyRing::generate(ISSUER, Algorithm::EdDsa, ENTROPY).unwrap();
    let signed = ring.sign_queue_token(&token);
    let mut group = criterion.benchmark_group("queue token");
    group.bench_function("sign", |b| b.iter(|| ring.sign_queue_token(black_box(&token))));
    group.bench_function("verify", |b| {
        b.iter(|| ring.verify_queue_token(black_box(&signed), &token.room, NOW).unwrap());
    });
    let mut forged = signed.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    group.bench_function("refuse a forged one", |b| {
        b.iter(|| ring.verify_queue_token(black_box(&forged), &token.room, NOW).unwrap_err());
    });
    group.finish();
}

/// Admission tickets by algorithm, each beside the naive line.
fn admission_tickets(criterion: &mut Criterion) {
    let (_, ticket) = statements();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256] {
        let ring = KeyRing::generate(ISSUER, algorithm, ENTROPY).unwrap();
        let signed = ring.sign_admission(&ticket);
        let mut group = criterion.benchmark_group(format!("admission ticket {algorithm}"));
        group.bench_function("sign", |b| b.iter(|| ring.sign_admission(black_box(&ticket))));
        group.bench_function("verify", |b| {
            b.iter(|| ring.verify_admission(black_box(&signed), &ticket.room, NOW).unwrap());
        });

        let (encoding, decoding, validation) = naive(&ring, algorithm);
        let header: Header = decode_header(&signed).unwrap();
        let claims = decode::<Value>(&signed, &decoding, &validation).unwrap().claims;
        group.bench_function("sign, jsonwebtoken", |b| {
            b.iter(|| encode(black_box(&header), &claims, &encoding).unwrap());
        });
        group.bench_function("verify, jsonwebtoken", |b| {
            b.iter(|| decode::<Value>(black_box(&signed), &decoding, &validation).unwrap());
        });
        group.finish();
    }
}

/// The same keys for `jsonwebtoken`, with its checks of the claims as far as they need no clock.
fn naive(ring: &KeyRing, algorithm: Algorithm) -> (EncodingKey, DecodingKey, Validation) {
    let text = PrivateKeySource::generate_text(algorithm, ENTROPY).unwrap();
    let pem = text.expose_secret().as_bytes();
    let public = || {
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&ring.jwks()).unwrap();
        DecodingKey::from_jwk(&keys.keys[0]).unwrap()
    };
    let (name, encoding, decoding) = match algorithm {
        Algorithm::EdDsa => (jsonwebtoken::Algorithm::EdDSA, EncodingKey::from_ed_pem(pem).unwrap(), public()),
        Algorithm::Es256 => (jsonwebtoken::Algorithm::ES256, EncodingKey::from_ec_pem(pem).unwrap(), public()),
        Algorithm::Hs256 => {
            (jsonwebtoken::Algorithm::HS256, EncodingKey::from_secret(&ENTROPY), DecodingKey::from_secret(&ENTROPY))
        }
    };
    let mut validation = Validation::new(name);
    validation.set_audience(&["concert"]);
    validation.set_issuer(&[ISSUER]);
    validation.validate_exp = false;
    (encoding, decoding, validation)
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = queue_tokens, admission_tickets
}
criterion_main!(benches);
