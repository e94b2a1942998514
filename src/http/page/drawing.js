// The drawing: a circle for overlays that own keys, a graph for the one that does not.

/** Networks up to this size show the links of all nodes; larger ones those of the node that is shown. */
const ALL_LINKS_UP_TO = 16;
/** Room that a label wants along the circle, in pixels. */
const LABEL_ROOM = 13;
/** A larger graph is drawn a few times only while it takes shape. */
const ALL_MOVE_UP_TO = 150;
/** A larger graph has labels when one comes near. */
const GRAPH_LABELS_UP_TO = 60;
const MAX_ZOOM = 60;

const drawing = byId("drawing");
const layer = Object.fromEntries(
  ["scale", "arcs", "links", "path", "nodes", "labels", "hops"].map((name) => [name, byId(`layer-${name}`)]));
const zoom = { scale: 1, x: 0, y: 0 };
const graph = new Graph();
const marks = new Map();
const arcs = new Map();
let framed = new Map();
let waits = false;

/** What is drawn: the network as it was last read, and what a person has chosen in it. */
const scene = { overlay: "", me: null, nodes: new Map(), shortest: new Map(), ring: [], shown: null, focus: null, way: null };

const isGraph = () => scene.overlay === "gnutella";
const placeOf = (id) => (isGraph() ? framed.get(id) ?? { x: 0, y: 0 } : at(fraction(id)));
/** The room that the drawing has, in pixels: asked for once before it is drawn, since it costs a layout. */
const room = { width: 1000, side: 1000 };
function measure() {
  room.width = drawing.clientWidth;
  room.side = Math.max(200, Math.min(room.width, drawing.clientHeight || 1000));
}
/** A pixel, in units of the drawing. */
const pixel = () => 1000 / room.side / zoom.scale;
const isNarrow = () => room.width < 560;

/** Draws before the next frame, once for all changes until then. */
function redraw() {
  if (waits) return;
  waits = true;
  requestAnimationFrame(() => {
    waits = false;
    if (!isGraph() || settleGraph()) paint();
  });
}

/** How long a graph may take of a frame, and how often a large one is drawn while it takes shape. */
const SETTLE_MS = 24;
const SHAPES_MS = 400;
let painted = -Infinity;

/** The graph takes shape within some frames, at once where motion is not wanted; whether it is to be drawn. */
function settleGraph() {
  const began = performance.now();
  while (graph.moves && (calm.matches || performance.now() - began < SETTLE_MS)) graph.step();
  if (graph.moves) redraw();
  const isDue = !graph.moves || scene.nodes.size <= ALL_MOVE_UP_TO || began - painted > SHAPES_MS;
  if (!isDue) return false;
  painted = began;
  framed = graph.framed();
  return true;
}

/** Both ends of every link, once. */
function graphLinks(nodes) {
  const links = new Map();
  for (const node of nodes.values()) {
    for (const other of node.lost ? [] : [...node.neighbours, ...node.leaves]) {
      if (!nodes.has(other) || other === node.id) continue;
      const link = [node.id, other].sort();
      links.set(link.join(), link);
    }
  }
  return [...links.keys()].sort().map((key) => links.get(key));
}

function sizeOf(node) {
  const many = scene.nodes.size;
  const base = many <= 32 ? 8.5 : Math.max(3, 8.5 * Math.sqrt(32 / many));
  // In a crowd who is not well must be found.
  const more = node.role === "ultrapeer" || (many > 150 && healthOf(node) !== "well") ? 1.5 : 1;
  return Math.min(9.5, base * more * Math.sqrt(zoom.scale)) * pixel();
}

function paint() {
  measure();
  put(drawing, "viewBox", [zoom.x - 500 / zoom.scale, zoom.y - 500 / zoom.scale, 1000 / zoom.scale, 1000 / zoom.scale].join(" "));
  drawing.classList.toggle("zoomed", zoom.scale > 1);
  drawing.classList.toggle("many", scene.nodes.size > 150);
  paintScale();
  paintArcs();
  paintLinks();
  paintNodes();
  paintLabels();
  paintWay();
}

