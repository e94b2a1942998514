// The figures, the node that is shown, the legend, and what happens.

/** Lines of the log, and the time over which calls are counted. */
const MAX_LOG = 12;
const CALLS_OVER_MS = 5000;

const nodeButton = (id) =>
  el("button", { type: "button", class: "link", title: id, on: { click: () => show(id) } }, short(id));

function figure(name, text, more, health = null) {
  say(byId(`figure-${name}`), text);
  put(byId(`figure-${name}`), "data-health", health);
  say(byId(`figure-${name}-more`), more);
}

function paintFigures(rates) {
  const all = [...scene.nodes.values()];
  const live = all.filter((node) => !node.lost);
  const lost = all.length - live.length;
  const sum = (of) => live.reduce((total, node) => total + of(node), 0);
  const atEnd = scene.truncated ? ", more were not asked" : "";
  figure("nodes", count(live.length), lost === 0 ? `all answer${atEnd}` : `${counted(lost, "more does", "more do")} not answer${atEnd}`);
  put(byId("figure-nodes-more"), "data-health", lost > 0 ? "lost" : null);
  figure("records", count(sum(recordsOf)), `with all copies, ${bytes(sum((node) => node.stored_bytes))}`);
  const toMove = sum((node) => node.records_to_move);
  const unsettled = live.filter((node) => healthOf(node) !== "well").length;
  const fewest = live.filter((node) => node.copies_possible < node.copies_wanted)
    .sort((one, other) => one.copies_possible - other.copies_possible)[0];
  if (isGraph()) figure("replication", "best effort", "copies without a fixed place");
  else if (unsettled === 0) figure("replication", fewest ? "too few nodes" : "settled",
    fewest ? `complete, but ${fewest.copies_possible} of ${counted(fewest.copies_wanted, "copy", "copies")} that are wanted` : "all copies are complete",
    fewest ? "moving" : "well");
  else figure("replication", toMove > 0 ? `${count(toMove)} to move` : "checking", `${counted(unsettled, "node")} of ${count(live.length)} not settled`, "moving");
  figure("moved", rates ? `${bytes(rates.bytes)}/s` : "…", rates ? `${rate(rates.records)} records/s, ${count(sum((node) => node.moved_records))} in all` : "measuring");
}

/** Background copies a second, from the counters of two readings; a node that began anew counts from then. */
function ratesBetween(before, now) {
  if (!before || now.time <= before.time) return null;
  const seconds = (now.time - before.time) / 1000;
  const total = { bytes: 0, records: 0 };
  for (const [id, node] of now.nodes) {
    const old = before.nodes.get(id);
    if (!old || old.lost || node.lost || node.uptime_s < old.uptime_s) continue;
    // Both ends of a movement count it.
    total.bytes += Math.max(0, node.moved_bytes - old.moved_bytes) / 2;
    total.records += Math.max(0, node.moved_records - old.moved_records) / 2;
  }
  return { bytes: total.bytes / seconds, records: total.records / seconds };
}

const LINE_WORDS = {
  chord: [["near", "successors"], ["back", "predecessor"], ["far", "fingers"]],
  pastry: [["near", "leaf set"], ["far", "routing table"]],
  gnutella: [["near", "neighbours"], ["far", "leaves"]],
};

function paintLegend() {
  const tally = new Map(Object.keys(HEALTH).map((health) => [health, 0]));
  for (const node of scene.nodes.values()) tally.set(healthOf(node), tally.get(healthOf(node)) + 1);
  const key = JSON.stringify([...tally, scene.overlay]);
  if (scene.legend === key) return;
  scene.legend = key;
  const present = [...tally].filter(([health, number]) => number > 0 || health === "well" || health === "moving");
  byId("legend").replaceChildren(...present.map(([health, number]) =>
    el("li", { title: HEALTH[health].says }, markOf(health), el("b", {}, count(number)), ` ${HEALTH[health].word}`)));
  const sample = (kind) => svg("svg", { viewBox: "0 0 26 14", "aria-hidden": "true", focusable: "false" },
    svg("path", { class: `link ${kind}`, d: "M1 7H25" }));
  byId("legend-lines").replaceChildren(...(LINE_WORDS[scene.overlay] ?? []).map(([kind, word]) => el("li", {}, sample(kind), word)),
    isGraph() ? "" : el("li", {}, "outside: the part of the circle that a node answers for, as high as there are records in it"));
}

/** What the pointer or the focus is on, else the node that is shown. */
function paintCaption(id) {
  scene.captioned = id === scene.shown ? null : id;
  const node = scene.nodes.get(id ?? scene.shown);
  say(byId("caption"), node ? described(node) : "");
}

