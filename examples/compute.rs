//! Volunteers count primes together, without anybody who hands out work.
//!
//! Each looks which pieces nobody has computed or works on, says that it computes one, and then that
//! it has; the result is stored under the name of the swarm and the number of the piece. Start a node,
//! and in two terminals, each with its own address:
//!
//! ```sh
//! cargo run --example compute -- 127.0.0.1:4000 primes 64 127.0.0.1:9001
//! ```

use overlay::{Condition, Consistency, Id, Outcome, Reply, Request};
use p2pnode::compute::{Asker, ComputeError, Work, Worker};
use p2pnode::control::client::{Connector, NodeName};
use p2pnode::control::session::Session;
use p2pnode::control::{ControlBody, ReplyBody, proof};
use std::net::SocketAddr;
use std::time::Duration;

/// Numbers in a piece.
const PIECE_NUMBERS: u32 = 20_000;
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Who has been at a piece for longer than this has died.
const GIVEN_UP_AFTER_S: u64 = 60;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One volunteer of a swarm.
pub(crate) struct Volunteer {
    /// The node that it asks.
    pub(crate) node: NodeName,
    /// The name of the swarm.
    pub(crate) swarm: String,
    /// How many pieces there are.
    pub(crate) pieces: u32,
    /// Its own address.
    pub(crate) me: SocketAddr,
}

impl Volunteer {
    /// Works until all pieces are computed; gives those that it computed itself.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(crate) async fn work(&self) -> Result<Vec<u32>> {
        let name = self.swarm.as_bytes();
        let mut worker = Worker::new(self.node.clone(), name, self.me, TIMEOUT)?;
        let mut asker = Asker::new(self.node.clone(), name, 0..self.pieces, TIMEOUT)?;
        let mut results = Results::open(self).await?;
        let mut computed = Vec::new();
        while let Some(next) = self.next(&mut asker).await? {
            let Some(piece) = next else {
                // All that is left is being computed by others: wait until something changes.
                let _ = tokio::time::timeout(TIMEOUT, asker.changes()).await;
                continue;
            };
            worker
                .announce(&[(piece..piece + 1, Some(Work::Computing))])
                .await?;
            let count = primes(piece * PIECE_NUMBERS..(piece + 1) * PIECE_NUMBERS);
            results.put(piece, count).await?;
            worker
                .announce(&[(piece..piece + 1, Some(Work::Computed))])
                .await?;
            computed.push(piece);
        }
        Ok(computed)
    }

    /// A piece to compute; `Some(None)` when others are at all that is left, none when all is done.
    /// Each volunteer begins elsewhere, so that they seldom meet.
    async fn next(
        &self,
        asker: &mut Asker,
    ) -> std::result::Result<Option<Option<u32>>, ComputeError> {
        let answer = asker.who().await?;
        let is_computed = |piece: &u32| answer.of(*piece) == Some(Work::Computed);
        if (0..self.pieces).all(|piece| is_computed(&piece)) {
            return Ok(None);
        }
        let is_taken = |piece: &u32| {
            let of_it = |said: &&p2pnode::compute::Said| said.pieces.contains(piece);
            let mut all = answer.said.iter().filter(of_it);
            all.any(|said| said.work == Work::Computed || said.age_s < GIVEN_UP_AFTER_S)
        };
        let first = u32::from(self.me.port()) * 7 % self.pieces;
        let in_turn = (first..self.pieces).chain(0..first);
        Ok(Some(in_turn.into_iter().find(|piece| !is_taken(piece))))
    }

    /// How many primes all pieces have together.
    ///
    /// # Errors
    /// When a result is not there.
    pub(crate) async fn total(&self) -> Result<u64> {
        let mut results = Results::open(self).await?;
        let mut total = 0;
        for piece in 0..self.pieces {
            total += results.get(piece).await?;
        }
        Ok(total)
    }
}

/// Results as values of the network.
struct Results {
    session: Session,
    swarm: String,
}

impl Results {
    async fn open(volunteer: &Volunteer) -> Result<Self> {
        let mut connector = Connector::new(proof::anonymous()?);
        Ok(Self {
            session: connector.connect(&volunteer.node, TIMEOUT).await?,
            swarm: volunteer.swarm.clone(),
        })
    }

    fn key(&self, piece: u32) -> Id {
        Id::of(format!("{}/{piece}", self.swarm).as_bytes())
    }

    async fn put(&mut self, piece: u32, count: u64) -> Result<()> {
        let request = Request::Put {
            key: self.key(piece),
            value: count.to_string().into_bytes().into(),
            ttl_s: None,
            consistency: Consistency::Quorum,
            condition: Condition::Always,
            text: String::new(),
            indexed: None,
        };
        match self.session.call(ControlBody::Data(request)).await? {
            ReplyBody::Data(Reply::Put(_)) => Ok(()),
            other => Err(format!("piece {piece} was not stored: {other:?}").into()),
        }
    }

    async fn get(&mut self, piece: u32) -> Result<u64> {
        let request = Request::Get {
            key: self.key(piece),
            consistency: Consistency::Quorum,
            at_least: None,
        };
        match self.session.call(ControlBody::Data(request)).await? {
            ReplyBody::Data(Reply::Got(report)) if report.outcome == Outcome::Found => {
                let value = report.value.unwrap_or_default();
                Ok(std::str::from_utf8(&value)?.parse()?)
            }
            other => Err(format!("no result of piece {piece}: {other:?}").into()),
        }
    }
}

/// The primes of a range, counted by trying all divisors: it shall take a moment.
#[must_use]
pub(crate) fn primes(numbers: std::ops::Range<u32>) -> u64 {
    let is_prime = |number: &u32| {
        let mut divisors = 2..=number.isqrt();
        *number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
    };
    numbers.filter(is_prime).count() as u64
}

fn volunteer(arguments: &[String]) -> Option<Volunteer> {
    let [_, node, swarm, pieces, me] = arguments else {
        return None;
    };
    // So that the numbers of the last piece are numbers of 32 bits.
    let pieces = pieces.parse().ok();
    Some(Volunteer {
        node: node.parse().ok()?,
        swarm: swarm.clone(),
        pieces: pieces.filter(|pieces| (1..=u32::MAX / PIECE_NUMBERS).contains(pieces))?,
        me: me.parse().ok()?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let volunteer = volunteer(&arguments).ok_or(
        "usage: compute NODE SWARM PIECES MY_ADDRESS; such as 127.0.0.1:4000 primes 64 127.0.0.1:9001",
    )?;
    let computed = volunteer.work().await?;
    println!(
        "computed: {} of {} pieces here: {computed:?}",
        computed.len(),
        volunteer.pieces
    );
    println!("primes: {}", volunteer.total().await?);
    Ok(())
}
