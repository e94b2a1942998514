//! What is on the screen, and what keys do to it.

use super::columns::Column;
use super::model::{Model, Row};
use crate::control::client::ClientError;
use crate::crawl::NetworkView;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use overlay::{Id, LocateReport, MAX_KEY_BYTES};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Lines that a page up or down goes.
const PAGE: usize = 10;

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// All nodes.
    Table,
    /// One node.
    Details,
    /// A key is being typed.
    Asking(String),
    /// The keys.
    Help,
}

/// What a key asks of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    Quit,
    /// Look this key up.
    Locate(String),
}

/// A key that was looked up.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) key: String,
    /// Where it is, and how long that took; or why not.
    pub(super) answer: Option<Result<(LocateReport, Duration), String>>,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct App {
    pub(super) model: Model,
    pub(super) mode: Mode,
    pub(super) sort: Column,
    pub(super) reversed: bool,
    selected: Option<Id>,
    /// By way of which node the network is seen.
    pub(super) through: SocketAddr,
    pub(super) interval: Duration,
    /// Why there is no newer picture.
    pub(super) trouble: Option<String>,
    pub(super) located: Option<Located>,
}

impl App {
    pub(super) fn new(through: SocketAddr, interval: Duration) -> Self {
        Self {
            model: Model::default(),
            mode: Mode::Table,
            sort: Column::Id,
            reversed: false,
            selected: None,
            through,
            interval,
            trouble: None,
            located: None,
        }
    }

    /// Takes a picture, taken by way of a node.
    pub(super) fn take(&mut self, through: SocketAddr, view: NetworkView, at: Instant) {
        self.model.take(view, at);
        self.through = through;
        self.trouble = None;
    }

    /// Nobody could be asked.
    pub(super) fn trouble(&mut self, error: &ClientError) {
        self.trouble = Some(error.to_string());
    }

    pub(super) fn locating(&mut self, key: String) {
        self.located = Some(Located { key, answer: None });
    }

    pub(super) fn located(&mut self, key: &str, answer: Result<(LocateReport, Duration), String>) {
        // The answer to an earlier question comes too late.
        if let Some(located) = self.located.as_mut().filter(|located| located.key == key) {
            located.answer = Some(answer);
        }
    }

    /// All nodes in the order in which they are shown.
    pub(super) fn rows(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.model.rows.iter().collect();
        rows.sort_by(|one, other| {
            let order = self.sort.order(one, other);
            if self.reversed {
                order.reverse()
            } else {
                order
            }
        });
        rows
    }

    /// The place of the chosen node among [`rows`](Self::rows).
    pub(super) fn place(&self, rows: &[&Row]) -> Option<usize> {
        let chosen = self.selected?;
        rows.iter().position(|row| row.contact.id == chosen)
    }

    /// The chosen node.
    pub(super) fn chosen(&self) -> Option<&Row> {
        let chosen = self.selected?;
        self.model.rows.iter().find(|row| row.contact.id == chosen)
    }

    fn go(&mut self, to: impl Fn(usize, usize) -> usize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        let place = match self.place(&rows) {
            Some(at) => to(at, last).min(last),
            None => 0,
        };
        self.selected = rows.get(place).map(|row| row.contact.id);
    }

    /// What a key does.
    pub(super) fn key(&mut self, key: KeyEvent) -> Act {
        if key.kind == KeyEventKind::Release {
            return Act::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'd') => Act::Quit,
                _ => Act::Nothing,
            };
        }
        if matches!(self.mode, Mode::Asking(_)) {
            return self.typed(key.code);
        }
        match key.code {
            KeyCode::Char('q') => return Act::Quit,
            KeyCode::Esc if self.mode == Mode::Table => self.located = None,
            KeyCode::Esc => self.mode = Mode::Table,
            KeyCode::Char('/') => self.mode = Mode::Asking(String::new()),
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Enter => self.details(),
            KeyCode::Up | KeyCode::Char('k') => self.go(|at, _| at.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.go(|at, _| at + 1),
            KeyCode::PageUp => self.go(|at, _| at.saturating_sub(PAGE)),
            KeyCode::PageDown => self.go(|at, _| at + PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.go(|_, _| 0),
            KeyCode::End | KeyCode::Char('G') => self.go(|_, last| last),
            KeyCode::Char('s') | KeyCode::Right => self.sort = self.sort.next(),
            KeyCode::Char('S') | KeyCode::Left => self.sort = self.sort.previous(),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            _ => {}
        }
        Act::Nothing
    }

    fn details(&mut self) {
        if self.mode != Mode::Table {
            self.mode = Mode::Table;
            return;
        }
        if self.chosen().is_none() {
            self.go(|at, _| at);
        }
        if self.selected.is_some() {
            self.mode = Mode::Details;
        }
    }

    /// What a key does while one types.
    fn typed(&mut self, code: KeyCode) -> Act {
        let Mode::Asking(text) = &mut self.mode else {
            return Act::Nothing;
        };
        match code {
            KeyCode::Char(letter) if text.len() + letter.len_utf8() <= MAX_KEY_BYTES => {
                text.push(letter);
            }
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Esc => self.mode = Mode::Table,
            KeyCode::Enter => {
                let text = std::mem::take(text);
                self.mode = Mode::Table;
                if !text.is_empty() {
                    return Act::Locate(text);
                }
            }
            _ => {}
        }
        Act::Nothing
    }
}
