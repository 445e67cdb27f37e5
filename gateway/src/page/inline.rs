//! Style and script as they stand in the page, and the policy that lets exactly these two through.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Takes indentation, blank lines and lines that are only a `//` comment out of a source file. Our sources have no
/// text that spans lines, so nothing else changes.
pub(super) fn squeeze(source: &str) -> String {
    let mut squeezed = String::with_capacity(source.len());
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")) {
        if !squeezed.is_empty() {
            squeezed.push('\n');
        }
        squeezed.push_str(line);
    }
    squeezed
}

/// The Content-Security-Policy of a page with this style and this script. Hashes instead of a nonce: a page needs no
/// entropy of its own, and a block that was injected has no nonce to steal.
pub(super) fn policy(style: &str, script: &str) -> String {
    let (style, script) = (source(style), source(script));
    format!(
        "default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    )
}

fn source(block: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, block.as_bytes())))
}

/// JSON that may stand inside a `script` element: no `<`, so neither an end tag nor a comment can begin.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}
