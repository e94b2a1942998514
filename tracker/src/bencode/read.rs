//! Reading bencoded values without copying them.

use super::Writer;

/// Deepest nesting that is read. KRPC needs four levels, a torrent's file tree (BEP 52) one for each
/// folder on the way.
pub const MAX_DEPTH: usize = 32;
/// Most values in one document, keys included. A datagram of 64 KiB could hold 32,000 empty strings,
/// each of which would take 40 bytes.
pub const MAX_VALUES: usize = 4_096;

/// One bencoded value; strings point into what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number.
    Int(i64),
    /// A string of bytes.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Self>),
    /// A dictionary in the order of its keys; no key is there twice.
    Dict(Vec<(&'a [u8], Self)>),
}

/// Whether keys must be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As BEP 3 demands.
    Sorted,
    /// Any: some DHT clients do not sort. No key may be there twice all the same.
    Any,
}

/// Why something is no bencoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends in the middle of a value.
    #[error("it ends too early")]
    Truncated,
    /// Something follows the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// No value begins with this byte.
    #[error("no value begins with byte {0:#04x}")]
    Unexpected(u8),
    /// Not a number, or one with a plus sign, leading zeros or a negative zero.
    #[error("a number is not written as bencoding demands")]
    Number,
    /// The number does not fit 64 bits.
    #[error("a number is too large")]
    TooLarge,
    /// Deeper than [`MAX_DEPTH`].
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More values than are read, [`MAX_VALUES`] unless said otherwise.
    #[error("it has too many values")]
    TooMany,
    /// A key is no string.
    #[error("a key of a dictionary is no string")]
    Key,
    /// Keys are not sorted.
    #[error("the keys of a dictionary are not sorted")]
    Unsorted,
    /// A key is there twice.
    #[error("a key is twice in a dictionary")]
    Duplicate,
}

impl<'a> Value<'a> {
    /// The value of a key of a dictionary.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Self> {
        let Self::Dict(entries) = self else {
            return None;
        };
        let at = entries
            .binary_search_by(|(name, _)| (*name).cmp(key))
            .ok()?;
        entries.get(at).map(|(_, value)| value)
    }

    /// The number.
    #[must_use]
    pub const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The string.
    #[must_use]
    pub const fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Appends the value as it is bencoded, keys in their order.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(number) => {
                Writer::new(out).int(*number);
            }
            Self::Bytes(bytes) => {
                Writer::new(out).bytes(bytes);
            }
            Self::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| value.write(out));
                out.push(b'e');
            }
            Self::Dict(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    Writer::new(out).bytes(key);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }

    /// The list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }
}

/// Reads exactly one value.
///
/// # Errors
/// When `bytes` is anything else.
pub fn read(bytes: &[u8], order: Order) -> Result<Value<'_>, Malformed> {
    let (value, rest) = read_prefix(bytes, order)?;
    match rest.len() {
        0 => Ok(value),
        more => Err(Malformed::Trailing(more)),
    }
}

/// Reads the value at the beginning of `bytes`, and gives what follows it.
///
/// # Errors
/// When no value begins there.
pub fn read_prefix(bytes: &[u8], order: Order) -> Result<(Value<'_>, &[u8]), Malformed> {
    read_prefix_within(bytes, order, MAX_VALUES)
}

/// As [`read_prefix`], with so many values at most instead of [`MAX_VALUES`].
///
/// # Errors
/// When no value begins there.
pub fn read_prefix_within(
    bytes: &[u8],
    order: Order,
    most: usize,
) -> Result<(Value<'_>, &[u8]), Malformed> {
    let mut reader = Reader {
        rest: bytes,
        order,
        left: most,
    };
    let value = reader.value(MAX_DEPTH)?;
    Ok((value, reader.rest))
}

