//! A network of its own for each node: namespaces, each with two virtual cables.
//!
//! All cables end in one more namespace, the hub. Peers talk over the cable `data`, whose other
//! end is in one of two bridges that nothing joins: moving a cable from `left` to `right` cuts its
//! node off from those that stay, and moving it back heals that. Clients come in over the cable
//! `reach`, so that they can talk to both sides of a partition.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

/// The port of every node.
const PORT: u16 = 4000;
/// What the names of our namespaces begin with; the id of the test's process follows.
const PREFIX: &str = "p2psurvival-";

/// The namespaces of one run. Dropping it removes them.
#[derive(Debug)]
pub(crate) struct Namespaces {
    run: u32,
    made: Vec<usize>,
}

impl Namespaces {
    /// Makes the hub.
    ///
    /// # Errors
    /// Why there can be no namespaces here, in words.
    pub(crate) fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("it needs root".to_owned());
        }
        let has_ip = Command::new("ip").arg("-V").stdout(Stdio::null()).status();
        if has_ip.is_err() {
            return Err("there is no `ip` (on Debian, the package iproute2)".to_owned());
        }
        remove_stale();
        let this = Self {
            run: std::process::id(),
            made: Vec::new(),
        };
        this.make_hub().map_err(|why| why.to_string())?;
        Ok(this)
    }

    fn make_hub(&self) -> io::Result<()> {
        let (hub, host) = (self.hub(), self.host_cable());
        batch(&[format!("netns add {hub}")])?;
        let mut lines = vec!["link set lo up".to_owned()];
        for bridge in ["left", "right", "reach"] {
            lines.push(format!("link add {bridge} type bridge"));
            lines.push(format!("link set {bridge} up"));
        }
        batch_in(&hub, &lines)?;
        batch(&[
            format!("link add {host} type veth peer name host netns {hub}"),
            format!("addr add {}/24 dev {host}", self.reach_ip(253)),
            format!("link set {host} up"),
        ])?;
        batch_in(
            &hub,
            &[
                "link set host master reach".to_owned(),
                "link set host up".to_owned(),
            ],
        )
    }

    /// Makes the namespace of a node.
    pub(crate) fn make(&mut self, number: usize) -> io::Result<()> {
        let (hub, name) = (self.hub(), self.name(number));
        batch(&[format!("netns add {name}")])?;
        self.made.push(number);
        let mut outside = Vec::new();
        let mut inside = vec!["link set lo up".to_owned()];
        for (cable, bridge, ip) in [
            ("data", "left", self.data_ip(number)),
            ("reach", "reach", self.reach_ip(number)),
        ] {
            let end = format!("{cable}{number}");
            outside.push(format!(
                "link add {end} type veth peer name {cable} netns {name}"
            ));
            outside.push(format!("link set {end} master {bridge}"));
            outside.push(format!("link set {end} up"));
            inside.push(format!("addr add {ip}/24 dev {cable}"));
            inside.push(format!("link set {cable} up"));
        }
        batch_in(&hub, &outside)?;
        batch_in(&name, &inside)
    }

    /// Moves these nodes to the other side.
    pub(crate) fn cut(&self, numbers: &[usize]) -> io::Result<()> {
        self.connect(numbers, "right")
    }

    /// Brings everybody back to one side.
    pub(crate) fn heal(&self) -> io::Result<()> {
        self.connect(&self.made, "left")
    }

    fn connect(&self, numbers: &[usize], bridge: &str) -> io::Result<()> {
        let line = |number| format!("link set data{number} master {bridge}");
        let lines: Vec<_> = numbers.iter().map(line).collect();
        batch_in(&self.hub(), &lines)
    }

    /// The address of a node among its peers.
    pub(crate) fn peer(&self, number: usize) -> SocketAddr {
        SocketAddr::from((self.data_ip(number), PORT))
    }

    /// The address of a node for clients.
    pub(crate) fn reach(&self, number: usize) -> SocketAddr {
        SocketAddr::from((self.reach_ip(number), PORT))
    }

    /// A program in the namespace of a node; `ip` becomes that program, so signals reach it.
    pub(crate) fn command(&self, number: usize, program: &str) -> Command {
        let mut command = super::support::bare("ip");
        command.args(["netns", "exec", &self.name(number), program]);
        command
    }

    fn hub(&self) -> String {
        format!("{PREFIX}{}-hub", self.run)
    }

    fn name(&self, number: usize) -> String {
        format!("{PREFIX}{}-{number}", self.run)
    }

    fn host_cable(&self) -> String {
        format!("p2ps{}", self.run)
    }

    /// The networks of RFC 2544, for measuring networks: nobody has them.
    fn data_ip(&self, number: usize) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.network(), last_octet(number))
    }

    fn reach_ip(&self, number: usize) -> Ipv4Addr {
        Ipv4Addr::new(198, 19, self.network(), last_octet(number))
    }

    const fn network(&self) -> u8 {
        self.run.to_le_bytes()[0]
    }
}

fn last_octet(number: usize) -> u8 {
    u8::try_from(number + 1).expect("fewer than 255 nodes")
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The cables go with the namespaces. What cannot be removed now is removed by the next run.
        for number in &self.made {
            let _ = batch(&[format!("netns del {}", self.name(*number))]);
        }
        let _ = batch(&[format!("netns del {}", self.hub())]);
    }
}

/// Removes the namespaces of runs that were killed.
fn remove_stale() {
    let listed = Command::new("ip").args(["netns", "list"]).output();
    let text = listed.map_or_else(
        |_| String::new(),
        |out| String::from_utf8_lossy(&out.stdout).into_owned(),
    );
    for name in text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let run = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if let Some(run) = run
            && !std::path::Path::new("/proc").join(run).exists()
        {
            let _ = batch(&[format!("netns del {name}")]);
        }
    }
}

fn batch(lines: &[String]) -> io::Result<()> {
    run(Command::new("ip").args(["-batch", "-"]), lines)
}

fn batch_in(namespace: &str, lines: &[String]) -> io::Result<()> {
    run(
        Command::new("ip").args(["-n", namespace, "-batch", "-"]),
        lines,
    )
}

fn run(command: &mut Command, lines: &[String]) -> io::Result<()> {
    let text = lines.join("\n") + "\n";
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(text.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "ip: {} (asked: {})",
        said.trim(),
        text.trim()
    )))
}
