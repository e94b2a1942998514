//! The token that clients must show, from a file.

use ring::hmac;
use ring::rand::SystemRandom;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Shortest token, in characters: 16 random letters and digits are 95 bits, and nobody types it.
const MIN_TOKEN_CHARS: usize = 16;
/// Longest: it travels in the head of each request.
const MAX_TOKEN_CHARS: usize = 512;
/// Who may not read the file: everybody else. A group may, because services share secrets so.
const OTHERS: u32 = 0o007;

/// Why the HTTP server must not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Others could reach the address, and there is no token.
    #[error(
        "HTTP on {0} can be reached from other machines, and needs a token: write one to a file, for instance with `(umask 077; head -c 32 /dev/urandom | base64 > http-token)`, and add --http-token-file http-token; or serve on this machine only, --http 127.0.0.1:{port}", port = .0.port()
    )]
    Missing(SocketAddr),
    /// The file cannot be read.
    #[error("the token file {} cannot be read ({source}); name another with --http-token-file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Every user of the machine has access to the file.
    #[error("the token file {0} is open to every user of this machine; type `chmod 600 {0}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// What is in the file is no token.
    #[error(
        "the token file {} must hold one line of {MIN_TOKEN_CHARS} to {MAX_TOKEN_CHARS} letters, digits and -._~+/=; write one with `head -c 32 /dev/urandom | base64`", path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    NoEntropy,
}

/// Whether HTTP may be served there: without a token, on this machine only.
///
/// # Errors
/// When the address is open to others and no file with a token is named.
pub(crate) fn check(listen: SocketAddr, token_file: Option<&Path>) -> Result<(), TokenError> {
    match token_file {
        None if !listen.ip().to_canonical().is_loopback() => Err(TokenError::Missing(listen)),
        _ => Ok(()),
    }
}

/// What the right token looks like. The token itself is not kept.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Token {
    /// Reads it from a file.
    ///
    /// # Errors
    /// When the file cannot be read, is open to all, or holds no token.
    pub(crate) fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |source| TokenError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.permissions().mode() & OTHERS != 0 {
            return Err(TokenError::Open {
                path: path.to_owned(),
            });
        }
        let mut text = Vec::new();
        file.take(MAX_TOKEN_CHARS as u64 + 2)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        let token = text.trim_ascii();
        let fits = (MIN_TOKEN_CHARS..=MAX_TOKEN_CHARS).contains(&token.len());
        if !fits || !token.iter().copied().all(is_token_byte) {
            return Err(TokenError::Unfit {
                path: path.to_owned(),
            });
        }
        Self::of(token)
    }

    fn of(token: &[u8]) -> Result<Self, TokenError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| TokenError::NoEntropy)?;
        let tag = hmac::sign(&key, token);
        Ok(Self { key, tag })
    }

    /// Whether this is it. How long that takes says nothing of where the two differ: sums under a
    /// key of the moment are compared, in constant time.
    pub(crate) fn is(&self, presented: &[u8]) -> bool {
        hmac::verify(&self.key, presented, self.tag.as_ref()).is_ok()
    }
}

/// What a bearer token is made of (RFC 6750, section 2.1).
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, mode: u32) -> Result<Token, TokenError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
        Token::read(file.path())
    }

    #[test]
    fn only_the_right_token_is_taken() {
        let token = read("0123456789abcdef\n", 0o600).unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for wrong in [&b""[..], b"0123456789abcde", b"0123456789abcdeF"] {
            assert!(!token.is(wrong));
        }
    }

    #[test]
    fn a_file_that_is_open_or_holds_no_token_is_refused() {
        for mode in [0o644, 0o604, 0o602] {
            let error = read("0123456789abcdef", mode).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        let long = "x".repeat(MAX_TOKEN_CHARS + 1);
        for text in ["", "short", "two words of a token", &long] {
            assert!(matches!(read(text, 0o600), Err(TokenError::Unfit { .. })));
        }
        assert!(read("0123456789abcdef", 0o640).is_ok());
    }

    #[test]
    fn without_a_token_only_this_machine_is_served() {
        for here in ["127.0.0.1:1", "127.8.9.1:1", "[::1]:1"] {
            assert!(check(here.parse().unwrap(), None).is_ok());
        }
        for open in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1"] {
            let open = open.parse().unwrap();
            assert!(check(open, Some(Path::new("token"))).is_ok());
            let text = check(open, None).unwrap_err().to_string();
            assert!(text.contains("--http-token-file"), "{text}");
        }
    }
}
