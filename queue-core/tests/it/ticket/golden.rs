//! Tokens outlive releases: these texts were signed once and verify for ever.

use queue_core::ticket::Algorithm;

use super::fixture::{NOW, admission, queue_token, ring, room};

const QUEUE: [(Algorithm, &str); 3] = [
    (
        Algorithm::EdDsa,
        concat!(
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IlJkc0lkTzNDc01EekNqTlp2emg5b3FNbVRnTUFTZzNqZ29BaThkWFpMSVEiLCJ0eXAiOiJx",
            "dWV1ZStqd3QifQ.",
            "eyJpc3MiOiJodHRwczovL3RpY2tldHMuZXhhbXBsZS5jb20iLCJhdWQiOiJjb25jZXJ0Iiwic3ViIjoiX180dGMybDRkR1ZsYmkx",
            "aWVYUmxjdyIsImlhdCI6MTc5NjEyMjgwMCwibmJmIjoxNzk2MTIyODAwLCJleHAiOjE3OTYyMDkyMDAsImp0aSI6Il9fNHRjMmw0",
            "ZEdWbGJpMWllWFJsY3dBQVhoRUFBQVRTIiwiZXBvY2giOjQ4MTYyLCJwbGFjZSI6MTAzNDI3MTA3NDU2MjEwLCJqb2luZWQiOjE3",
            "OTYxMjI3NDAxMjN9.",
            "6G1hmktcNS6a3nDGP6DRoZnsLUjBYGJzRDhx0o_N19I",
        ),
    ),
    (
        Algorithm::Es256,
        concat!(
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZwWFUtNkNTaU54ZExFUDBnVjlxc1h4SHdveUhlTTUxTkJGYlZ5azl4bTQiLCJ0eXAiOiJx",
            "dWV1ZStqd3QifQ.",
            "eyJpc3MiOiJodHRwczovL3RpY2tldHMuZXhhbXBsZS5jb20iLCJhdWQiOiJjb25jZXJ0Iiwic3ViIjoiX180dGMybDRkR1ZsYmkx",
            "aWVYUmxjdyIsImlhdCI6MTc5NjEyMjgwMCwibmJmIjoxNzk2MTIyODAwLCJleHAiOjE3OTYyMDkyMDAsImp0aSI6Il9fNHRjMmw0",
            "ZEdWbGJpMWllWFJsY3dBQVhoRUFBQVRTIiwiZXBvY2giOjQ4MTYyLCJwbGFjZSI6MTAzNDI3MTA3NDU2MjEwLCJqb2luZWQiOjE3",
            "OTYxMjI3NDAxMjN9.",
            "0_pU1-olfnvj-OAs19zQGlH9-hO-m2dwHN4xIZxPMCE",
        ),
    ),
    (
        Algorithm::Hs256,
        concat!(
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IkFYNXhIZkxrU1Jra1JuZFI1M0xlMkEiLCJ0eXAiOiJxdWV1ZStqd3QifQ.",
            "eyJpc3MiOiJodHRwczovL3RpY2tldHMuZXhhbXBsZS5jb20iLCJhdWQiOiJjb25jZXJ0Iiwic3ViIjoiX180dGMybDRkR1ZsYmkx",
            "aWVYUmxjdyIsImlhdCI6MTc5NjEyMjgwMCwibmJmIjoxNzk2MTIyODAwLCJleHAiOjE3OTYyMDkyMDAsImp0aSI6Il9fNHRjMmw0",
            "ZEdWbGJpMWllWFJsY3dBQVhoRUFBQVRTIiwiZXBvY2giOjQ4MTYyLCJwbGFjZSI6MTAzNDI3MTA3NDU2MjEwLCJqb2luZWQiOjE3",
            "OTYxMjI3NDAxMjN9.",
            "qSk8bxyUnSdpkEpkCAS9uPG811uuuw7xXXtdSjU01fA",
        ),
    ),
];

