// The same as the drawing, as a table: sorted, filtered, a part at a time.

/** Rows that are shown at first, and that each "more" adds. */
const ROWS = 50;
const COLUMNS = [
  { name: "Node", of: (node) => node.id, sort: (node) => node.id },
  { name: "Address", of: (node) => node.addr, sort: (node) => node.addr },
  { name: "Health", of: (node) => HEALTH[healthOf(node)].word, sort: (node) => Object.keys(HEALTH).indexOf(healthOf(node)) },
  // What the heights of the arcs show. Without structure no node answers for keys.
  { name: "Answers for", of: (node) => (node.lost ? "" : count(ownRecords(node))), sort: ownRecords, onRingsOnly: true },
  { name: "Stores", of: (node) => (node.lost ? "" : count(recordsOf(node))), sort: recordsOf },
  { name: "Stored", of: (node) => (node.lost ? "" : bytes(node.stored_bytes)), sort: (node) => node.stored_bytes ?? 0 },
  { name: "To move", of: (node) => (node.lost ? "" : count(node.records_to_move)), sort: (node) => node.records_to_move ?? 0 },
  { name: "Peers", of: (node) => (node.lost ? "" : count(node.peers)), sort: (node) => node.peers ?? 0 },
  { name: "Round trip", of: (node) => roundTrip(node) ?? "", sort: (node) => node.rtt_us ?? -1 },
  { name: "Up for", of: (node) => (node.lost ? "" : since(node.uptime_s)), sort: (node) => node.uptime_s ?? 0 },
];
const view = { by: 0, down: false, rows: ROWS, filter: "" };
const rows = new Map();

function startTable() {
  const head = byId("table").tHead.rows[0];
  COLUMNS.forEach((column, place) => {
    const sort = () => {
      view.down = view.by === place ? !view.down : place > 2;
      view.by = place;
      paintTable();
    };
    head.append(el("th", { scope: "col" }, el("button", { type: "button", on: { click: sort } }, column.name)));
  });
  byId("filter").addEventListener("input", (event) => {
    view.filter = event.target.value.trim().toLowerCase();
    view.rows = ROWS;
    paintTable();
  });
  byId("more-rows").addEventListener("click", () => {
    view.rows += ROWS * 4;
    paintTable();
  });
}

function matchesFilter(node) {
  const text = `${node.id} ${node.addr} ${HEALTH[healthOf(node)].word} ${node.role ?? ""}`;
  return view.filter.split(/\s+/).every((word) => text.includes(word));
}

function makeRow(id) {
  const name = el("th", { scope: "row" }, el("button", { type: "button", class: "link", on: { click: () => show(id) } }, short(id)));
  const cells = COLUMNS.slice(1).map(() => el("td"));
  return { row: el("tr", { "data-id": id }, name, ...cells), cells, health: null };
}

function paintRow(node) {
  let entry = rows.get(node.id);
  if (!entry) {
    entry = makeRow(node.id);
    rows.set(node.id, entry);
  }
  COLUMNS.slice(1).forEach((column, place) => {
    const text = column.of(node);
    entry.cells[place].hidden = Boolean(column.onRingsOnly) && isGraph();
    if (column.name !== "Health") return say(entry.cells[place], text);
    if (entry.health === text) return;
    entry.health = text;
    put(entry.cells[place], "class", "health");
    entry.cells[place].replaceChildren(markOf(healthOf(node)), text);
  });
  put(entry.row, "class", node.id === scene.shown ? "on" : null);
  return entry.row;
}

function paintTable() {
  const column = COLUMNS[view.by];
  const compare = (one, other) => {
    const [first, second] = [column.sort(one), column.sort(other)];
    const order = first < second ? -1 : first > second ? 1 : one.id < other.id ? -1 : 1;
    return view.down ? -order : order;
  };
  [...byId("table").tHead.rows[0].cells].forEach((cell, place) => {
    cell.hidden = Boolean(COLUMNS[place].onRingsOnly) && isGraph();
    put(cell, "aria-sort", place !== view.by ? null : view.down ? "descending" : "ascending");
  });
  const fit = [...scene.nodes.values()].filter(matchesFilter).sort(compare);
  const shown = fit.slice(0, view.rows).map(paintRow);
  const body = byId("table").tBodies[0];
  const same = shown.length === body.rows.length && shown.every((row, place) => body.rows[place] === row);
  const had = document.activeElement;
  if (!same) body.replaceChildren(...shown);
  if (had !== document.activeElement && body.contains(had)) had.focus({ preventScroll: true });
  for (const id of rows.keys()) if (!scene.nodes.has(id)) rows.delete(id);
  const all = fit.length === scene.nodes.size ? counted(fit.length, "node") : `${count(fit.length)} of ${counted(scene.nodes.size, "node")}`;
  say(byId("table-said"), shown.length < fit.length ? `${all}; the first ${count(shown.length)} are listed` : all);
  byId("more-rows").hidden = shown.length === fit.length;
}