struct Reader<'a> {
    rest: &'a [u8],
    order: Order,
    left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        self.left = self.left.checked_sub(1).ok_or(Malformed::TooMany)?;
        match self.peek()? {
            b'i' => {
                self.advance();
                Ok(Value::Int(self.number()?))
            }
            b'0'..=b'9' => Ok(Value::Bytes(self.string()?)),
            b'l' => self.list(depth),
            b'd' => self.dict(depth),
            other => Err(Malformed::Unexpected(other)),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
        self.advance();
        let mut values = Vec::new();
        while self.peek()? != b'e' {
            values.push(self.value(depth)?);
        }
        self.advance();
        Ok(Value::List(values))
    }

    fn dict(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
        self.advance();
        let mut entries: Vec<(&[u8], Value<'_>)> = Vec::new();
        loop {
            match self.peek()? {
                b'e' => break,
                b'0'..=b'9' => {}
                _ => return Err(Malformed::Key),
            }
            let key = self.string()?;
            if self.order == Order::Sorted
                && let Some((last, _)) = entries.last()
                && key <= *last
            {
                let same = key == *last;
                return Err(if same {
                    Malformed::Duplicate
                } else {
                    Malformed::Unsorted
                });
            }
            entries.push((key, self.value(depth)?));
        }
        self.advance();
        if self.order == Order::Any {
            entries.sort_by_key(|(key, _)| *key);
            let twice = entries.windows(2).any(|pair| match pair {
                [(one, _), (two, _)] => one == two,
                _ => false,
            });
            if twice {
                return Err(Malformed::Duplicate);
            }
        }
        Ok(Value::Dict(entries))
    }

    /// The digits up to `e`, and the `e`.
    fn number(&mut self) -> Result<i64, Malformed> {
        let end = self.rest.iter().position(|byte| *byte == b'e');
        let (text, rest) = self.rest.split_at(end.ok_or(Malformed::Truncated)?);
        self.rest = rest;
        self.advance();
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let negative = digits.len() != text.len();
        let canonical = match digits {
            [b'0'] => !negative,
            [b'1'..=b'9', ..] => digits.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if !canonical {
            return Err(Malformed::Number);
        }
        let text = std::str::from_utf8(text).map_err(|_| Malformed::Number)?;
        text.parse().map_err(|_| Malformed::TooLarge)
    }

    fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let end = self.rest.iter().position(|byte| *byte == b':');
        let (digits, rest) = self.rest.split_at(end.ok_or(Malformed::Truncated)?);
        let canonical = match digits {
            [b'0'] => true,
            [b'1'..=b'9', ..] => digits.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if !canonical {
            return Err(Malformed::Number);
        }
        self.rest = rest;
        self.advance();
        let text = std::str::from_utf8(digits).map_err(|_| Malformed::Number)?;
        let length: usize = text.parse().map_err(|_| Malformed::TooLarge)?;
        if length > self.rest.len() {
            return Err(Malformed::Truncated);
        }
        let (string, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(string)
    }

    fn peek(&self) -> Result<u8, Malformed> {
        self.rest.first().copied().ok_or(Malformed::Truncated)
    }

    /// Passes over one byte that was looked at.
    fn advance(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bep_3_shows_is_read() {
        assert_eq!(read(b"4:spam", Order::Sorted), Ok(Value::Bytes(b"spam")));
        assert_eq!(read(b"i-3e", Order::Sorted), Ok(Value::Int(-3)));
        let list = Value::List(vec![Value::Bytes(b"spam"), Value::Bytes(b"eggs")]);
        assert_eq!(read(b"l4:spam4:eggse", Order::Sorted), Ok(list.clone()));
        let dict = read(b"d4:spaml4:spam4:eggsee", Order::Sorted).unwrap();
        assert_eq!(dict.get(b"spam"), Some(&list));
        assert_eq!(dict.get(b"egg"), None);
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        for (text, why) in [
            (&b""[..], Malformed::Truncated),
            (b"i-0e", Malformed::Number),
            (b"i03e", Malformed::Number),
            (b"i+3e", Malformed::Number),
            (b"ie", Malformed::Number),
            (b"i9223372036854775808e", Malformed::TooLarge),
            (b"03:abc", Malformed::Number),
            (b"99999999999999999999:a", Malformed::TooLarge),
            (b"4:abc", Malformed::Truncated),
            (b"1:aa", Malformed::Trailing(1)),
            (b"di1e1:ae", Malformed::Key),
            (b"d1:b0:1:a0:e", Malformed::Unsorted),
            (b"d1:a0:1:a0:e", Malformed::Duplicate),
            (b"x", Malformed::Unexpected(b'x')),
        ] {
            assert_eq!(
                read(text, Order::Sorted),
                Err(why),
                "{}",
                text.escape_ascii()
            );
        }
        let any = read(b"d1:b1:B1:a1:Ae", Order::Any).unwrap();
        assert_eq!(any.get(b"a").and_then(Value::bytes), Some(&b"A"[..]));
        let twice = read(b"d1:a0:1:b0:1:a0:e", Order::Any);
        assert_eq!(twice, Err(Malformed::Duplicate));
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = |levels| [vec![b'l'; levels], vec![b'e'; levels]].concat();
        assert!(read(&deep(MAX_DEPTH), Order::Sorted).is_ok());
        assert_eq!(
            read(&deep(MAX_DEPTH + 1), Order::Sorted),
            Err(Malformed::TooDeep)
        );
        assert_eq!(
            read(&vec![b'l'; 1 << 20], Order::Sorted),
            Err(Malformed::TooDeep)
        );
        let many = [&b"l"[..], &b"0:".repeat(MAX_VALUES), b"e"].concat();
        assert_eq!(read(&many, Order::Sorted), Err(Malformed::TooMany));
    }
}
