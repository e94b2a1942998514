//! Growing a network: nodes join one after another, as the protocol says.

use super::RunError;
use super::overlays::{Node, Settings, Simulated};
use super::progress::Progress;
use overlay::lookup::{RoutingCall, RoutingEvent};
use overlay::{Contact, Duration, RouterEvent};
use sim::{Oracle, World};

/// So many nodes of a hundred join in a second, and at least one.
const JOINS_PERCENT: usize = 5;
/// Once all have joined, all neighbours are the true ones within this time.
const SETTLE_WITHIN: Duration = Duration::from_secs(600);
/// How often it is looked who has joined, and whether all neighbours are the true ones.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The stream of entropy that ids and the members joined through come from.
const JOINS: u32 = 101;

/// Lets `count` nodes join and then maintain their tables for `rest`; gives the oracle.
///
/// # Errors
/// When an invariant does not hold.
pub(super) fn grow<R: Simulated>(
    world: &mut World<Node<R>>,
    settings: &Settings,
    count: usize,
    rest: Duration,
) -> Result<Oracle, RunError> {
    let mut progress = Progress::new("nodes joined", count as u64);
    let mut dice = world.dice(JOINS);
    let mut members: Vec<Contact> = Vec::new();
    let mut under_way = 0;
    while members.len() < count {
        let joining = (members.len() * JOINS_PERCENT / 100).max(1);
        while under_way < joining && members.len() + under_way < count {
            let node = world.add(dice.id(), |me| settings.fresh::<R>(me));
            let call = match dice.pick(&members) {
                Some(via) => RoutingCall::Join { via: *via },
                None => RoutingCall::Create,
            };
            world.call(node, call);
            under_way += 1;
        }
        let until = world.now() + LOOK_EVERY;
        world.run_until(until)?;
        for told in world.take_events() {
            match told.event {
                RoutingEvent::Router(RouterEvent::Joined { .. }) => {
                    under_way -= 1;
                    members.extend(world.contact(told.node));
                    progress.step();
                }
                RoutingEvent::Router(RouterEvent::JoinFailed { .. }) => {
                    under_way -= 1;
                    world.crash(told.node);
                }
                _ => {}
            }
        }
    }
    let until = world.now() + rest;
    world.run_until(until)?;
    let _ = progress.finish();
    let live = world
        .live()
        .map(|(node, machine)| (machine.router().me().id, node));
    let oracle = Oracle::complete(R::OWNERSHIP, live);
    let limit = world.now() + SETTLE_WITHIN;
    while let Err(text) = R::whole(world, &oracle) {
        if world.now() >= limit {
            let check = "all neighbours of a network that grew are the true ones";
            return Err(world.violation(check, None, text).into());
        }
        let until = world.now() + LOOK_EVERY;
        world.run_until(until)?;
    }
    world.take_events();
    Ok(oracle)
}
