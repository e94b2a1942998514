//! The reports of a batch, put back into the order of the lines.

use super::line::{About, Job, Line, Parsed};
use crate::control::client::ClientError;
use crate::control::window::Missed;
use crate::control::{ControlBody, ReplyBody};
use crate::ctl::commands::put_answer;
use crate::ctl::holders::insert_answer;
use crate::ctl::output::{Answer, Exit, count_of, print_json};
use crate::ctl::{CtlError, Document, failure, wrong_answer_of};
use indicatif::{ProgressBar, ProgressStyle};
use overlay::Reply;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// Most reports that wait for an earlier line: one slow key must not make memory grow.
const MAX_WAITING: usize = 1_024;

/// A line that was asked.
pub(super) struct Asked {
    number: u64,
    context: Document,
    about: About,
}

/// Takes reports in any order and prints them in that of the lines.
pub(super) struct Desk {
    json: bool,
    /// The line after the last one taken.
    next: u64,
    /// Reports that wait for an earlier line; none is an empty line.
    waiting: BTreeMap<u64, Option<Report>>,
    /// How many lines were printed, by how they went.
    printed: BTreeMap<Exit, u64>,
    /// The node that is asked.
    addr: SocketAddr,
    /// The first line that is not printed.
    front: u64,
    bar: ProgressBar,
}

struct Report {
    exit: Exit,
    json: Document,
    text: String,
}

impl Desk {
    pub(super) fn new(json: bool, addr: SocketAddr) -> Self {
        let bar = if !json && std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} lines  {per_sec}") {
            bar.set_style(style);
        }
        Self {
            json,
            next: 1,
            waiting: BTreeMap::new(),
            printed: BTreeMap::new(),
            addr,
            front: 1,
            bar,
        }
    }

    /// Whether an earlier line has to be answered first.
    pub(super) fn is_far_ahead(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// The first line that was not taken.
    pub(super) const fn next_line(&self) -> u64 {
        self.next
    }

    /// Takes a line: gives what to ask, or reports at once what is wrong with it.
    pub(super) fn take(&mut self, job: &Job, line: Line) -> Option<(Asked, ControlBody)> {
        let Line { number, text } = line;
        self.next = number + 1;
        let mut context = Document::new();
        context.insert("line".to_owned(), json!(number));
        match job.parse(text, &mut context) {
            Ok(Some(Parsed { request, about })) => {
                let asked = Asked {
                    number,
                    context,
                    about,
                };
                Some((asked, ControlBody::Data(request)))
            }
            Ok(None) => {
                self.report(number, None);
                None
            }
            Err(why) => {
                let report = failed(context, &CtlError::WrongUse(why));
                self.report(number, Some(report));
                None
            }
        }
    }

    pub(super) fn answered(
        &mut self,
        asked: Asked,
        answer: Result<ReplyBody, Missed>,
        timeout: Duration,
    ) {
        let Asked {
            number,
            context,
            about,
        } = asked;
        let answer = match (answer, about) {
            (Ok(ReplyBody::Data(reply)), about) => answer_of(&context, reply, &about),
            (Ok(ReplyBody::Invalid(why)), _) => Err(CtlError::WrongUse(why)),
            (Ok(ReplyBody::Denied(why)), _) => Err(CtlError::Denied(why)),
            (Ok(_), _) => Err(wrong_answer_of("put or insert")),
            (Err(missed), _) => Err(unanswered(missed, self.addr, timeout)),
        };
        let report = match answer {
            Ok(Answer {
                exit, json, text, ..
            }) => Report { exit, json, text },
            Err(error) => failed(context, &error),
        };
        self.report(number, Some(report));
    }

    /// Reports a line for which there is no connection any more.
    pub(super) fn not_asked(&mut self, job: &Job, line: Line) {
        let Some((asked, _)) = self.take(job, line) else {
            return;
        };
        let lost = ClientError::Lost {
            addr: self.addr,
            why: "before this line was asked".to_owned(),
        };
        let report = failed(asked.context, &CtlError::Client(lost));
        self.report(asked.number, Some(report));
    }

    fn report(&mut self, number: u64, report: Option<Report>) {
        self.waiting.insert(number, report);
        while let Some(first) = self.waiting.first_entry() {
            if *first.key() != self.front {
                break;
            }
            let report = first.remove();
            if let Some(report) = report {
                self.print(self.front, report);
            }
            self.front += 1;
        }
    }

    fn print(&mut self, number: u64, report: Report) {
        let Report { exit, json, text } = report;
        *self.printed.entry(exit).or_default() += 1;
        self.bar.inc(1);
        if self.json {
            print_json(json);
            return;
        }
        let line = format!("line {number}: {text}");
        // Good news on standard output, the rest where errors go, as for one command.
        self.bar.suspend(|| {
            let _ = if exit == Exit::Done {
                writeln!(std::io::stdout(), "{line}")
            } else {
                writeln!(std::io::stderr(), "{line}")
            };
        });
    }

    /// Prints what still waits, and sums up.
    pub(super) fn finish(mut self) -> Answer {
        for (number, report) in std::mem::take(&mut self.waiting) {
            if let Some(report) = report {
                self.print(number, report);
            }
        }
        self.bar.finish_and_clear();
        let count = |exit| self.printed.get(&exit).copied().unwrap_or(0);
        let mut parts = vec![format!("{} done", count(Exit::Done))];
        for (exit, word) in [
            (Exit::Absent, "in conflict"),
            (Exit::WrongUse, "wrong"),
            (Exit::Unknown, "unknown or failed"),
        ] {
            if count(exit) > 0 {
                parts.push(format!("{} {word}", count(exit)));
            }
        }
        let worst = self.printed.keys().max().copied().unwrap_or(Exit::Done);
        let all = self.printed.values().sum();
        let text = format!("{}: {}", count_of(all, "line"), parts.join(", "));
        Answer::new(worst, Document::new(), text)
    }
}

fn answer_of(context: &Document, reply: Reply, about: &About) -> Result<Answer, CtlError> {
    match about {
        About::Put(stored) => put_answer(context, reply, stored),
        About::Insert => insert_answer(context, reply),
    }
}

fn unanswered(missed: Missed, addr: SocketAddr, after: Duration) -> CtlError {
    CtlError::Unanswered(match missed {
        Missed::TimedOut => ClientError::NoAnswer { addr, after },
        Missed::Lost => ClientError::Lost {
            addr,
            why: "it was under way".to_owned(),
        },
    })
}

fn failed(mut context: Document, error: &CtlError) -> Report {
    error.evidence(&mut context);
    let (line, outcome) = (error.to_string(), error.outcome(true));
    let hint = error.hint("put", true);
    let text = format!("{outcome}: {line}");
    Report {
        exit: error.exit(),
        json: failure::document(context, &line, outcome, &hint),
        text,
    }
}
