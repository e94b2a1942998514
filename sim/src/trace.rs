//! One number for everything that happened.

/// What goes into the trace hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Time, kind, both ends, and the bytes of every message on the wire.
    Full,
    /// Time, kind and both ends: for the largest networks, where encoding would dominate.
    Outline,
}

/// A stable 64-bit hash over the sequence of events. It tells two runs apart; it resists nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl TraceHash {
    /// Folds a number in.
    pub const fn word(&mut self, word: u64) {
        // An odd multiplier (the golden ratio) moves every bit upwards; the shift brings the best
        // mixed bits down again.
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// Folds bytes in, with their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// The hash so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for TraceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
