//! The processes of a run: started, killed, stopped, gone on, started again on their disks.

use crate::figures::Figures;
use crate::ground::Ground;
use crate::record::Record;
use overlay::Time;
use rustix::process::{Pid, Signal, kill_process};
use sim::Dice;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// How long a node may take until it serves, or leaves; then it is killed.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// A node that could not join tries again after this, as a service manager would let it.
const START_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Members that a node is told to join through: any four of the others, up or not.
const JOIN_THROUGH: usize = 4;
/// How long a node may take to hand everything over.
const LEAVE_WITHIN: &str = "60s";

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is being started.
    Starting,
    /// It serves.
    Up,
    /// It was sent SIGSTOP.
    Stopped,
    /// It was killed.
    Down,
    /// It hands its data over.
    Leaving,
    /// It has left for good.
    Gone,
}

struct Member {
    life: Life,
    process: Option<(Child, BufReader<ChildStdout>)>,
    /// When it was killed or left, each time.
    stops: Vec<Time>,
}

/// All nodes of a run.
pub(crate) struct Cluster {
    pub(crate) record: Rc<RefCell<Record>>,
    pub(crate) figures: RefCell<Figures>,
    ground: RefCell<Ground>,
    overlay: String,
    directory: PathBuf,
    members: RefCell<BTreeMap<usize, Member>>,
    dice: RefCell<Dice>,
    is_cut: Cell<bool>,
}

impl Cluster {
    pub(crate) fn new(
        ground: Ground,
        overlay: &str,
        directory: &Path,
        record: Rc<RefCell<Record>>,
        dice: Dice,
    ) -> Self {
        Self {
            record,
            figures: RefCell::default(),
            ground: RefCell::new(ground),
            overlay: overlay.to_owned(),
            directory: directory.to_owned(),
            members: RefCell::default(),
            dice: RefCell::new(dice),
            is_cut: Cell::new(false),
        }
    }

    /// Makes a node that was not there before; [`start`](Self::start) starts it.
    pub(crate) fn add(&self) -> usize {
        let number = self.members.borrow().len();
        self.ground
            .borrow_mut()
            .prepare(number)
            .expect("room for a node");
        let member = Member {
            life: Life::Down,
            process: None,
            stops: Vec::new(),
        };
        self.members.borrow_mut().insert(number, member);
        number
    }

    /// Starts a node on its disk, again and again until it has joined.
    pub(crate) async fn start(&self, number: usize) {
        self.set(number, Life::Starting);
        let began = Instant::now();
        loop {
            match self.try_start(number).await {
                Ok(process) => {
                    self.figures.borrow_mut().starts.push(began.elapsed());
                    if let Some(member) = self.members.borrow_mut().get_mut(&number) {
                        member.process = Some(process);
                        member.life = Life::Up;
                    }
                    return;
                }
                Err(why) if why.contains("cannot join") => {
                    self.figures.borrow_mut().starts_in_vain += 1;
                }
                Err(why) => {
                    let text = format!("node {number} did not start: {why}");
                    let mut record = self.record.borrow_mut();
                    record.violate("a node starts on its disk", text, None);
                }
            }
            tokio::time::sleep(START_AGAIN_AFTER).await;
        }
    }

