//! How many announces a second a tracker answers: ours, opentracker and aquatic_udp side by side.

use super::metrics::number_in;
use super::network::clock;
use super::{Flags, Place, pause};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The core of the tracker, and that of the load.
const CORES: [&str; 2] = ["0", "1"];
/// How long a tracker may take to listen.
const START_WITHIN: Duration = Duration::from_secs(10);
/// The file of the torrents that opentracker serves, in its folder.
const LIST: &str = "torrents.txt";
/// Clock ticks of a process's times in a second, on every Linux.
const TICKS_PER_S: f64 = 100.0;

/// The trackers that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Ours,
    Opentracker,
    Aquatic,
}

/// What is measured of a tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Udp,
    KeepAlive,
    Close,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// At half of that.
    half_p99_us: f64,
    cpu_s_per_million: f64,
}

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let folder = place
        .data
        .join(format!("p2p-tracker-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let measured = compare(flags, &place.bin, &folder);
    // What is left of it is temporary anyway.
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

fn compare(flags: &Flags, bin: &Path, folder: &Path) -> Result<(), String> {
    let programs = [Program::Ours, Program::Opentracker, Program::Aquatic];
    let there: Vec<_> = programs
        .into_iter()
        .filter(|program| program.is_there())
        .collect();
    println!(
        "10,000 torrents, 100,000 clients, 50 peers wanted, 256 in flight, {} s; tracker on core {}, \
         load on core {}; the fastest of {} rounds",
        flags.seconds, CORES[0], CORES[1], flags.rounds
    );
    println!(
        "{:<16} {:<12} {:>11} {:>8} {:>8} {:>16} {:>14}",
        "tracker", "by", "announces/s", "p50 µs", "p99 µs", "p99 at half, µs", "CPU s/million"
    );
    for kind in [Kind::Udp, Kind::KeepAlive, Kind::Close] {
        let mut best: Vec<(Program, Measured)> = Vec::new();
        for round in 0..flags.rounds {
            for program in there.iter().filter(|program| program.serves(kind)) {
                let found = once(*program, kind, flags.seconds, bin, folder)
                    .map_err(|why| format!("{program:?}, round {round}: {why}"))?;
                match best.iter_mut().find(|(of, _)| of == program) {
                    Some((_, best)) if best.per_s >= found.per_s => {}
                    Some((_, best)) => *best = found,
                    None => best.push((*program, found)),
                }
            }
        }
        for (program, found) in best {
            println!(
                "{:<16} {:<12} {:>11.0} {:>8.0} {:>8.0} {:>16.0} {:>14.2}",
                program.name(),
                kind.name(),
                found.per_s,
                found.p50_us,
                found.p99_us,
                found.half_p99_us,
                found.cpu_s_per_million
            );
        }
    }
    Ok(())
}

/// Starts a tracker, measures it twice, ends it.
fn once(
    program: Program,
    kind: Kind,
    seconds: u64,
    bin: &Path,
    folder: &Path,
) -> Result<Measured, String> {
    let tracker = Running::start(program, bin, folder)?;
    let load = |rate: Option<f64>| -> Result<(String, f64), String> {
        let before = tracker.cpu_s()?;
        let document = bench(&tracker, kind, seconds, rate, bin)?;
        Ok((document, tracker.cpu_s()? - before))
    };
    // Nothing of the first round but the swarms, which every other finds filled.
    bench(&tracker, kind, 1, None, bin)?;
    let (full, cpu_s) = load(None)?;
    let per_s = number_in(&full, "announces_per_s")?;
    let announces = number_in(&full, "announces")? + number_in(&full, "peers")?;
    let (half, _) = load(Some(per_s / 2.0))?;
    Ok(Measured {
        per_s,
        p50_us: number_in(&full, "p50_us")?,
        p99_us: number_in(&full, "p99_us")?,
        half_p99_us: number_in(&half, "p99_us")?,
        cpu_s_per_million: cpu_s / announces * 1e6,
    })
}

fn bench(
    tracker: &Running,
    kind: Kind,
    seconds: u64,
    rate: Option<f64>,
    bin: &Path,
) -> Result<String, String> {
    let scheme = if kind == Kind::Udp { "udp" } else { "http" };
    let url = format!("{scheme}://{}/announce", tracker.address);
    let mut command = pinned(CORES[1], &bin.join("p2pctl"));
    command.args(["bench", "tracker", &url, "--json", "--duration"]);
    command.arg(format!("{seconds}s")).stdin(Stdio::null());
    if let Some(rate) = rate {
        command.arg("--rate").arg(format!("{:.0}", rate.max(1.0)));
    }
    if kind == Kind::Close {
        command.arg("--close");
    }
    let output = command
        .output()
        .map_err(|why| format!("cannot run taskset: {why}"))?;
    let document = String::from_utf8_lossy(&output.stdout).into_owned();
    // Lost datagrams are errors to p2pctl, and a part of the figures here.
    number_in(&document, "announces_per_s").map(|_| document)
}

/// A file with the info-hashes of all torrents.
fn write_list(bin: &Path, path: &Path) -> Result<(), String> {
    let mut command = Command::new(bin.join("p2pctl"));
    command.args(["bench", "tracker", "udp://127.0.0.1:1", "--print-torrents"]);
    let hashes = command
        .output()
        .map_err(|why| format!("cannot run p2pctl: {why}"))?;
    std::fs::write(path, hashes.stdout).map_err(|why| format!("{}: {why}", path.display()))
}

fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "p2pnode",
            Self::Opentracker => "opentracker",
            Self::Aquatic => "aquatic_udp",
        }
    }

    fn is_there(self) -> bool {
        self == Self::Ours || crate::packages::is_in_path(self.name())
    }

    fn serves(self, kind: Kind) -> bool {
        match self {
            Self::Ours => true,
            // It closes every connection, whatever is asked.
            Self::Opentracker => kind != Kind::KeepAlive,
            Self::Aquatic => kind == Kind::Udp,
        }
    }

    fn command(self, bin: &Path, folder: &Path, address: SocketAddr) -> Result<Command, String> {
        let program = match self {
            Self::Ours => bin.join(self.name()),
            Self::Opentracker | Self::Aquatic => PathBuf::from(self.name()),
        };
        let mut command = pinned(CORES[0], &program);
        let (text, port) = (address.to_string(), address.port().to_string());
        match self {
            Self::Ours => {
                command.args(["--listen", "127.0.0.1:0", "--http", "off"]);
                command.args(["--tracker-http", &text, "--tracker-udp", &text]);
                command
                    .args(["--announce-rate", "0"])
                    .arg("--data-dir")
                    .arg(folder.join(&port));
            }
            Self::Opentracker => {
                let folder = folder.to_string_lossy();
                command.args(["-i", "127.0.0.1", "-p", &port, "-P", &port, "-d", &folder]);
                // Debian's serves only what is on a list, and as root sees nothing but its folder.
                write_list(bin, &Path::new(&*folder).join(LIST))?;
                command.args(["-w", LIST]);
            }
            Self::Aquatic => {
                let path = folder.join("aquatic.toml");
                let settings = format!(
                    // What 0.9.0 understands, the last one on crates.io.
                    "socket_workers = 1\n[network]\naddress = \"{text}\"\n[protocol]\n\
                     max_response_peers = 50\n[cleaning]\nmax_peer_age = 3600\n"
                );
                std::fs::write(&path, settings).map_err(|why| why.to_string())?;
                command.arg("-c").arg(path);
            }
        }
        Ok(command)
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::KeepAlive => "HTTP, kept",
            Self::Close => "HTTP, new",
        }
    }
}

/// A tracker at work. Dropping it ends it.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(program: Program, bin: &Path, folder: &Path) -> Result<Self, String> {
        let wrong = |why: std::io::Error| format!("cannot start {}: {why}", program.name());
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.map_err(wrong)?;
        let log = File::create(folder.join(format!("{}.log", program.name()))).map_err(wrong)?;
        let mut command = program.command(bin, folder, address)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().map_err(wrong)?;
        let running = Self { child, address };
        let began = clock();
        // Whoever has nothing of HTTP has at least taken the UDP port.
        while std::net::UdpSocket::bind(address).is_ok() {
            if began.elapsed() > START_WITHIN {
                return Err(format!("{} does not listen", program.name()));
            }
            pause(Duration::from_millis(50));
        }
        Ok(running)
    }

    /// Seconds of CPU that it has used.
    fn cpu_s(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
        // Its name, in parentheses, may have spaces.
        let fields = text
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace();
        let ticks = fields
            .skip(11)
            .take(2)
            .map(|field| field.parse::<f64>().unwrap_or_default());
        Ok(ticks.sum::<f64>() / TICKS_PER_S)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
