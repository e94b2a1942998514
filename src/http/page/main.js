// Reads the network again and again, and draws what it read.

/** How often the network is read; a large one less often, because each node of it is asked. */
const POLL_MS = 1500;
const POLL_LARGE_MS = 5000;
const LARGE = 200;
const AGAIN_MS = 3000;

let paused = false;
let timer = null;
let reading = false;
let last = null;
let following = null;

/** The document as the drawing wants it: every list is there, whatever the overlay. */
function normalised(told) {
  const nodes = new Map();
  for (const node of told.nodes) {
    const lists = { successors: [], fingers: [], routing_table: [], neighbours: [], leaves: [], smaller: [], larger: [] };
    nodes.set(node.id, { ...lists, ...node, ...(node.leaf_set ?? {}), own: node.id === told.id });
  }
  for (const member of told.unreachable) {
    if (!nodes.has(member.id)) nodes.set(member.id, { ...member, lost: true });
  }
  return { nodes, time: told.taken_ms };
}

/** The shortest round trips since the page was opened: those of a busy moment say little. */
function keepShortest(nodes) {
  for (const id of scene.shortest.keys()) if (!nodes.has(id)) scene.shortest.delete(id);
  for (const [id, { rtt_us }] of nodes) {
    if (rtt_us != null) scene.shortest.set(id, Math.min(rtt_us, scene.shortest.get(id) ?? Infinity));
  }
}

const TITLES = { chord: "The ring", pastry: "The circle", gnutella: "The graph" };

function take(told) {
  const now = normalised(told);
  scene.overlay = told.overlay;
  scene.me = told.id;
  scene.nodes = now.nodes;
  scene.truncated = told.truncated;
  scene.ring = [...now.nodes.values()].filter((node) => !node.lost).map((node) => node.id).sort();
  scene.shown ??= told.id;
  if (isGraph()) graph.take([...now.nodes.keys()].sort(), graphLinks(now.nodes));
  keepShortest(now.nodes);
  const me = now.nodes.get(told.id);
  say(byId("overlay"), told.overlay);
  say(byId("self-id"), short(told.id));
  put(byId("self-id"), "title", told.id);
  say(byId("self-addr"), me?.addr ?? "");
  say(byId("stage-title"), `${TITLES[told.overlay] ?? "The network"} of ${counted(scene.ring.length, "node")}`);
  byId("stepwise-row").hidden = isGraph();
  byId("view").hidden = false;
  // The same reading, served twice, says nothing of a rate.
  if (now.time !== last?.time) {
    scene.rates = ratesBetween(last, now) ?? scene.rates ?? null;
    last = now;
  }
  paintFigures(scene.rates);
  paintLegend();
  paintDetail();
  paintTable();
  paintCaption(scene.captioned);
  redraw();
}

function state(name, words) {
  put(byId("live"), "data-state", name);
  say(byId("live"), words);
}

function trouble(words) {
  byId("trouble").hidden = !words;
  say(byId("trouble"), words ?? "");
  document.body.classList.toggle("stale", Boolean(words));
}

function pollIn(ms) {
  clearTimeout(timer);
  timer = paused || document.hidden ? null : setTimeout(poll, ms);
}
const pollSoon = () => !reading && timer !== null && pollIn(150);

async function poll() {
  if (reading) return;
  reading = true;
  try {
    take(await asked("/v1/network"));
    trouble(null);
    state(paused ? "paused" : "live", paused ? "paused" : "live");
    requestAnimationFrame(() => requestAnimationFrame(markFirst));
    followEvents();
    pollIn(scene.nodes.size > LARGE ? POLL_LARGE_MS : POLL_MS);
  } catch (error) {
    if (error.status === 401) return wantToken();
    state("lost", "no answer");
    trouble(`The network was not read: ${error.message || "the node does not answer"}. The page tries again.`);
    pollIn(AGAIN_MS);
  } finally {
    reading = false;
  }
}

/** When the drawing was first there, for whoever measures. */
function markFirst() {
  if (performance.getEntriesByName("first-drawing").length === 0) performance.mark("first-drawing");
}

async function followEvents() {
  if (following || paused) return;
  following = new AbortController();
  scene.toldNeighbours = false;
  const { signal } = following;
  try {
    await follow(hear, signal);
  } catch (error) {
    if (!signal.aborted) figure("calls", "…", error.status === 503 ? "too many readers follow this node" : "not followed now");
  }
  following = null;
}

/** A node with a token lets the page in and tells it nothing. */
function wantToken() {
  say(byId("gate-error"), token === null ? "" : "This is not the node's token.");
  token = null;
  state("waiting", "waits for the token");
  byId("gate").hidden = false;
  byId("view").hidden = true;
  // A link brings no token.
  byId("foot-open").hidden = true;
  byId("foot-token").hidden = false;
  byId("token").focus();
}

function onToken(event) {
  event.preventDefault();
  token = byId("token").value.trim();
  byId("token").value = "";
  // What cannot be in a header is no token.
  if (!/^[\x21-\x7e]+$/.test(token)) return wantToken();
  byId("gate").hidden = true;
  poll();
}

function onPause() {
  paused = !paused;
  put(byId("pause"), "aria-pressed", paused);
  if (paused) {
    clearTimeout(timer);
    timer = null;
    following?.abort();
    state("paused", "paused");
  } else {
    poll();
  }
}

const submitted = (form, act) => byId(form).addEventListener("submit", (event) => {
  event.preventDefault();
  act();
});

byId("gate-form").addEventListener("submit", onToken);
byId("pause").addEventListener("click", onPause);
submitted("lookup-form", () => lookUp(byId("key").value));
submitted("words-form", () => search(byId("words").value));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused && byId("gate").hidden) poll();
});
setInterval(() => !paused && paintHappenings(following), 500);
startMoving();
startTable();
poll();