/** The circle, and where ids that begin with 0, 4, 8 and c are on it. */
function paintScale() {
  if (isGraph()) return layer.scale.replaceChildren();
  const unit = pixel();
  const ticks = ["0", "4", "8", "c"].flatMap((digit, place) => {
    const part = place / 4;
    const [inner, rim, text] = [at(part, RADIUS - 9 * unit), at(part, RADIUS), at(part, RADIUS - 20 * unit)];
    return [
      svg("line", { class: "tick", x1: inner.x, y1: inner.y, x2: rim.x, y2: rim.y }),
      svg("text", { class: "scale-text", x: text.x, y: text.y, "font-size": 11 * unit }, `${digit}…`),
    ];
  });
  layer.scale.replaceChildren(svg("circle", { class: "orbit", r: RADIUS }), ...ticks);
}

/** Where an arc begins and ends for a share of the most records. Who zooms in still sees all of it. */
function arcBand(share) {
  const foot = RADIUS + ARC_FOOT / zoom.scale ** 0.8;
  return [foot, foot + Math.max(2.5 / zoom.scale, ARC_HEIGHT * share / zoom.scale ** 0.6)];
}

/** What each node answers for; its height says how many records are in it. */
function paintArcs() {
  const live = isGraph() ? [] : scene.ring.map((id) => scene.nodes.get(id));
  const most = Math.max(1, ...live.map(ownRecords));
  const present = new Set(live.map((node) => node.id));
  for (const [id, arc] of arcs) if (!present.has(id)) {
    arc.remove();
    arcs.delete(id);
  }
  for (const node of live) {
    let arc = arcs.get(node.id);
    if (!arc) {
      arc = svg("path", { "data-id": node.id });
      arcs.set(node.id, arc);
      layer.arcs.append(arc);
    }
    const [inner, outer] = arcBand(ownRecords(node) / most);
    put(arc, "class", `arc h-${healthOf(node)}${node.id === scene.shown ? " on" : ""}`);
    put(arc, "d", sector(arcOf(node, scene.overlay, scene.ring), inner, outer));
  }
}

/** The links of a node by the words of its overlay: what is near, what is far, and what is behind. */
function linksOf(node) {
  if (node.lost) return { near: [], far: [], back: [] };
  switch (scene.overlay) {
    case "chord": return { near: node.successors, far: node.fingers, back: node.predecessor ? [node.predecessor] : [] };
    case "pastry": return { near: [...node.smaller, ...node.larger], far: node.routing_table, back: [] };
    default: return { near: node.neighbours, far: node.leaves, back: [] };
  }
}

function line(from, to) {
  if (!isGraph()) return bow(fraction(from), fraction(to), 5 * pixel());
  return `M${xy(placeOf(from))}L${xy(placeOf(to))}`;
}

function paintLinks() {
  const lines = [];
  const path = (name, outline) => outline && lines.push(svg("path", { class: `link ${name}`, d: outline }));
  if (isGraph()) {
    path("all graph", graph.links.map(([one, other]) => line(one, other)).join(""));
  } else if (scene.nodes.size <= ALL_LINKS_UP_TO) {
    const pairs = [...scene.nodes.values()].flatMap((node) => linksOf(node).far.map((other) => [node.id, other]));
    path("all", pairs.map(([one, other]) => line(one, other)).join(""));
  }
  const shown = scene.nodes.get(scene.shown);
  if (shown) {
    const links = linksOf(shown);
    const near = new Set([...links.near, ...links.back]);
    for (const kind of ["far", "near", "back"]) {
      const others = links[kind].filter((id) => id !== shown.id && (kind !== "far" || !near.has(id)));
      path(kind, others.filter((id) => scene.nodes.has(id)).map((id) => line(shown.id, id)).join(""));
    }
  }
  layer.links.replaceChildren(...lines);
}

function makeMark(id) {
  const mark = {
    hit: svg("circle", { fill: "transparent" }),
    halo: svg("circle", { class: "halo" }),
    shape: svg("path", { class: "mark" }),
  };
  mark.group = svg("g", { role: "option", "data-id": id }, mark.hit, mark.halo, mark.shape);
  return mark;
}

