//! The position document as a visitor reads it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::faults::record::Told;

#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) state: String,
    position: Option<u64>,
    poll_after_seconds: u64,
    degraded: bool,
    moved: Option<String>,
    pub(super) token: Option<String>,
    pub(super) ticket: Option<String>,
}

impl Document {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("{error} in {}", String::from_utf8_lossy(body)))
    }

    pub(super) fn told(&self) -> Told {
        match self.state.as_str() {
            "admitted" => Told::Admitted,
            "ended" => Told::Ended,
            _ => Told::Waiting {
                position: self.position,
                degraded: self.degraded,
                moved: self.moved.is_some(),
                poll_after_seconds: self.poll_after_seconds,
            },
        }
    }
}

/// Whether a token's header says that it has no place yet.
pub(super) fn is_provisional(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Header {
        typ: String,
    }
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Header>(&header).ok());
    header.is_some_and(|header| header.typ == "provisional+jwt")
}
