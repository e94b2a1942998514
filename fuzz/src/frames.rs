//! The frame splitter against the plainest way to do the same.

use p2pnode::runtime::split_frames;

/// The first two bytes are the limit, the third says how many bytes follow that are the lengths of
/// the pieces, in turn; the rest is the stream.
pub fn run(bytes: &[u8]) {
    let Some(([low, high, cuts], rest)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let limit = usize::from(u16::from_le_bytes([*low, *high]));
    let (cuts, stream) = rest.split_at(usize::from(*cuts).min(rest.len()));
    let split = split_frames(limit, &pieces(stream, cuts));
    assert_eq!(split, all_at_once(limit, stream));
}

fn pieces<'a>(mut stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        // Empty pieces come, too.
        let (piece, rest) = stream.split_at(usize::from(*cut).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// The oracle: it has the whole stream.
fn all_at_once(limit: usize, mut stream: &[u8]) -> (Vec<Vec<u8>>, Result<bool, usize>) {
    let mut frames = Vec::new();
    while let Some((field, rest)) = stream.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*field) as usize;
        if length > limit {
            return (frames, Err(length));
        }
        if rest.len() < length {
            break;
        }
        frames.push(rest[..length].to_vec());
        stream = &rest[length..];
    }
    (frames, Ok(stream.is_empty()))
}
