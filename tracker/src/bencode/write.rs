//! Writing bencoded values into a buffer that the caller owns.

/// Writes values one after another. Keys of a dictionary must come in their order: the caller knows
/// them when the program is written, and tests read everything back.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Begins a dictionary.
    pub fn dict(&mut self) -> &mut Self {
        self.out.push(b'd');
        self
    }

    /// Begins a list.
    pub fn list(&mut self) -> &mut Self {
        self.out.push(b'l');
        self
    }

    /// Ends a dictionary or a list.
    pub fn end(&mut self) -> &mut Self {
        self.out.push(b'e');
        self
    }

    /// A string; also a key.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.decimal(bytes.len() as u64);
        self.out.push(b':');
        self.out.extend_from_slice(bytes);
        self
    }

    /// A number.
    pub fn int(&mut self, number: i64) -> &mut Self {
        self.out.push(b'i');
        if number < 0 {
            self.out.push(b'-');
        }
        self.decimal(number.unsigned_abs());
        self.out.push(b'e');
        self
    }

    /// A value that is bencoded already.
    pub fn raw(&mut self, bencoded: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bencoded);
        self
    }

    /// A number that cannot be negative; what does not fit 63 bits is written as the largest that does.
    pub fn count(&mut self, number: u64) -> &mut Self {
        self.int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn decimal(&mut self, number: u64) {
        let begin = self.out.len();
        let mut left = number;
        loop {
            // A digit: below ten.
            self.out.push(b'0' + (left % 10) as u8);
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if let Some(digits) = self.out.get_mut(begin..) {
            digits.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_strings_look_as_in_bep_3() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer
            .dict()
            .bytes(b"n")
            .int(i64::MIN)
            .bytes(b"z")
            .list()
            .int(0)
            .int(1907)
            .end();
        writer.end();
        assert_eq!(out, b"d1:ni-9223372036854775808e1:zli0ei1907eee");
    }
}
