//! `p2pctl top`: the whole network on one screen, live.
//!
//! Every node that any node knows is asked how it is (`crawl`), again and again, while keys are
//! listened to: a node that is silent does not hold up the screen.

mod app;
mod columns;
mod details;
mod figures;
mod model;
mod print;
mod screen;
#[cfg(test)]
mod tests;
mod view;
mod watch;

use super::output::{Answer, Exit, document};
use super::{Asking, CtlError, parse};
use crate::client::Client;
use crate::control::client::ClientError;
use app::{Act, App};
use clap::Args;
use overlay::LocateReport;
use screen::{Ends, Input, Screen};
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use watch::{Picture, Watcher};

/// The flags of `top`.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    /// How often all nodes are asked, 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse::interval)]
    interval: Duration,

    /// Print one picture and end: two are taken, one interval apart, so that there are rates
    #[arg(long)]
    once: bool,
}

/// A key that was looked up, and what came of it.
type Found = (String, Result<(LocateReport, Duration), String>);

pub(super) async fn run(asking: Asking, args: TopArgs, json: bool) -> Result<Answer, CtlError> {
    let is_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !(json || args.once || is_terminal) {
        return Err(CtlError::WrongUse(
            "top draws on a terminal, and this is none; use `p2pctl status --json`, or top with --once or --json"
                .to_owned(),
        ));
    }
    let mut watcher = Watcher::new(&asking.node).await?;
    let through = watcher.first();
    let through =
        through.ok_or_else(|| CtlError::WrongUse("the node has no address".to_owned()))?;
    let mut app = App::new(through, args.interval);
    // What cannot be reached at all is an error like any other.
    take(&mut app, watcher.picture().await?);
    if args.once {
        tokio::time::sleep(args.interval).await;
        take(&mut app, watcher.picture().await?);
        let told = document(json!(print::document(&app)));
        return Ok(Answer::new(Exit::Done, told, print::text(&app)));
    }
    if json {
        stream(app, watcher).await?;
    } else {
        Program::new(app, watcher)?.run().await?;
    }
    // Everything has been said.
    Ok(Answer::silent())
}

fn take(app: &mut App, picture: Picture) {
    app.take(picture.through, picture.view, picture.at);
}

fn local(error: &io::Error) -> CtlError {
    CtlError::Local(format!("the terminal cannot be used: {error}"))
}

/// One document a line, until somebody ends it or the reader goes away.
async fn stream(mut app: App, mut watcher: Watcher) -> Result<(), CtlError> {
    let mut ends = Ends::new().map_err(|error| local(&error))?;
    loop {
        match writeln!(io::stdout(), "{}", json!(print::document(&app))) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => {
                let why = format!("the picture cannot be written to standard output: {error}");
                return Err(CtlError::Local(why));
            }
        }
        let interval = app.interval;
        let next = async {
            tokio::time::sleep(interval).await;
            watcher.picture().await
        };
        let picture = tokio::select! {
            picture = next => picture?,
            () = ends.recv() => return Ok(()),
        };
        take(&mut app, picture);
    }
}

/// The program on a terminal.
struct Program {
    app: App,
    pictures: mpsc::Receiver<Result<Picture, ClientError>>,
    found: mpsc::Receiver<Found>,
    finder: mpsc::Sender<Found>,
}

impl Program {
    #[allow(
        clippy::disallowed_methods,
        reason = "it takes pictures while keys are listened to"
    )]
    fn new(app: App, watcher: Watcher) -> Result<Self, CtlError> {
        // A picture that is not drawn yet needs no successor.
        let (sender, pictures) = mpsc::channel(1);
        tokio::spawn(watcher.run(app.interval, sender));
        let (finder, found) = mpsc::channel(1);
        Ok(Self {
            app,
            pictures,
            found,
            finder,
        })
    }

    async fn run(mut self) -> Result<(), CtlError> {
        let mut ends = Ends::new().map_err(|error| local(&error))?;
        let mut screen = Screen::open().map_err(|error| local(&error))?;
        let mut keys = screen::keys().map_err(|error| local(&error))?;
        loop {
            let drawn = screen
                .terminal
                .draw(|frame| view::draw(frame, &self.app))
                .map(drop);
            drawn.map_err(|error| local(&error))?;
            tokio::select! {
                biased;
                () = ends.recv() => return Ok(()),
                input = keys.recv() => match input {
                    Some(Input::Key(key)) => match self.app.key(key) {
                        Act::Quit => return Ok(()),
                        Act::Locate(key) => self.locate(key),
                        Act::Nothing => {}
                    },
                    Some(Input::Other) => {}
                    // The terminal is gone.
                    None => return Ok(()),
                },
                Some((key, answer)) = self.found.recv() => self.app.located(&key, answer),
                Some(picture) = self.pictures.recv() => match picture {
                    Ok(picture) => take(&mut self.app, picture),
                    Err(error) => self.app.trouble(&error),
                },
            }
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "it looks up while keys are listened to"
    )]
    fn locate(&mut self, key: String) {
        self.app.locating(key.clone());
        let (node, finder) = (self.app.through, self.finder.clone());
        tokio::spawn(async move {
            let asked = async {
                let client = Client::connect(node)
                    .await
                    .map_err(|error| error.to_string())?;
                let began = Instant::now();
                let located = client.locate(key.as_str()).await;
                let report = located.map_err(|error| error.to_string())?;
                Ok((report, began.elapsed()))
            };
            let answer = asked.await;
            // The program may have ended.
            let _ = finder.send((key, answer)).await;
        });
    }
}
