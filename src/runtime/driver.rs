//! The task that owns the machine.
//!
//! It waits for messages, calls and timers, takes everything that is ready up to a batch, hands
//! each to the machine and carries out the effects; what is urgent first, and again between others,
//! and the answer to that leaves at once. After the batch the writes of the store are
//! made durable together and reported, and only then the queues of the links are sent: one write
//! for all messages of a batch to one peer.

use super::calls::{Caller, Calls};
use super::disk::DiskNews;
use super::handle::Stopped;
use super::hosts::HostsFile;
use super::leaving::{STOP, Stage};
use super::links::{Links, SWEEP_EVERY};
use super::observe::Waiting;
use super::parts::{Own, ProcessInfo, Sources};
use super::peer::{Inbound, Received};
use super::timers::{Alarm, Timers};
use super::{Clock, Command, Shared, URGENT_BATCHES};
use crate::control::{ControlBody, ControlReply, ControlRequest, ReplyBody};
use crate::metrics::Traffic;
use overlay::{
    Contact, Cx, Effect, Input, LoadSeq, Locate, Notice, Outbox, Request, Time, WriteSeq,
};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::mpsc;

/// Inputs that are handled before the effects of all of them leave. Enough to share one write
/// among many messages; few enough that the first of them does not wait for long.
const BATCH: usize = 256;

/// How long a node that ends waits, again and again, for its writers.
const GOODBYE_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);
/// How often it waits: a peer that does not read must not hold it up.
const GOODBYE_TRIES: u32 = 20;

/// What a timer stands for.
#[derive(Debug)]
pub(super) enum Due<T> {
    Machine(T),
    Sweep,
    GiveUpLeaving,
    KeepHosts,
}

/// The machine with everything that belongs to it.
pub(crate) struct Driver<M: Locate> {
    pub(super) machine: M,
    rng: ChaCha8Rng,
    outbox: Outbox<M>,
    pub(super) clock: Clock,
    pub(super) timers: Timers<Due<M::Timer>>,
    sweeping: bool,
    pub(super) links: Links<M>,
    pub(super) calls: Calls,
    pub(super) shared: Arc<Shared<M>>,
    /// Messages that came, by kind.
    pub(super) received: Traffic,
    pub(super) waiting: Waiting,
    disk: DiskNews,
    pub(super) hosts: HostsFile,
    durable: WriteSeq,
    loaded: LoadSeq,
    /// Peers found down while effects were carried out; the machine hears of them next.
    found_down: Vec<Contact>,
    /// Messages of the machine to itself.
    to_oneself: Vec<M::Message>,
    pub(super) stage: Stage,
    /// What only the process knows, for its status.
    pub(super) process: ProcessInfo,
}

