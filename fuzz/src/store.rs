//! A store whose files were damaged or cut off.
//!
//! The bytes are a list of damages to the files of a small store: a byte is changed, a file is cut
//! off, lengthened, removed, or takes the place of another. Opening what comes of it must end with
//! one clear line, or with a store that has exactly what was sealed in it; and reading a record
//! must give the record, or end the same way.

use bytes::Bytes;
use dht::{Found, Store};
use overlay::{Hlc, Id, Item, LoadSeq, Record, Slot, Version, WallMs};
use p2pnode::store::{DiskStore, Inspection, StoreOptions, inspect};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Records of the store: bodies of all kinds, tombstones, holders.
const RECORDS: u64 = 300;
/// Most damages of one input.
const MOST: usize = 8;
/// How long the store may take to read a record: longer than libFuzzer's own limit is a hang.
const PATIENCE: Duration = Duration::from_secs(15);

/// A file without the zeros at its end, and how long it is with them.
struct Part {
    name: PathBuf,
    bytes: Vec<u8>,
    length: u64,
}

struct Whole {
    parts: Vec<Part>,
    seen: Inspection,
}

fn node() -> Id {
    Id::of(b"the node of the fuzz target")
}

fn record(number: u64) -> Item {
    let slot = match number % 7 {
        3 => Slot::Holder(([10, 0, 0, 1], number as u16).into()),
        _ => Slot::Value,
    };
    let length = [Some(0), Some(7), Some(256), Some(257), Some(900), None][number as usize % 6];
    let record = Record {
        version: Version {
            clock: Hlc(number),
            writer: node(),
        },
        body: length.map(|length| Bytes::from(vec![number as u8; length])),
        expires: number.is_multiple_of(5).then_some(WallMs(number)),
    };
    let key = Id::of(&number.to_le_bytes());
    Item { key, slot, record }
}

/// Aborts on a panic of our own code only: what the engine's panics over damaged files come to is
/// for the store to say.
pub fn init() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |at| at.file());
        if !file.contains("/registry/") {
            before(info);
        }
    }));
}

/// Makes the store that is to be damaged, once.
fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = temp.path().join("store");
        let mut store = open(&dir, |_| {}, |_| {}).expect("a new store");
        for number in 0..RECORDS {
            store.write(record(number));
        }
        store.close().expect("a store that is closed");
        let seen = inspect(&dir).expect("a whole store");
        let mut parts = Vec::new();
        read_parts(&dir, &dir, &mut parts);
        Whole { parts, seen }
    })
}

fn read_parts(root: &Path, dir: &Path, parts: &mut Vec<Part>) {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_parts(root, &path, parts);
            continue;
        }
        let mut bytes = fs::read(&path).expect("a file");
        let length = bytes.len() as u64;
        let used = bytes.iter().rposition(|byte| *byte != 0);
        bytes.truncate(used.map_or(0, |at| at + 1));
        let name = path.strip_prefix(root).expect("below the root").to_owned();
        parts.push(Part {
            name,
            bytes,
            length,
        });
    }
}

fn open(
    dir: &Path,
    on_loaded: impl FnMut(LoadSeq) + Send + 'static,
    on_fatal: impl Fn(String) + Send + Sync + 'static,
) -> Result<DiskStore, p2pnode::store::OpenError> {
    let options = StoreOptions {
        cache: 0,
        ..StoreOptions::new(node())
    };
    DiskStore::open(dir, options, |_| {}, on_loaded, on_fatal)
}

/// Damages a copy and looks at it.
pub fn run(bytes: &[u8]) {
    let whole = whole();
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("store");
    for part in &whole.parts {
        let path = dir.join(&part.name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let mut file = File::create(path).expect("a file");
        file.write_all(&part.bytes).expect("written");
        file.set_len(part.length).expect("a length");
    }
    for damage in bytes.chunks_exact(5).take(MOST) {
        let [which, how, low, high, value] = damage else {
            continue;
        };
        let part = &whole.parts[usize::from(*which) % whole.parts.len()];
        let at = u64::from(u16::from_le_bytes([*low, *high]));
        harm(whole, &dir, part, (*how, at, *value));
    }
    let clear = |text: &str| {
        let is_clear = text.lines().count() == 1 && text.contains(dir.to_str().expect("text"));
        assert!(is_clear, "not one clear line: {text:?}");
    };
    match inspect(&dir) {
        Err(error) => clear(&error.to_string()),
        Ok(seen) => {
            assert_eq!(
                seen.counts, whole.seen.counts,
                "something was lost in silence"
            );
            if seen.node == node() {
                read_all(&dir, &clear);
            }
        }
    }
}

/// One damage. Offsets are spread over what the file holds, and a little beyond.
fn harm(whole: &Whole, dir: &Path, part: &Part, (how, at, value): (u8, u64, u8)) {
    let path = dir.join(&part.name);
    let at = at % (part.bytes.len() as u64 + 16);
    let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else {
        return;
    };
    // What a damaged file system refuses does not matter.
    let _ = match how % 8 {
        0..=2 => file.write_all_at(&[value], at),
        3 => file.write_all_at(&vec![value; usize::from(how)], at),
        4 => file.set_len(at),
        5 => file.set_len(part.length + at),
        6 => fs::remove_file(&path),
        _ => {
            let other = &whole.parts[usize::from(value) % whole.parts.len()];
            fs::write(&path, &other.bytes)
        }
    };
}

/// Reads every record of a store that says that it is whole.
fn read_all(dir: &Path, clear: &dyn Fn(&str)) {
    let (tell, heard) = sync_channel::<Result<LoadSeq, String>>(RECORDS as usize + 8);
    let fatal = tell.clone();
    let opened = open(
        dir,
        move |seq| drop(tell.send(Ok(seq))),
        move |why| drop(fatal.send(Err(why))),
    );
    let mut store = match opened {
        Ok(store) => store,
        Err(error) => return clear(&error.to_string()),
    };
    for number in 0..RECORDS {
        let Item { key, slot, record } = record(number);
        let found = match store.read(key, slot) {
            Found::OnDisk => {
                let seq = store.load(&[(key, slot)]);
                match heard.recv_timeout(PATIENCE).expect("an answer") {
                    Err(why) => return clear(&why),
                    Ok(loaded) => assert_eq!(loaded, seq),
                }
                store.loaded(seq);
                if let Ok(Err(why)) = heard.try_recv() {
                    return clear(&why);
                }
                let found = store.read(key, slot);
                store.release(seq);
                found
            }
            found => found,
        };
        assert_eq!(found, Found::Here(record), "record {number}");
    }
}
