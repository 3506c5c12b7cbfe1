//! A bearer token (RFC 6750) that clients show, in a file that may be renewed while the server runs.

use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};

use super::reread::{Reread, RereadError, read_small, wrong};

/// The token that clients must show. Only its digest is kept, which is also what is compared: how long that takes tells nothing.
#[derive(Debug)]
pub struct Token(Reread<[u8; 32]>);

impl Token {
    /// Reads a token: the file's first and only line.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no token.
    pub fn read(path: &Path) -> Result<Self, RereadError> {
        Reread::new(vec![path.to_owned()], digest).map(Self)
    }

    /// Whether a request shows it.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            shown.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
        token.is_some_and(|(_, token)| <[u8; 32]>::from(Sha256::digest(token.trim())) == self.0.get())
    }
}

fn digest(files: &[PathBuf]) -> Result<[u8; 32], RereadError> {
    let [path] = files else { return Err(wrong(Path::new(""), "one file is needed")) };
    let bytes = read_small(path)?;
    let token = bytes.trim_ascii();
    if token.len() < LEAST_BYTES || !token.iter().all(u8::is_ascii_graphic) {
        return Err(wrong(
            path,
            format!("no token: one line of at least {LEAST_BYTES} printable characters without spaces is expected"),
        ));
    }
    Ok(Sha256::digest(token).into())
}

/// Shorter ones are guessed.
const LEAST_BYTES: usize = 16;
