// A key is looked up, and its way is shown hop by hop.

/** How long a hop is watched: lookups are too fast for eyes. */
const WATCH_MS = 550;
let lookups = 0;

const isPoint = (text) => /^[0-9a-f]{40}$/i.test(text);

async function lookUp(text) {
  const turn = (lookups += 1);
  const hex = isPoint(text);
  const query = new URLSearchParams();
  if (hex) query.set("hex", "true");
  if (byId("stepwise").checked && !isGraph()) query.set("iterative", "true");
  scene.way = null;
  byId("hops").replaceChildren();
  say(byId("lookup-note"), "");
  say(byId("lookup-said"), "Looking it up …");
  redraw();
  let located, took;
  try {
    const answer = await ask(`/v1/locate/${encodeURIComponent(hex ? text.toLowerCase() : text)}?${query}`);
    const timed = /dur=([0-9.]+)/.exec(answer.headers.get("server-timing") ?? "");
    took = timed ? Number(timed[1]) : null;
    located = await answer.json();
  } catch (error) {
    if (turn === lookups) say(byId("lookup-said"), `Not found out: ${error.message}`);
    return;
  }
  if (turn !== lookups) return;
  const trips = await timesOf(located);
  if (turn !== lookups) return;
  // Where nobody owns a key the way between is not told, but how long it is.
  const numbers = located.path.map((_, step) => (isGraph() && step > 0 ? located.hops : step));
  scene.way = { key: located.key, path: located.path, trips, numbers, replicas: located.replicas, steps: 0, done: false };
  await travel(scene.way, turn);
  if (turn === lookups) conclude(located, took);
}

/**
 * What the hops took. Where this node asked hop by hop: each hop of this lookup, from its question to the
 * answer. Else nobody has measured them, and the links are shown instead: the round trips between this node
 * and those nodes, as it measures them with its peers, smoothed, or the shortest of this page.
 */
async function timesOf({ path, hop_us }) {
  if (hop_us.length > 0) return [null, ...hop_us.map((us) => duration(us / 1000))];
  if (path.length < 2) return [null];
  const { peers } = await asked("/v1/peers").catch(() => ({ peers: [] }));
  const measured = new Map(peers.map((peer) => [peer.id, peer.rtt_us]));
  return path.map(({ id }, step) => {
    const trip = step === 0 ? null : roundTrip({ rtt_us: measured.get(id) ?? scene.shortest.get(id) });
    return trip === null ? null : `link ${trip}`;
  });
}

/** Shows one step after the other. */
async function travel(way, turn) {
  for (let step = 0; step < way.path.length; step += 1) {
    way.steps = step;
    byId("hops").append(hopItem(way, step));
    redraw();
    if (!calm.matches && step < way.path.length - 1) await new Promise((go) => setTimeout(go, WATCH_MS));
    if (turn !== lookups) return;
  }
  way.done = true;
  redraw();
}

function hopItem(way, step) {
  const member = way.path[step];
  const last = step === way.path.length - 1;
  const took = step === 0 ? "asks" : way.trips[step] ?? "";
  const role = last && !isGraph() ? " answers for the key" : last && isGraph() && step > 0 ? " has it" : "";
  return el("li", { "data-id": member.id },
    el("span", { class: step === 0 ? "step start" : "step" }, String(way.numbers[step])),
    el("span", {}, nodeButton(member.id), role, el("span", { class: "addr" }, member.addr)),
    el("span", { class: "took" }, took));
}

function conclude(located, took) {
  const root = located.path[located.path.length - 1];
  const time = took === null ? "" : ` in ${duration(took)}`;
  const others = located.replicas.filter((node) => node.id !== root?.id).map((node) => short(node.id));
  const silent = located.timeouts > 0 ? ` ${counted(located.timeouts, "silent hop")} gone round.` : "";
  if (isGraph()) {
    const reached = located.nodes_reached === null ? "" : ` ${counted(located.nodes_reached, "node")} looked.`;
    const hits = located.replicas.length;
    say(byId("lookup-said"), hits > 0
      ? `${counted(hits, "node has it", "nodes have it")}, the nearest ${counted(located.hops, "hop")} away, found${time}.${reached}`
      : `No node that was reached has it${time}.${reached}`);
    say(byId("lookup-note"), located.path.length < 2 ? "" : "A hit tells how far it is, and not through whom it came: the line is dashed. The time is the round trip of the link to it, not of this search.");
    return;
  }
  const copies = others.length > 0 ? ` Its other replicas: ${others.join(", ")}.` : "";
  say(byId("lookup-said"), `${short(root.id)} answers for it: ${counted(located.hops, "hop")}${time}.${copies}${silent}`);
  say(byId("lookup-note"), located.path.length < 2 ? "" : located.hop_us.length > 0
    ? "A hop's time is what it took in this lookup: from this node's question to the answer. Silent hops come on top."
    : "The hops passed it on to each other, so only the whole was measured. Their times are round trips of links from this node, not of this lookup.");
}