function paintNodes() {
  for (const [id, mark] of marks) if (!scene.nodes.has(id)) {
    const had = mark.group === document.activeElement;
    mark.group.remove();
    marks.delete(id);
    if (had) focusOn(scene.me);
  }
  const order = [...scene.nodes.keys()].sort();
  if (!scene.nodes.has(scene.focus)) scene.focus = scene.me;
  const replicas = new Set(scene.way?.done ? scene.way.replicas.map((node) => node.id) : []);
  let before = null;
  for (const id of order) {
    const node = scene.nodes.get(id);
    let mark = marks.get(id);
    if (!mark) {
      mark = makeMark(id);
      marks.set(id, mark);
      if (before) before.after(mark.group);
      else layer.nodes.prepend(mark.group);
    }
    before = mark.group;
    const health = healthOf(node);
    const size = sizeOf(node);
    const place = placeOf(id);
    const names = ["node", `h-${health}`, node.own && "self", id === scene.shown && "on", replicas.has(id) && "replica"];
    put(mark.group, "class", names.filter(Boolean).join(" "));
    put(mark.group, "transform", `translate(${xy(place)})`);
    put(mark.group, "tabindex", id === scene.focus ? 0 : -1);
    put(mark.group, "aria-selected", id === scene.shown);
    put(mark.group, "aria-label", described(node));
    put(mark.hit, "r", Math.max(size, scene.nodes.size <= 32 ? 14 * pixel() : 0));
    put(mark.halo, "r", size + 4 * pixel());
    put(mark.shape, "d", shapeOf(health, size));
  }
}

/** Boxes of what is written, so that nothing is written over it. */
class Page {
  constructor() {
    this.boxes = [];
  }

  takes(text, forced) {
    const { x, y, width, height } = text;
    const hits = this.boxes.some((box) => x < box.x + box.width && box.x < x + width && y < box.y + box.height && box.y < y + height);
    if (hits && !forced) return false;
    this.boxes.push(text);
    return true;
  }
}

/** Short ids, where there is room for one; this node's and that of the one shown always. */
function paintLabels() {
  const always = [scene.me, scene.shown].filter((id) => scene.nodes.has(id));
  const all = [...scene.nodes.keys()].sort();
  const order = [...new Set([...always, ...all])];
  const page = new Page();
  const most = Math.max(1, ...all.map((id) => ownRecords(scene.nodes.get(id))));
  const labels = [];
  for (const id of order) {
    const forced = always.includes(id);
    const label = isGraph() ? graphLabel(id, all.length, forced, page) : circleLabel(id, all, most, forced, page);
    if (!label) continue;
    put(label, "class", `label${id === scene.shown ? " on" : ""}${id === scene.me ? " self" : ""}`);
    say(label, short(id));
    labels.push(label);
  }
  layer.labels.replaceChildren(...labels);
}

const LABEL_PX = 12.5;
const labelBox = (x, y, anchor, unit) => {
  const width = 6 * 0.62 * LABEL_PX * unit;
  const height = 1.15 * LABEL_PX * unit;
  const left = { start: x, middle: x - width / 2, end: x - width }[anchor];
  return { x: left, y: y - height / 2, width, height };
};

function graphLabel(id, many, forced, page) {
  if (many > GRAPH_LABELS_UP_TO && zoom.scale < 3 && !forced) return null;
  const unit = pixel();
  const place = placeOf(id);
  const y = place.y + sizeOf(scene.nodes.get(id)) + 11 * unit;
  if (!page.takes(labelBox(place.x, y, "middle", unit), forced)) return null;
  return svg("text", { x: place.x, y, "text-anchor": "middle", "font-size": LABEL_PX * unit });
}

