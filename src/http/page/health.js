// What a node's health is called, and the shape that stands for it beside the colour.

const HEALTH = {
  well: { word: "settled", says: "complete, and so is every copy that there are nodes for" },
  moving: { word: "unsettled", says: "some copies may not be complete yet" },
  joining: { word: "joining", says: "not a member yet, or cut off" },
  leaving: { word: "leaving", says: "hands its data over" },
  lost: { word: "no answer", says: "others name it, and it does not answer" },
};

function healthOf(node) {
  if (node.lost) return "lost";
  if (node.leaving) return "leaving";
  if (!node.member) return "joining";
  return node.settled && node.records_to_move === 0 ? "well" : "moving";
}

/** The outline of a mark of this size: round, diamond, ring, triangle, cross. */
function shapeOf(health, size) {
  switch (health) {
    case "moving": return `M0 ${-size * 1.25}L${size * 1.25} 0L0 ${size * 1.25}L${-size * 1.25} 0Z`;
    case "leaving": return `M0 ${-size * 1.25}L${size * 1.2} ${size * 0.9}L${-size * 1.2} ${size * 0.9}Z`;
    case "lost": {
      const [inner, outer] = [size * 0.4, size * 1.15];
      return `M${-outer} ${-outer + inner}L${-outer + inner} ${-outer}L0 ${-inner}L${outer - inner} ${-outer}L${outer} ${-outer + inner}L${inner} 0L${outer} ${outer - inner}L${outer - inner} ${outer}L0 ${inner}L${-outer + inner} ${outer}L${-outer} ${outer - inner}L${-inner} 0Z`;
    }
    default: return `M${-size} 0A${size} ${size} 0 1 1 ${size} 0A${size} ${size} 0 1 1 ${-size} 0Z`;
  }
}

/** A mark for legends and tables. */
function markOf(health) {
  const mark = svg("path", { class: "mark", d: shapeOf(health, 5.5) });
  const group = svg("g", { class: `node h-${health}` }, mark);
  return svg("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true", focusable: "false" }, group);
}

/** What it stores, copies for others included. */
const recordsOf = (node) => (node.lost ? 0 : node.values + node.holders + node.index_entries);

/** What is in the part of the circle that it answers for; a node of an older program does not say. */
const ownRecords = (node) => (node.lost ? 0 : node.own_records ?? 0);

/** A node in one line. */
function described(node) {
  if (node.lost) return `${short(node.id)}, ${node.addr}: ${HEALTH.lost.word}`;
  const parts = [`${short(node.id)}, ${node.addr}`, HEALTH[healthOf(node)].word, counted(recordsOf(node), "record")];
  if (node.role) parts.splice(1, 0, node.role);
  if (node.own) parts.push("this page's node");
  else if (roundTrip(node)) parts.push(`round trip ${roundTrip(node)}`);
  return parts.join(", ");
}
