//! Cutting a stream of bytes into frames.

use super::queue::LENGTH_BYTES;

/// A length field beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes, more than the limit of this stream")]
pub(crate) struct FrameTooLong(pub(crate) usize);

/// Collects bytes until frames are complete. Memory: one frame of the limit at most.
#[derive(Debug)]
pub(crate) struct FrameSplitter {
    limit: usize,
    /// The beginning of a frame whose end has not come yet, with its length field.
    partial: Vec<u8>,
}

impl FrameSplitter {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            partial: Vec::new(),
        }
    }

    /// Whether the bytes so far end with a complete frame.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.partial.is_empty()
    }

    /// Takes in the next bytes and calls `take` for each frame that they complete.
    ///
    /// # Errors
    /// When a length field is beyond the limit, or when `take` says so.
    pub(crate) fn feed<E: From<FrameTooLong>>(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.partial.is_empty() && !bytes.is_empty() {
            let wanted = match self.frame_length(&self.partial)? {
                Some(length) => LENGTH_BYTES + length - self.partial.len(),
                None => LENGTH_BYTES - self.partial.len(),
            };
            let (head, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.partial.extend_from_slice(head);
            bytes = rest;
            let complete = self.frame_length(&self.partial)?;
            if complete.is_some_and(|length| self.partial.len() == LENGTH_BYTES + length) {
                let frame = std::mem::take(&mut self.partial);
                take(frame.get(LENGTH_BYTES..).unwrap_or_default())?;
            }
        }
        while let Some(length) = self.frame_length(bytes)? {
            let Some((frame, rest)) = bytes.split_at_checked(LENGTH_BYTES + length) else {
                break;
            };
            take(frame.get(LENGTH_BYTES..).unwrap_or_default())?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// The length that the field at the beginning gives, when the field is complete.
    fn frame_length(&self, bytes: &[u8]) -> Result<Option<usize>, FrameTooLong> {
        let Some(field) = bytes.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*field)).unwrap_or(usize::MAX);
        if length > self.limit {
            Err(FrameTooLong(length))
        } else {
            Ok(Some(length))
        }
    }
}

/// Cuts a stream that arrives in `pieces`, for the fuzz target of that name: the frames, and
/// whether nothing is left over, or the length field that was beyond the limit.
#[doc(hidden)]
pub fn split_frames(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<bool, usize>) {
    let mut splitter = FrameSplitter::new(limit);
    let mut frames = Vec::new();
    for piece in pieces {
        let fed = splitter.feed::<FrameTooLong>(piece, |frame| {
            frames.push(frame.to_vec());
            Ok(())
        });
        if let Err(FrameTooLong(length)) = fed {
            return (frames, Err(length));
        }
    }
    (frames, Ok(splitter.is_between_frames()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(limit: usize, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, FrameTooLong> {
        let (frames, end) = split_frames(limit, pieces);
        assert!(end.map_err(FrameTooLong)?, "bytes are left over");
        Ok(frames)
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_collected() {
        assert_eq!(split(10, &[b"\x0b\0\0\0"]), Err(FrameTooLong(11)));
        assert_eq!(
            split(10, &[b"\xff\xff", b"\xff\xff"]),
            Err(FrameTooLong(u32::MAX as usize))
        );
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            cuts in prop::collection::vec(1usize..30, 1..60),
        ) {
            let mut bytes = Vec::new();
            for frame in &frames {
                bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
                bytes.extend_from_slice(frame);
            }
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            prop_assert_eq!(split(40, &pieces).unwrap(), frames);
        }
    }
}
