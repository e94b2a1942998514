//! Many puts or inserts from one file of JSON lines, pipelined over one session.
//!
//! A thread reads lines; each is parsed, asked and reported by itself, and the reports are printed
//! in the order of the lines. Whatever is wrong with one line does not stop the others.

mod desk;
mod line;

use super::args::{InsertArgs, PutArgs};
use super::output::{Answer, print_error};
use super::{Asking, CtlError};
use crate::control::client::ClientError;
use crate::control::session::Session;
use crate::control::window::Window;
use desk::Desk;
use line::{Job, Line};
use overlay::Condition;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use tokio::sync::mpsc;

/// Most requests in flight: enough to fill the groups that nodes make durable together.
const IN_FLIGHT: usize = 128;
/// Most lines that are read ahead of what is asked.
const LINES_AHEAD: usize = 64;
/// Longest line: a value of 1 MiB with every byte escaped, and the rest.
const MAX_LINE_BYTES: usize = 7 << 20;

pub(super) async fn put(asking: Asking, args: PutArgs, json: bool) -> Result<Answer, CtlError> {
    let job = Job::Put {
        hex: args.hex,
        ttl_s: args.ttl,
        consistency: args.consistency.into(),
        condition: if args.if_absent {
            Condition::Absent
        } else {
            Condition::Always
        },
    };
    let lines = open(args.batch.as_deref().unwrap_or(Path::new("-")))?;
    let session = asking.open().await?;
    run(asking, session, job, lines, json).await
}

pub(super) async fn insert(
    asking: Asking,
    args: InsertArgs,
    json: bool,
) -> Result<Answer, CtlError> {
    let lines = open(args.batch.as_deref().unwrap_or(Path::new("-")))?;
    let mut session = asking.open().await?;
    let holder = match &args.holder {
        Some(name) => asking.resolve(name).await?,
        None => asking.address_of(&mut session).await?,
    };
    let job = Job::Insert {
        hex: args.hex,
        holder,
        lease_s: args.ttl,
        text: args.text,
    };
    run(asking, session, job, lines, json).await
}

async fn run(
    asking: Asking,
    mut session: Session,
    job: Job,
    mut lines: Lines,
    json: bool,
) -> Result<Answer, CtlError> {
    let desk = RefCell::new(Desk::new(json, session.addr()));
    // A line that had to be waited for, while nothing was in flight.
    let mut first = None;
    loop {
        let window = Window {
            session: &mut session,
            limit: IN_FLIGHT,
            timeout: asking.timeout,
        };
        let ran = window.run(
            || loop {
                let mut desk = desk.borrow_mut();
                if desk.is_far_ahead() {
                    return None;
                }
                let line = first.take().or_else(|| lines.receiver.try_recv().ok())?;
                if let Some(asked) = desk.take(&job, line) {
                    return Some(asked);
                }
            },
            |asked, answer, _| desk.borrow_mut().answered(asked, answer, asking.timeout),
        );
        if let Err(error) = ran.await {
            let mut desk = desk.into_inner();
            let next = desk.next_line();
            if let Some(line) = first.take() {
                desk.not_asked(&job, line);
            }
            while let Some(line) = lines.rest().await {
                desk.not_asked(&job, line);
            }
            return Err(stopped(desk, next, error));
        }
        first = lines.receiver.recv().await;
        if first.is_none() {
            break;
        }
    }
    session.close().await;
    Ok(desk.into_inner().finish())
}

/// The connection was lost: says from which line on nothing was asked.
fn stopped(desk: Desk, next: u64, error: ClientError) -> CtlError {
    let summary = desk.finish();
    print_error(&format!(
        "{}; nothing was asked from line {next} on",
        summary.text
    ));
    CtlError::Unanswered(error)
}

/// The lines of a file or of a pipe, as they are read.
struct Lines {
    receiver: mpsc::Receiver<Line>,
    is_pipe: bool,
}

impl Lines {
    /// The next line when nothing is asked any more: of a file, or that a pipe has brought already.
    async fn rest(&mut self) -> Option<Line> {
        if self.is_pipe {
            return self.receiver.try_recv().ok();
        }
        self.receiver.recv().await
    }
}

/// Opens a file of lines, or standard input, and reads it on a thread of its own: whoever writes
/// into a pipe may be slow, and the connection must stay alive meanwhile.
fn open(path: &Path) -> Result<Lines, CtlError> {
    let is_pipe = path == Path::new("-");
    let source: Box<dyn Read + Send> = if is_pipe {
        Box::new(std::io::stdin())
    } else {
        let file = std::fs::File::open(path);
        Box::new(file.map_err(|error| {
            CtlError::WrongUse(format!("cannot read {}: {error}", path.display()))
        })?)
    };
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let name = path.display().to_string();
    let read = move || read_lines(BufReader::new(source), &name, &sender);
    std::thread::Builder::new()
        .name("batch".to_owned())
        .spawn(read)
        .map_err(|error| CtlError::Local(format!("cannot start a thread: {error}")))?;
    Ok(Lines { receiver, is_pipe })
}

/// Hands out lines until the end, or until nobody wants more.
fn read_lines(mut source: impl BufRead, name: &str, lines: &mpsc::Sender<Line>) {
    let mut number = 0;
    loop {
        number += 1;
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let mut text = match source.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) if bytes.len() > MAX_LINE_BYTES => Err(format!(
                "a line has at most {MAX_LINE_BYTES} bytes, and this one has more"
            )),
            Ok(_) => Ok(bytes),
            Err(error) => Err(format!("cannot read {name}: {error}")),
        };
        let is_broken = text.is_err() && bytes_end(&mut source, &mut text).is_err();
        if lines.blocking_send(Line { number, text }).is_err() || is_broken {
            return;
        }
    }
}

/// Passes over the rest of a line that is too long.
fn bytes_end(source: &mut impl BufRead, text: &mut Result<Vec<u8>, String>) -> Result<(), ()> {
    loop {
        let (used, ended) = match source.fill_buf() {
            Ok([]) => return Err(()),
            Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            },
            Err(error) => {
                *text = Err(format!("cannot read on: {error}"));
                return Err(());
            }
        };
        source.consume(used);
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8]) -> Vec<Line> {
        let (sender, mut receiver) = mpsc::channel(LINES_AHEAD);
        read_lines(text, "text", &sender);
        drop(sender);
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let mut text = b"one\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE_BYTES + 10]);
        text.extend(b"\nthree");
        let lines = lines_of(&text);
        let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(
            lines[1]
                .text
                .as_ref()
                .is_err_and(|why| why.contains("bytes"))
        );
        assert_eq!(lines[2].text.as_deref(), Ok(&b"three"[..]));
    }
}
