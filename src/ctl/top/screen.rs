//! The terminal: taken over, and given back however this ends.

use crossterm::event::{self, Event, KeyEvent};
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Keys that wait; more wait in the terminal.
const KEYS: usize = 64;
/// How often the thread that reads keys looks whether it is still needed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The terminal while it is ours. Dropping it gives it back; a panic does, too.
pub(super) struct Screen {
    pub(super) terminal: ratatui::DefaultTerminal,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        ratatui::try_init().map(|terminal| Self { terminal })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = ratatui::try_restore();
    }
}

/// What comes from the terminal.
pub(super) enum Input {
    Key(KeyEvent),
    /// It has another size, or something else that is worth drawing anew.
    Other,
}

/// Reads keys on a thread of its own, until nobody wants them or the terminal is gone.
pub(super) fn keys() -> io::Result<mpsc::Receiver<Input>> {
    let (sender, receiver) = mpsc::channel(KEYS);
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || {
            while !sender.is_closed() {
                let input = match event::poll(LOOK_EVERY) {
                    Ok(false) => continue,
                    Ok(true) => event::read(),
                    Err(error) => Err(error),
                };
                let input = match input {
                    Ok(Event::Key(key)) => Input::Key(key),
                    Ok(_) => Input::Other,
                    Err(_) => return,
                };
                if sender.blocking_send(input).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

/// The signals that end a program: the terminal is given back first.
pub(super) struct Ends([Signal; 3]);

impl Ends {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::interrupt())?,
        ]))
    }

    /// Waits for one of them.
    pub(super) async fn recv(&mut self) {
        let [one, two, three] = &mut self.0;
        tokio::select! {
            _ = one.recv() => {}
            _ = two.recv() => {}
            _ = three.recv() => {}
        }
    }
}