const ADMISSION: [(Algorithm, &str); 3] = [
    (
        Algorithm::EdDsa,
        concat!(
            "eyJhbGciOiJFZERTQSIsImtpZCI6IlJkc0lkTzNDc01EekNqTlp2emg5b3FNbVRnTUFTZzNqZ29BaThkWFpMSVEiLCJ0eXAiOiJh",
            "ZG1pc3Npb24rand0In0.",
            "eyJpc3MiOiJodHRwczovL3RpY2tldHMuZXhhbXBsZS5jb20iLCJhdWQiOiJjb25jZXJ0Iiwic3ViIjoiX180dGMybDRkR1ZsYmkx",
            "aWVYUmxjdyIsImlhdCI6MTc5NjEyMjgwMCwibmJmIjoxNzk2MTIyNzcwLCJleHAiOjE3OTYxMjMxMDAsImp0aSI6Il9fNHRjMmw0",
            "ZEdWbGJpMWllWFJsY3dBQUFhSXhRbnJMIiwiZXBvY2giOjQ4MTYyfQ.",
            "1_w63ILWrYOBYDb6tVi42yBjKp5EhiMR79boAUcsJl4EeiV37PJhnJXKJeWC31HnWGd-OC-v-UJCjVl9EnJ7Aw",
        ),
    ),
    (
        Algorithm::Es256,
        concat!(
            "eyJhbGciOiJFUzI1NiIsImtpZCI6ImZwWFUtNkNTaU54ZExFUDBnVjlxc1h4SHdveUhlTTUxTkJGYlZ5azl4bTQiLCJ0eXAiOiJh",
            "ZG1pc3Npb24rand0In0.",
            "eyJpc3MiOiJodHRwczovL3RpY2tldHMuZXhhbXBsZS5jb20iLCJhdWQiOiJjb25jZXJ0Iiwic3ViIjoiX180dGMybDRkR1ZsYmkx",
            "aWVYUmxjdyIsImlhdCI6MTc5NjEyMjgwMCwibmJmIjoxNzk2MTIyNzcwLCJleHAiOjE3OTYxMjMxMDAsImp0aSI6Il9fNHRjMmw0",
            "ZEdWbGJpMWllWFJsY3dBQUFhSXhRbnJMIiwiZXBvY2giOjQ4MTYyfQ.",
            "_aAX9V9U1IP3gmUpq389s1LTS9WHyfNzBsDtxdbPJ91GFYIdhLwR8OEtxOZ_hQwmoLdyLbnDT43EBynDAFgQjw",
        ),
    ),
    (
        Algorithm::Hs256,
        concat!(
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IkFYNXhIZkxrU1Jra1JuZFI1M0xlMkEiLCJ0eXAiOiJhZG1pc3Npb24rand0In0.",
            "eyJpc3MiOiJodHRwczovL3RpY2tldHMuZXhhbXBsZS5jb20iLCJhdWQiOiJjb25jZXJ0Iiwic3ViIjoiX180dGMybDRkR1ZsYmkx",
            "aWVYUmxjdyIsImlhdCI6MTc5NjEyMjgwMCwibmJmIjoxNzk2MTIyNzcwLCJleHAiOjE3OTYxMjMxMDAsImp0aSI6Il9fNHRjMmw0",
            "ZEdWbGJpMWllWFJsY3dBQUFhSXhRbnJMIiwiZXBvY2giOjQ4MTYyfQ.",
            "fj2gIVZitMQuYttkR1Xkz_1zaOUUhryHT6tr4c3VxG0",
        ),
    ),
];

/// A queue token of an earlier release keeps its place (N1): key derivation, header, claims and signature are fixed.
#[test]
fn queue_tokens_of_the_past_are_good() {
    for (algorithm, text) in QUEUE {
        assert_eq!(ring(algorithm).sign_queue_token(&queue_token()), text, "{algorithm}");
        assert_eq!(ring(algorithm).verify_queue_token(text, &room(), NOW), Ok(queue_token()), "{algorithm}");
    }
}

/// So does an admission ticket. ES256 signs differently each time; the text below is one of its signatures.
#[test]
fn admission_tickets_of_the_past_are_good() {
    for (algorithm, text) in ADMISSION {
        let signed = ring(algorithm).sign_admission(&admission());
        let statement = |token: &str| token.rsplit_once('.').map(|(statement, _)| statement.to_owned());
        assert_eq!(statement(&signed), statement(text), "{algorithm}");
        assert!(algorithm == Algorithm::Es256 || signed == text, "{algorithm}: {signed}");
        assert_eq!(ring(algorithm).verify_admission(text, &room(), NOW), Ok(admission()), "{algorithm}");
    }
}
