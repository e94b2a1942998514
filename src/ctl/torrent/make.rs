//! `torrent make`: reads everything once, and writes a torrent file.

use super::tree::{Tree, place, unread};
use super::{MakeArgs, hex, progress};
use crate::ctl::output::{Answer, Exit, aligned, count_of};
use crate::ctl::{CtlError, Document};
use indicatif::{DecimalBytes, HumanCount};
use overlay::MAX_VALUE_BYTES;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use tracker::metainfo::{Kind, Made, Maker, Metainfo, Plan, PlanError, piece_bytes_for};

/// What is read at once: large enough for disks, and small enough for the cache of a processor.
const READ_BYTES: usize = 256 << 10;

pub(super) fn make(
    args: &MakeArgs,
    context: &mut Document,
    json: bool,
) -> Result<Answer, CtlError> {
    context.insert("path".to_owned(), json!(args.path.to_string_lossy()));
    let tree = Tree::of(&args.path)?;
    // Before hours of reading, not after them.
    let out = output(args, &tree.name)?;
    let skipped = tree.skipped;
    let plan = Plan {
        kind: if args.v2 {
            Kind::V2
        } else if args.hybrid {
            Kind::Hybrid
        } else {
            Kind::V1
        },
        name: tree.name,
        piece_bytes: piece_bytes_for(tree.files.iter().map(|file| file.length).sum()),
        trackers: args.announce.clone(),
        private: args.private,
        files: tree.files,
    };
    let piece_bytes = plan.piece_bytes;
    let plan = plan.check().map_err(|error| wrong_plan(&error))?;
    let made = read(Maker::new(plan), &args.path, json)?;
    let metainfo = Metainfo::parse(&made.bytes)
        .map_err(|error| CtlError::Local(format!("what was made is wrong: {error}")))?;
    std::fs::write(&out, &made.bytes).map_err(|error| {
        CtlError::Local(format!(
            "cannot write {}: {error}; name another file with --out",
            out.display()
        ))
    })?;
    Ok(report(
        context,
        &made,
        &metainfo,
        &out,
        piece_bytes,
        &skipped,
    ))
}

/// Where the torrent goes.
fn output(args: &MakeArgs, name: &str) -> Result<PathBuf, CtlError> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(format!("{name}.torrent")),
    };
    if args.out.is_none() && out.exists() {
        return Err(CtlError::WrongUse(format!(
            "{} exists; name the file to write with --out",
            out.display()
        )));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(CtlError::WrongUse(format!(
            "there is no folder {}; make it, or name another file with --out",
            folder.display()
        ))),
        _ => Ok(out),
    }
}

/// Reads all files in their order.
fn read(mut maker: Maker, root: &Path, json: bool) -> Result<Made, CtlError> {
    let bar = progress::bar(maker.files().iter().map(|file| file.length).sum(), json);
    let mut room = vec![0; READ_BYTES];
    for source in maker.files().to_vec() {
        let path = place(root, &source);
        let mut file = File::open(&path).map_err(|error| unread(&path, &error))?;
        loop {
            let count = file
                .read(&mut room)
                .map_err(|error| unread(&path, &error))?;
            if count == 0 {
                break;
            }
            maker.push(room.get(..count).unwrap_or_default());
            bar.inc(count as u64);
        }
        maker.end_file().map_err(|error| wrong_plan(&error))?;
    }
    bar.finish_and_clear();
    Ok(maker.finish())
}

fn wrong_plan(error: &PlanError) -> CtlError {
    let what_to_do = match error {
        PlanError::Empty => "name a file or folder with something in it",
        PlanError::Changed(_) => "make the torrent again when nobody writes to it",
        _ => "rename it, or name another folder",
    };
    CtlError::WrongUse(format!("{error}; {what_to_do}"))
}

fn report(
    context: &Document,
    made: &Made,
    metainfo: &Metainfo,
    out: &Path,
    piece_bytes: usize,
    skipped: &[PathBuf],
) -> Answer {
    let storable = made.bytes.len() <= MAX_VALUE_BYTES;
    let magnet = metainfo.magnet();
    let json = json!({
        "outcome": "made", "out": out.to_string_lossy(), "name": metainfo.name,
        "info_hash": made.hash().to_string(), "v1": made.v1.map(|v1| v1.to_string()),
        "v2": made.v2.map(|v2| hex(&v2)), "length": metainfo.length, "files": metainfo.files,
        "piece_bytes": piece_bytes, "torrent_bytes": made.bytes.len(), "storable": storable,
        "magnet": magnet, "skipped": skipped.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
    });
    let mut rows = vec![(
        "files".to_owned(),
        format!(
            "{} of {}, in pieces of {} KiB",
            HumanCount(metainfo.files as u64),
            DecimalBytes(metainfo.length),
            piece_bytes >> 10
        ),
    )];
    if let Some(v1) = made.v1 {
        rows.push(("v1".to_owned(), v1.to_string()));
    }
    if let Some(v2) = made.v2 {
        rows.push(("v2".to_owned(), hex(&v2)));
    }
    rows.push(("magnet".to_owned(), magnet));
    if !skipped.is_empty() {
        let counted = count_of(skipped.len() as u64, "path");
        let text = format!("{counted}: links to folders, or no files");
        rows.push(("left out".to_owned(), text));
    }
    if !storable {
        let text =
            format!("it has more than the {MAX_VALUE_BYTES} bytes that `torrent add` stores");
        rows.push(("too large".to_owned(), text));
    }
    let text = format!("made: {}\n{}", out.display(), aligned(&rows));
    Answer::new(
        Exit::Done,
        crate::ctl::commands::complete(context, json),
        text,
    )
}
