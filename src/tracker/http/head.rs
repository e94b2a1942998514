//! The head of an HTTP request: what is served, and what is refused at once.

use super::{MAX_HEAD_BYTES, MAX_HEADERS};

/// What the bytes at the beginning of a buffer are.
pub(super) enum Head {
    /// Not all of a head has come.
    Partial,
    /// A request.
    Whole(Whole),
    /// No request that is served, with the status to say so.
    Wrong(&'static str),
}

/// A request: its bytes, its target, whether the connection stays open, and what a proxy may have
/// said of the client.
pub(super) struct Whole {
    pub(super) length: usize,
    pub(super) target: Vec<u8>,
    pub(super) stays: bool,
    pub(super) forwarded: Vec<Vec<u8>>,
}

/// Reads a head; the values of the header `forwarded` are kept.
pub(super) fn head_of(buffer: &[u8], forwarded: Option<&str>) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD_BYTES => return Head::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Wrong("431 Request Header Fields Too Large");
        }
        Err(_) => return Head::Wrong("400 Bad Request"),
    };
    if request.method != Some("GET") {
        return Head::Wrong("405 Method Not Allowed");
    }
    let values = |name: &str| {
        let name = name.to_owned();
        let named = move |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(&name);
        let found = request.headers.iter().filter(named);
        found.map(|header| header.value)
    };
    let value = |name: &str| values(name).next();
    let has_body = value("transfer-encoding").is_some()
        || value("content-length").is_some_and(|length| length.trim_ascii() != b"0");
    if has_body {
        return Head::Wrong("413 Content Too Large");
    }
    let connection = value("connection").unwrap_or_default().to_ascii_lowercase();
    let says = |word: &[u8]| {
        connection
            .split(|byte| *byte == b',')
            .any(|part| part.trim_ascii() == word)
    };
    let stays = match request.version {
        Some(0) => says(b"keep-alive"),
        _ => !says(b"close"),
    };
    let forwarded = forwarded.map(|name| values(name).map(<[u8]>::to_vec).collect());
    Head::Whole(Whole {
        length,
        target: request.path.unwrap_or_default().as_bytes().to_vec(),
        stays,
        forwarded: forwarded.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8]) -> Whole {
        match head_of(text, Some("x-forwarded-for")) {
            Head::Whole(whole) => whole,
            _ => panic!("no request: {}", text.escape_ascii()),
        }
    }

    #[test]
    fn connections_stay_open_as_http_says() {
        let first = whole(b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nGET ");
        assert_eq!((first.length, first.stays), (30, true));
        assert_eq!(first.target, b"/a?b");
        assert!(!whole(b"GET / HTTP/1.1\r\nconnection: Upgrade, Close\r\n\r\n").stays);
        assert!(!whole(b"GET / HTTP/1.0\r\n\r\n").stays);
        assert!(whole(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").stays);
    }

    #[test]
    fn what_a_proxy_says_is_kept_in_its_order_and_only_if_it_is_asked_for() {
        let text = b"GET / HTTP/1.1\r\nX-Forwarded-For: a\r\nHost: x\r\nx-forwarded-for: b\r\n\r\n";
        assert_eq!(whole(text).forwarded, [b"a", b"b"]);
        match head_of(text, None) {
            Head::Whole(whole) => assert!(whole.forwarded.is_empty(), "nobody asked"),
            _ => panic!("no request"),
        }
    }

    #[test]
    fn heads_are_bounded_and_bodies_refused() {
        let wrong = |text: &[u8]| match head_of(text, None) {
            Head::Wrong(status) => status.get(..3).map(str::to_owned),
            _ => None,
        };
        let endless = [&b"GET /announce?"[..], &vec![b'a'; MAX_HEAD_BYTES]].concat();
        assert!(matches!(
            head_of(&endless[..MAX_HEAD_BYTES - 1], None),
            Head::Partial
        ));
        assert_eq!(wrong(&endless).as_deref(), Some("431"));
        let headers = "a: b\r\n".repeat(MAX_HEADERS + 1);
        let many = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        assert_eq!(wrong(many.as_bytes()).as_deref(), Some("431"));
        assert_eq!(wrong(b"POST / HTTP/1.1\r\n\r\n").as_deref(), Some("405"));
        assert_eq!(wrong(b"\0\0\0").as_deref(), Some("400"));
        let body = b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(wrong(body).as_deref(), Some("413"));
    }
}