    async fn try_start(&self, number: usize) -> Result<(Child, BufReader<ChildStdout>), String> {
        let log = self.directory.join(format!("node-{number}.log"));
        let before = std::fs::metadata(&log).map_or(0, |meta| meta.len());
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let mut command = self.command(number);
        command.stderr(file.map_err(|why| why.to_string())?);
        let mut child = command.spawn().map_err(|why| why.to_string())?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("it has no output")?);
        let mut line = String::new();
        let read = tokio::time::timeout(READY_WITHIN, stdout.read_line(&mut line)).await;
        if read.is_ok() && line.starts_with("ready ") {
            return Ok((child, stdout));
        }
        let waited = read.is_err();
        // It may have ended already.
        let _ = child.kill().await;
        let text = std::fs::read(&log).unwrap_or_default();
        let said = text
            .get(usize::try_from(before).unwrap_or(0)..)
            .unwrap_or_default();
        let said = String::from_utf8_lossy(said);
        let last = said.lines().last().unwrap_or_default();
        Err(if waited {
            // Among many dead ones it takes long to find one's place.
            format!("cannot join within {} s: {last}", READY_WITHIN.as_secs())
        } else {
            last.to_owned()
        })
    }

    fn command(&self, number: usize) -> Command {
        let program = env!("CARGO_BIN_EXE_p2pnode");
        let mut command = self.ground.borrow().node(number, program);
        command.args(["--overlay", &self.overlay, "--http", "off", "--data-dir"]);
        command.arg(self.data_dir(number));
        for other in self.some_others(number) {
            command.args(["--join", &self.ground.borrow().peer(other).to_string()]);
        }
        // Nodes in namespaces have the same address for the machine: each has a folder for that.
        command.env("XDG_RUNTIME_DIR", &self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// Members to join through; the first node, when it is alone, has none and founds the network.
    fn some_others(&self, number: usize) -> Vec<usize> {
        let members = self.members.borrow();
        let others = members.iter().filter(|(other, member)| {
            let has_been = member.process.is_some() || !member.stops.is_empty();
            **other != number && member.life != Life::Gone && has_been
        });
        let mut others: Vec<_> = others.map(|(other, _)| *other).collect();
        self.dice.borrow_mut().shuffle(&mut others);
        others.truncate(JOIN_THROUGH);
        others
    }

    fn data_dir(&self, number: usize) -> PathBuf {
        self.directory.join(format!("node-{number}"))
    }

    /// Sends SIGKILL, and waits until the process is gone.
    pub(crate) async fn kill(&self, number: usize) {
        let process = self
            .members
            .borrow_mut()
            .get_mut(&number)
            .and_then(|member| {
                member.life = Life::Down;
                member.process.take()
            });
        if let Some((mut child, _)) = process {
            child.kill().await.expect("SIGKILL");
            self.figures.borrow_mut().kills += 1;
        }
        self.has_stopped(number);
    }

    fn has_stopped(&self, number: usize) {
        let now = self.record.borrow().now();
        if let Some(member) = self.members.borrow_mut().get_mut(&number) {
            member.stops.push(now);
        }
    }

    /// Sends SIGSTOP.
    pub(crate) fn stop(&self, number: usize) {
        self.signal(number, Signal::STOP);
        self.figures.borrow_mut().stops += 1;
        self.set(number, Life::Stopped);
    }

    /// Sends SIGCONT.
    pub(crate) fn go_on(&self, number: usize) {
        self.signal(number, Signal::CONT);
        self.set(number, Life::Up);
    }

    fn signal(&self, number: usize, signal: Signal) {
        let members = self.members.borrow();
        let child = members
            .get(&number)
            .and_then(|member| member.process.as_ref());
        let id = child.and_then(|(child, _)| child.id());
        let pid = id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(pid.expect("a process"), signal).expect("a signal");
    }

    /// `p2pctl leave`: waits until the node has handed everything over and its process has ended.
    /// One that could not hand everything over is started again on its disk, and leaves later.
    pub(crate) async fn leave(&self, number: usize) -> Result<(), String> {
        self.set(number, Life::Leaving);
        let mut command = Command::from(crate::support::bare(env!("CARGO_BIN_EXE_p2pctl")));
        command.args([
            "--timeout",
            LEAVE_WITHIN,
            "--node",
            &self.reach(number).to_string(),
        ]);
        command
            .arg("--key")
            .arg(self.data_dir(number).join("node.key"))
            .arg("leave");
        let ran = command
            .kill_on_drop(true)
            .output()
            .await
            .expect("p2pctl runs");
        let process = self
            .members
            .borrow_mut()
            .get_mut(&number)
            .and_then(|member| member.process.take());
        let mut ended = None;
        if let Some((mut child, _)) = process {
            let waited = tokio::time::timeout(READY_WITHIN, child.wait()).await;
            ended = waited.ok().and_then(Result::ok);
            // One that does not end is killed.
            let _ = child.kill().await;
        }
        self.has_stopped(number);
        if ran.status.success() && ended.is_some_and(|status| status.success()) {
            self.set(number, Life::Gone);
            return Ok(());
        }
        self.set(number, Life::Down);
        let said = String::from_utf8_lossy(&ran.stderr);
        Err(format!("node {number}, {ended:?}: {}", said.trim()))
    }

    /// Notes processes that ended though nobody ended them.
    pub(crate) fn look_for_the_dead(&self) {
        for (number, member) in self.members.borrow_mut().iter_mut() {
            let Some((child, _)) = &mut member.process else {
                continue;
            };
            if let (Life::Up, Ok(Some(status))) = (member.life, child.try_wait()) {
                member.life = Life::Gone;
                let text = format!("node {number} ended with {status}");
                let mut record = self.record.borrow_mut();
                record.violate("a node does not end by itself", text, None);
            }
        }
    }

    /// Cuts nodes off from the others.
    pub(crate) fn cut(&self, numbers: &[usize]) {
        let mut record = self.record.borrow_mut();
        let now = record.now();
        record.weather.split(now);
        self.ground.borrow().cut(numbers).expect("a partition");
        self.is_cut.set(true);
        self.figures.borrow_mut().partitions += 1;
    }

    /// Ends the partition.
    pub(crate) fn heal(&self) {
        self.ground
            .borrow()
            .heal()
            .expect("an end of the partition");
        self.is_cut.set(false);
    }

    /// Whether the network is cut in two.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// Whether there can be partitions.
    pub(crate) fn can_split(&self) -> bool {
        self.ground.borrow().can_split()
    }

    /// The address of a node for clients.
    pub(crate) fn reach(&self, number: usize) -> SocketAddr {
        self.ground.borrow().reach(number)
    }

    fn set(&self, number: usize, life: Life) {
        if let Some(member) = self.members.borrow_mut().get_mut(&number) {
            member.life = life;
        }
    }

    /// How a node is.
    pub(crate) fn life(&self, number: usize) -> Option<Life> {
        self.members.borrow().get(&number).map(|member| member.life)
    }

    /// The nodes that are so.
    pub(crate) fn all(&self, are: impl Fn(Life) -> bool) -> Vec<usize> {
        let members = self.members.borrow();
        let found = members.iter().filter(|(_, member)| are(member.life));
        found.map(|(number, _)| *number).collect()
    }

    /// The nodes that serve.
    pub(crate) fn up(&self) -> Vec<usize> {
        self.all(|life| life == Life::Up)
    }

    /// When each node was killed or left.
    pub(crate) fn stops(&self) -> Vec<Vec<Time>> {
        let members = self.members.borrow();
        members
            .values()
            .map(|member| member.stops.clone())
            .collect()
    }
}
