// Moving in the drawing: by keys, by pointer, by buttons.

function focusOn(id) {
  if (!scene.nodes.has(id)) return;
  scene.focus = id;
  paintNodes();
  marks.get(id)?.group.focus({ preventScroll: true });
}

/** Shows a node in the drawing and beside it. */
function show(id) {
  scene.shown = id;
  scene.focus = id;
  if (zoom.scale > 1 && scene.nodes.has(id)) Object.assign(zoom, placeOf(id));
  redraw();
  paintDetail();
  paintCaption(id);
  paintTable();
}

function zoomTo(scale, around = null) {
  const point = around ?? { x: zoom.x, y: zoom.y };
  const to = Math.min(MAX_ZOOM, Math.max(1, scale));
  // What is under the pointer stays there.
  zoom.x = point.x - (point.x - zoom.x) * zoom.scale / to;
  zoom.y = point.y - (point.y - zoom.y) * zoom.scale / to;
  zoom.scale = to;
  if (to === 1) zoom.x = zoom.y = 0;
  say(byId("zoom-reset"), `${to < 10 ? Number(to.toFixed(1)) : Math.round(to)}×`);
  byId("zoom-out").disabled = to === 1;
  redraw();
}

/** Zooming in by button or key goes to the node that is shown, the rim being where the nodes are. */
function zoomIn() {
  if (zoom.scale === 1 && scene.nodes.has(scene.shown)) Object.assign(zoom, { scale: 1.0001, ...placeOf(scene.shown) });
  zoomTo(zoom.scale * 1.6);
}
const zoomOut = () => zoomTo(zoom.scale / 1.6 < 1.05 ? 1 : zoom.scale / 1.6);

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const all = [...scene.nodes.keys()].sort();
  const place = all.indexOf(scene.focus);
  const to = (step) => () => focusOn(all[(place + step + all.length) % all.length]);
  const act = {
    ArrowRight: to(1), ArrowDown: to(1), ArrowLeft: to(-1), ArrowUp: to(-1),
    Home: () => focusOn(scene.me), End: () => focusOn(all[all.length - 1]),
    Enter: () => show(scene.focus), " ": () => show(scene.focus),
    "+": zoomIn, "=": zoomIn, "-": zoomOut, 0: () => zoomTo(1),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

const idUnder = (event) => event.target.closest?.("[data-id]")?.dataset.id;

function startMoving() {
  layer.nodes.addEventListener("keydown", onKey);
  // Not in the drawing: what listens for the focus there is given it by some browsers.
  drawing.closest("section").addEventListener("focusin", (event) => paintCaption(idUnder(event) ?? scene.shown));
  drawing.addEventListener("click", (event) => idUnder(event) && show(idUnder(event)));
  drawing.addEventListener("pointerover", (event) => paintCaption(idUnder(event) ?? scene.shown));
  drawing.addEventListener("pointerleave", () => paintCaption(scene.shown));
  byId("zoom-in").addEventListener("click", zoomIn);
  byId("zoom-out").addEventListener("click", zoomOut);
  byId("zoom-reset").addEventListener("click", () => zoomTo(1));
  drawing.addEventListener("wheel", (event) => {
    // Without the key the wheel scrolls the page.
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = drawing.getBoundingClientRect();
    const unit = pixel();
    const point = { x: zoom.x + (event.clientX - box.x - box.width / 2) * unit, y: zoom.y + (event.clientY - box.y - box.height / 2) * unit };
    zoomTo(zoom.scale * Math.exp(-event.deltaY / 200), point);
  }, { passive: false });
  let held = null;
  drawing.addEventListener("pointerdown", (event) => {
    if (zoom.scale > 1 && event.button === 0) held = { x: event.clientX, y: event.clientY };
  });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    drawing.classList.add("dragged");
    const unit = pixel();
    zoom.x -= (event.clientX - held.x) * unit;
    zoom.y -= (event.clientY - held.y) * unit;
    held = { x: event.clientX, y: event.clientY };
    redraw();
  });
  addEventListener("pointerup", () => {
    held = null;
    drawing.classList.remove("dragged");
  });
  new ResizeObserver(redraw).observe(drawing);
  zoomTo(1);
}
