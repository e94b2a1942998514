// Where things are drawn: points and arcs of the circle; a graph that finds its own shape.

const RADIUS = 360;
/** Where the arcs stand, and how high the one with most records is. */
const ARC_FOOT = 16;
const ARC_HEIGHT = 58;

const turn = (part) => part * 2 * Math.PI - Math.PI / 2;
function at(part, radius = RADIUS) {
  const angle = turn(part);
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
}
const xy = (point) => `${point.x.toFixed(2)} ${point.y.toFixed(2)}`;

/** From one point to another clockwise, of 1; the whole circle when they are the same. */
const between = (from, to) => ((to - from + 1) % 1) || 1;

/** The part of the circle that a node answers for: [from, to]. */
function arcOf(node, overlay, ring) {
  const here = fraction(node.id);
  const place = ring.indexOf(node.id);
  const neighbour = (step) => ring[(place + step + ring.length) % ring.length];
  if (overlay === "pastry") {
    const before = fraction(node.smaller[0] ?? neighbour(-1));
    const after = fraction(node.larger[0] ?? neighbour(1));
    if (before === here) return [here, here];
    return [(here - between(before, here) / 2 + 1) % 1, (here + between(here, after) / 2) % 1];
  }
  return [fraction(node.predecessor ?? neighbour(-1)), here];
}

/** A sector that stands on the circle, from one radius to another. */
function sector([from, to], inner, outer) {
  let span = between(from, to);
  const gap = Math.min(0.0012, span * 0.12);
  const start = from + gap / 2;
  span = Math.min(span - gap, 0.99999);
  const large = span > 0.5 ? 1 : 0;
  const end = start + span;
  return `M${xy(at(start, inner))}A${inner} ${inner} 0 ${large} 1 ${xy(at(end, inner))}` +
    `L${xy(at(end, outer))}A${outer} ${outer} 0 ${large} 0 ${xy(at(start, outer))}Z`;
}

/** A line inside the circle: near points by a flat bow, far ones through the middle. */
function bow(from, to, below) {
  const [start, end] = [at(from, RADIUS - below), at(to, RADIUS - below)];
  const span = Math.min(between(from, to), between(to, from));
  const pull = 1 - Math.min(1, span * 2.6);
  const middle = { x: (start.x + end.x) / 2 * pull * 0.92, y: (start.y + end.y) / 2 * pull * 0.92 };
  return `M${xy(start)}Q${xy(middle)} ${xy(end)}`;
}

/** A graph that finds its shape: links pull, nodes push. Places are kept from poll to poll. */
class Graph {
  constructor() {
    this.places = new Map();
    this.links = [];
    this.loose = [];
    this.heat = 0;
  }

  /** Takes nodes and links in; something new heats it. Who has no link takes no part in it. */
  take(all, links) {
    const linked = new Set(links.flat());
    const ids = all.filter((id) => linked.has(id));
    this.loose = all.filter((id) => !linked.has(id));
    const present = new Set(ids);
    let changed = false;
    for (const id of this.places.keys()) if (!present.has(id)) {
      this.places.delete(id);
      changed = true;
    }
    const near = new Map(ids.map((id) => [id, []]));
    for (const [one, other] of links) {
      near.get(one).push(other);
      near.get(other).push(one);
    }
    for (const id of ids) {
      if (this.places.has(id)) continue;
      // Beside a neighbour that has a place, else where its id is on a circle: no chance in it.
      const friend = near.get(id).map((other) => this.places.get(other)).find(Boolean);
      const own = at(fraction(id), friend ? 40 : 260);
      this.places.set(id, { x: own.x + (friend?.x ?? 0), y: own.y + (friend?.y ?? 0) });
      changed = true;
    }
    const key = links.map((link) => link.join()).join();
    if (changed || key !== this.key) this.heat = Math.max(this.heat, this.key === undefined ? 1 : 0.35);
    this.key = key;
    this.links = links;
    // However many there are, they share the same room.
    this.length = Math.min(170, 800 / Math.sqrt(Math.max(1, ids.length)));
  }

  get moves() {
    return this.heat > 0.02;
  }

  /** One step; all pairs push each other, which a thousand nodes stand for some hundred steps. */
  step() {
    const points = [...this.places.values()];
    const index = new Map([...this.places.keys()].map((id, place) => [id, place]));
    const push = points.map(() => ({ x: 0, y: 0 }));
    const room = this.length * this.length;
    for (let one = 0; one < points.length; one += 1) {
      for (let other = one + 1; other < points.length; other += 1) {
        const x = points[one].x - points[other].x;
        const y = points[one].y - points[other].y;
        const force = room / (x * x + y * y + 1);
        push[one].x += x * force;
        push[one].y += y * force;
        push[other].x -= x * force;
        push[other].y -= y * force;
      }
    }
    for (const link of this.links) {
      const [one, other] = link.map((id) => index.get(id));
      const x = points[other].x - points[one].x;
      const y = points[other].y - points[one].y;
      const force = Math.hypot(x, y) / this.length;
      push[one].x += x * force;
      push[one].y += y * force;
      push[other].x -= x * force;
      push[other].y -= y * force;
    }
    const most = 60 * this.heat + 1;
    points.forEach((point, place) => {
      const x = push[place].x - point.x * 0.12;
      const y = push[place].y - point.y * 0.12;
      const size = Math.hypot(x, y) || 1;
      const by = Math.min(size * 0.12, most) / size;
      point.x += x * by;
      point.y += y * by;
    });
    this.heat *= 0.975;
  }

  /** Into the frame: most nodes fill it, and who is far out, or has no link, is at its rim. */
  framed() {
    const points = [...this.places];
    const spread = (axis) => {
      const sorted = points.map(([, point]) => point[axis]).sort((one, other) => one - other);
      const skip = Math.floor(sorted.length * 0.01);
      return [sorted[skip] ?? 0, sorted[sorted.length - 1 - skip] ?? 0];
    };
    const [left, right] = spread("x");
    const [top, bottom] = spread("y");
    const scale = Math.min(860 / Math.max(1, right - left, bottom - top), 12);
    const held = (value) => Math.max(-455, Math.min(455, value * scale));
    const places = new Map(points.map(([id, point]) =>
      [id, { x: held(point.x - (left + right) / 2), y: held(point.y - (top + bottom) / 2) }]));
    // Alone it is the middle.
    for (const id of this.loose) places.set(id, at(fraction(id), points.length > 0 ? 455 : this.loose.length > 1 ? 300 : 0));
    return places;
  }
}