/** The node that is shown, in words. Buttons that have the focus stay where they are. */
function paintDetail() {
  const node = scene.nodes.get(scene.shown);
  const box = byId("detail");
  if (!node) {
    box.replaceChildren(el("p", { class: "quiet" }, scene.shown ? `${short(scene.shown)} is gone.` : "Choose a node."));
    scene.detail = null;
    return;
  }
  const key = JSON.stringify(node);
  if (scene.detail === key) return;
  const had = box.contains(document.activeElement) ? document.activeElement.title : null;
  scene.detail = key;
  const health = healthOf(node);
  const pair = (name, ...content) => [el("dt", {}, name), el("dd", {}, ...content)];
  const peers = (name, ids) => ids.length === 0 ? [] :
    pair(name, el("span", { class: "peers-of" }, ...ids.map(nodeButton)));
  const lists = {
    chord: () => [...peers("Predecessor", node.predecessor ? [node.predecessor] : []), ...peers("Successors", node.successors), ...peers("Fingers", node.fingers)],
    pastry: () => [...peers("Leaf set, smaller", node.smaller), ...peers("Leaf set, larger", node.larger), ...peers("Routing table", node.routing_table)],
    gnutella: () => [...pair("Role", node.role), ...peers("Neighbours", node.neighbours), ...peers("Leaves", node.leaves)],
  };
  const facts = node.lost ? [...pair("Named by", counted(node.known_by, "node")), ...pair("Why", node.reason)] : [
    ...(node.own_records === null || node.own_records === undefined ? [] : pair("Answers for", `${counted(node.own_records, "record")}, deletions included`)),
    ...pair("Stores", `${counted(node.values, "value")}, ${counted(node.holders, "holder")}, ${counted(node.index_entries, "index entry", "index entries")}; ${bytes(node.stored_bytes)}`),
    ...pair("To move", node.records_to_move > 0 ? `${counted(node.records_to_move, "record")}, ${bytes(node.bytes_per_s)}/s` : "nothing"),
    ...pair("Connections", count(node.connections)),
    ...pair("Round trip", node.own ? "this page's node" : roundTrip(node) ?? "not measured"),
    ...pair("Up for", since(node.uptime_s), `, version ${node.version}`),
    ...(lists[scene.overlay] ?? (() => []))(),
  ];
  box.replaceChildren(
    el("p", { class: "detail-head" }, markOf(health), el("strong", {}, HEALTH[health].word), el("span", { class: "quiet" }, HEALTH[health].says)),
    el("p", { class: "detail-id" }, node.id),
    el("dl", { class: "pairs" }, ...pair("Address", el("span", { class: "addr" }, node.addr)), ...facts));
  if (had) [...box.querySelectorAll("button")].find((button) => button.title === had)?.focus({ preventScroll: true });
}

const happened = [];
const calls = [];

function inWords(name, data) {
  const who = (member) => (member ? short(member.id) : "none");
  if (name === "lookup") {
    const what = data.kind === "locate" ? "lookup of" : `lookup for ${data.kind}`;
    const end = data.failed ? "given up" : `${data.owner ? `${short(data.owner.id)} after ` : ""}${counted(data.hops, "hop")}`;
    return `${what} ${short(data.key)}: ${end}, ${duration(data.seconds * 1000)}`;
  }
  if (name === "operation") return `${data.kind}${data.key ? ` ${short(data.key)}` : ""}: ${data.outcome}, ${duration(data.seconds * 1000)}`;
  if (name === "repair") return data.records_to_move > 0 ? `repairs: ${counted(data.records_to_move, "record")} to move` : "repairs: nothing to move";
  if (name === "neighbours") return "its neighbours are new";
  if (name === "ring") {
    switch (data.change) {
      case "dead": return `${who(data.peer)} is dead`;
      case "reunited": return `found ${who(data.peer)} again`;
      case "successor": case "predecessor": return `${data.change}: ${who(data.was)} → ${who(data.is)}`;
      default: return String(data.change).replaceAll("_", " ");
    }
  }
  return null;
}

function hear(name, data) {
  if (name === "lookup" || name === "operation") {
    // A lookup that another call needed is no call of its own.
    const call = name === "operation" || data.kind === "locate";
    calls.push({ time: performance.now(), lookup: name === "lookup", call });
    // The node itself has a bound; this one keeps a busy node from filling the page.
    if (calls.length > 50000) calls.shift();
  }
  // The first of a stream says what is, not what has changed.
  const isNews = name !== "neighbours" || scene.toldNeighbours;
  scene.toldNeighbours ||= name === "neighbours";
  const words = isNews ? inWords(name, data) : null;
  if (words) {
    happened.unshift({ words, time: new Date() });
    happened.length = Math.min(happened.length, MAX_LOG);
  }
  if (name === "ring") pollSoon();
}

/** Twice a second: however much happens, the page stays quiet enough to read. */
function paintHappenings(following) {
  const from = performance.now() - CALLS_OVER_MS;
  while (calls.length > 0 && calls[0].time < from) calls.shift();
  const aSecond = (of) => calls.filter(of).length / (CALLS_OVER_MS / 1000);
  if (following) figure("calls", `${rate(aSecond(({ call }) => call))}/s`, `${rate(aSecond(({ lookup }) => lookup))} lookups/s`);
  if (happened[0] === scene.heard) return;
  scene.heard = happened[0];
  byId("log-note").hidden = happened.length > 0;
  byId("log").replaceChildren(...happened.map(({ words, time }) =>
    el("li", {}, el("time", {}, time.toLocaleTimeString("en-GB")), el("span", {}, words))));
}