function circleLabel(id, all, most, forced, page) {
  const unit = pixel();
  const inside = zoom.scale > 2 || isNarrow();
  const tilted = all.length > 24 || zoom.scale > 2;
  const part = fraction(id);
  const place = all.indexOf(id);
  const [before, after] = [-1, 1].map((step) => all[(place + step + all.length) % all.length]);
  // Beyond both arcs that meet at the node.
  const records = Math.max(ownRecords(scene.nodes.get(id)), ownRecords(scene.nodes.get(after)));
  const point = at(part, inside ? RADIUS - 15 * unit : arcBand(records / most)[1] + 9 * unit);
  const left = point.x < 0;
  let anchor = left === inside ? "start" : "end";
  let spin = null;
  if (tilted) {
    const gap = all.length === 1 ? 1 : Math.min(between(part, fraction(after)), between(fraction(before), part));
    if (!forced && gap * 2 * Math.PI * RADIUS < LABEL_ROOM * unit) return null;
    spin = `rotate(${turn(part) * 180 / Math.PI + (left ? 180 : 0)} ${xy(point)})`;
  } else {
    if (Math.abs(Math.cos(turn(part))) < 0.25) anchor = "middle";
    if (!page.takes(labelBox(point.x, point.y, anchor, unit), forced)) return null;
  }
  return svg("text", { x: point.x, y: point.y, "text-anchor": anchor, "font-size": LABEL_PX * unit, transform: spin });
}

/** The lookup that is shown, as far as it has come. */
function paintWay() {
  const way = scene.way;
  const unit = pixel();
  const [lines, badges] = [[], []];
  let crowd = 0;
  (way?.path ?? []).slice(0, (way?.steps ?? 0) + 1).forEach((node, step) => {
    if (step === 0) return;
    const [from, to] = [placeOf(way.path[step - 1].id), placeOf(node.id)];
    const long = Math.hypot(to.x - from.x, to.y - from.y) || 1;
    const back = Math.min(long / 3, 12 * unit);
    const end = { x: to.x - (to.x - from.x) / long * back, y: to.y - (to.y - from.y) / long * back };
    lines.push(svg("path", { class: isGraph() ? "way direct" : "way", d: `M${xy(from)}L${xy(end)}`, "data-from": way.path[step - 1].id, "data-to": node.id }));
    // The number of a short hop stands beside it, towards the middle, so that others stay readable.
    crowd = long < 60 * unit ? crowd + 1 : 0;
    const aside = 1 - crowd * 24 * unit / Math.max(1, Math.hypot(to.x, to.y));
    const middle = { x: (from.x + (to.x - from.x) * 0.55) * aside, y: (from.y + (to.y - from.y) * 0.55) * aside };
    const took = way.trips[step];
    badges.push(svg("g", { class: "hop", transform: `translate(${xy(middle)})` },
      svg("circle", { r: 10 * unit }),
      svg("text", { "font-size": 12 * unit }, String(way.numbers[step])),
      took === null || isNarrow() ? null : svg("text", { class: "time", x: 15 * unit, "font-size": 12 * unit }, took)));
  });
  if (way?.key && !isGraph()) badges.push(...keyMark(fraction(way.key), unit));
  layer.path.replaceChildren(...lines);
  layer.hops.replaceChildren(...badges);
}

/** Where the key is: a mark on the circle, and a line through the arc that it falls into. */
function keyMark(part, unit) {
  const { x, y } = at(part, RADIUS);
  const arm = 7 * unit;
  const inside = zoom.scale > 2 || isNarrow();
  const rim = arcBand(1)[1];
  const text = at(part, inside ? RADIUS - 22 * unit : rim + 12 * unit);
  const end = at(part, rim);
  const upright = Math.abs(text.x) < 80;
  const anchor = upright ? "middle" : (text.x > 0) === inside ? "end" : "start";
  return [
    svg("line", { class: "key-line", x1: x, y1: y, x2: end.x, y2: end.y }),
    svg("path", { class: "key-mark", d: `M${x} ${y - arm}L${x + arm} ${y}L${x} ${y + arm}L${x - arm} ${y}Z` }),
    svg("text", { class: "key-text", x: text.x, y: text.y, "font-size": 13 * unit, "text-anchor": anchor }, "key"),
  ];
}