impl<M: Locate + 'static> Driver<M> {
    pub(crate) fn new(
        machine: M,
        rng: ChaCha8Rng,
        shared: Arc<Shared<M>>,
        process: ProcessInfo,
        own: Own,
    ) -> Self {
        let Own { disk, hosts } = own;
        Self {
            machine,
            rng,
            outbox: Outbox::default(),
            clock: shared.clock,
            timers: Timers::default(),
            sweeping: false,
            links: Links::new(Arc::clone(&shared)),
            calls: Calls::new(Arc::clone(&shared.metrics), shared.feed.clone()),
            received: shared.metrics.received(&M::kinds()),
            waiting: Waiting::default(),
            shared,
            disk,
            hosts,
            durable: WriteSeq::default(),
            loaded: LoadSeq::default(),
            found_down: Vec::new(),
            to_oneself: Vec::new(),
            stage: Stage::Serving,
            process,
        }
    }

    /// Drives the machine until it has left or is told to stop.
    pub(crate) async fn run(mut self, mut sources: Sources<M>) -> Stopped {
        let mut events = Vec::with_capacity(BATCH);
        let mut commands = Vec::with_capacity(BATCH);
        let mut first = Vec::with_capacity(URGENT_BATCHES);
        let mut alarm = Alarm::new(self.clock);
        self.keep_hosts();
        let stopped = loop {
            if let Stage::Done(stopped) = &self.stage {
                break stopped.clone();
            }
            alarm.set(self.timers.next());
            std::future::poll_fn(|cx| {
                let inbox = sources
                    .inbox
                    .poll_recv_many(cx, &mut events, BATCH)
                    .is_ready();
                let calls = sources
                    .commands
                    .poll_recv_many(cx, &mut commands, BATCH)
                    .is_ready();
                let urgent = sources.urgent.poll_recv_many(cx, &mut first, BATCH);
                let disk = self.disk.poll(cx).is_ready();
                if inbox || calls || disk || urgent.is_ready() || alarm.poll(cx) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            for event in first.drain(..) {
                self.take_event(event);
            }
            for event in events.drain(..) {
                self.take_event(event);
                self.attend(&mut sources.urgent);
            }
            for command in commands.drain(..) {
                self.take_command(command);
                self.attend(&mut sources.urgent);
            }
            self.fire_timers();
            self.hear_disk();
            self.links.flush();
            self.calls.flush();
            self.waiting.commands = sources.commands.len();
            self.sweep_later();
        };
        self.write_hosts();
        self.say_goodbye().await;
        stopped
    }

    /// Between two inputs of a batch: takes one that is urgent, if there is one, and lets the answer
    /// out. One for each, so that neither kind keeps the other waiting for long.
    fn attend(&mut self, urgent: &mut mpsc::Receiver<Inbound<M>>) {
        if let Ok(event) = urgent.try_recv() {
            self.take_event(event);
            self.links.flush();
        }
    }

    /// Lets the last messages out, then closes the connections.
    async fn say_goodbye(&mut self) {
        for _ in 0..GOODBYE_TRIES {
            tokio::time::sleep(GOODBYE_PAUSE).await;
            if self.links.is_drained() {
                break;
            }
        }
        self.links.close_all();
    }

    fn sweep_later(&mut self) {
        if !self.sweeping && !self.links.is_empty() {
            self.sweeping = true;
            self.timers.arm(self.clock.now() + SWEEP_EVERY, Due::Sweep);
        }
    }

    fn take_event(&mut self, event: Inbound<M>) {
        match event {
            Inbound::Messages { from, messages } => {
                for Received { message, bytes } in messages {
                    self.received.count(M::kind(&message), bytes);
                    self.handle(Input::Message { from, message });
                }
            }
            Inbound::Up(handle) => self.links.up(handle, self.clock.now()),
            Inbound::Down { handle, lost } => {
                if let Some(contact) = self.links.down(&handle, lost) {
                    self.peer_down(contact);
                }
            }
            Inbound::DialFailed {
                to,
                lanes,
                wrong_id,
            } => {
                if self
                    .links
                    .dial_failed(to, &lanes, wrong_id, self.clock.now())
                {
                    self.peer_down(to);
                }
            }
        }
    }

    fn peer_down(&mut self, contact: Contact) {
        self.shared.metrics.peers_down.inc();
        self.handle(Input::PeerDown(contact));
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::Call {
                request: request @ (Request::Leave | Request::LeaveWithin { .. }),
                reply,
            } => self.leave(request, Caller::Local(reply)),
            Command::Call { request, reply } => self.call(request, Caller::Local(reply)),
            Command::Look { request, reply } => self.call(request, Caller::Itself(reply)),
            Command::Client { sink, requests } => {
                for request in requests {
                    self.take_client(&sink, request);
                }
            }
            Command::Report(reply) => {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(self.report());
            }
            Command::Peers(reply) => {
                let _ = reply.send(self.machine.peers());
            }
            Command::Leave => self.leave(STOP, Caller::Nobody),
            Command::Stop => self.stage = Stage::Done(Stopped::Orderly),
        }
    }

    fn take_client(
        &mut self,
        sink: &Arc<crate::control::server::ReplySink>,
        request: ControlRequest,
    ) {
        let id = request.id;
        let client = || Caller::Client {
            sink: Arc::clone(sink),
            id,
        };
        let body = match request.body {
            ControlBody::Data(request) => return self.call(request, client()),
            ControlBody::Leave => return self.leave(Request::Leave, client()),
            ControlBody::LeaveWithin { seconds } => {
                return self.leave(Request::LeaveWithin { seconds }, client());
            }
            ControlBody::Status => ReplyBody::Status(Box::new(self.report())),
            ControlBody::Peers => ReplyBody::Peers(self.machine.peers()),
            // The tracker's thread answers it.
            ControlBody::Explain { .. } => ReplyBody::Invalid("no tracker here".to_owned()),
            // The task that serves the client answers it.
            ControlBody::Events => ReplyBody::Invalid("no events here".to_owned()),
        };
        self.calls.answer(sink, ControlReply { id, body });
    }

    fn call(&mut self, call: Request, caller: Caller) {
        let op = self.calls.begin(&call, caller, self.clock.now());
        self.handle(Input::Call { op, call });
    }

    fn fire_timers(&mut self) {
        let now = self.clock.now();
        while let Some(due) = self.timers.pop_due(now) {
            match due {
                Due::Machine(timer) => self.handle(Input::Timer(timer)),
                Due::Sweep => {
                    self.sweeping = false;
                    self.links.sweep(now);
                }
                Due::GiveUpLeaving => self.give_up_leaving(now),
                Due::KeepHosts => self.keep_hosts(),
            }
        }
    }

    /// Tells the machine what its disk has done meanwhile; there, all writes that waited are
    /// committed as one group. A store in memory is as durable as it will get at once.
    fn hear_disk(&mut self) {
        if let Some(why) = self.disk.fatal() {
            self.stage = Stage::Done(Stopped::DiskFailed(why.to_owned()));
            return;
        }
        loop {
            let durable = if self.disk.in_use() {
                self.disk.durable()
            } else {
                self.machine.last_write()
            };
            let loaded = self.disk.loaded();
            if durable <= self.durable && loaded <= self.loaded {
                return;
            }
            if durable > self.durable {
                self.durable = durable;
                self.handle(Input::Durable(durable));
            }
            if loaded > self.loaded {
                self.loaded = loaded;
                self.handle(Input::Loaded(loaded));
            }
        }
    }

    /// Hands one input to the machine and carries out what it asks for, and what follows from
    /// that at once.
    pub(super) fn handle(&mut self, input: Input<M>) {
        self.step(input);
        while !self.found_down.is_empty() || !self.to_oneself.is_empty() {
            for contact in std::mem::take(&mut self.found_down) {
                self.shared.metrics.peers_down.inc();
                self.step(Input::PeerDown(contact));
            }
            for message in std::mem::take(&mut self.to_oneself) {
                self.step(Input::Message {
                    from: self.shared.me,
                    message,
                });
            }
        }
    }

    fn step(&mut self, input: Input<M>) {
        let now = self.clock.now();
        let mut outbox = std::mem::take(&mut self.outbox);
        let wall = self.clock.wall();
        let mut cx = Cx {
            now,
            wall,
            rng: &mut self.rng,
            out: &mut outbox,
        };
        self.machine.handle(&mut cx, input);
        for effect in outbox.drain() {
            self.carry_out(effect, now);
        }
        self.outbox = outbox;
    }

    fn carry_out(&mut self, effect: Effect<M>, now: Time) {
        match effect {
            Effect::Send { to, message } if to.id == self.shared.me.id => {
                self.to_oneself.push(message);
            }
            Effect::Send { to, message } => {
                if !self.links.send(to, &message, now) && !self.found_down.contains(&to) {
                    self.found_down.push(to);
                }
            }
            Effect::Arm { at, timer } => self.timers.arm(at, Due::Machine(timer)),
            Effect::Emit(Notice::Done { op, reply }) => {
                self.leave_answered(op, &reply);
                self.calls.finish(op, reply, now);
            }
            Effect::Emit(Notice::Lookup { op, report }) => self.calls.looked_up(op, report),
            Effect::Emit(Notice::Ring(change)) => {
                crate::logging::ring_change(&change);
                self.shared.metrics.ring_change(&change);
                self.shared.feed.ring(&change);
            }
            Effect::HangUp { peer, fault } => self.links.hang_up(peer, fault, now),
        }
    }
}
