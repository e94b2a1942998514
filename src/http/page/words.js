// Searching by words: holders, values, and torrents with their magnet links.

let searches = 0;

async function search(text) {
  const turn = (searches += 1);
  byId("found").replaceChildren();
  say(byId("words-said"), "Searching …");
  try {
    const matches = await asked(`/v1/search?${new URLSearchParams({ text })}`);
    if (turn !== searches) return;
    const results = matches.results;
    const all = matches.complete ? "" : ", and there may be more";
    say(byId("words-said"), results.length === 0 ? "Nothing matches." : `${counted(results.length, "result")}${all}.`);
    byId("found").replaceChildren(...results.map(foundItem));
  } catch (error) {
    if (turn === searches) say(byId("words-said"), `Not found out: ${error.message}`);
  }
}

function foundItem(hit) {
  const torrent = hit.torrent;
  if (torrent) {
    const shared = torrent.seeders === null ? "seeders unknown"
      : `${counted(torrent.seeders, "seeder")}, ${counted(torrent.leechers, "leecher")}`;
    // A scheme that is not this one is no link.
    const link = torrent.magnet.startsWith("magnet:?") ? torrent.magnet : null;
    return el("li", { "data-kind": "torrent" },
      el("strong", {}, torrent.name), " ",
      el("span", { class: "quiet" }, `torrent, ${counted(torrent.files, "file")} of ${bytes(torrent.length)}, ${shared}`),
      link && el("a", { class: "magnet", href: link }, link));
  }
  const what = hit.kind === "holder" ? `held by ${hit.addr}` : `value of ${bytes(hit.size)}`;
  const locate = el("button", { type: "button", class: "link", on: { click: () => {
    byId("key").value = hit.key;
    lookUp(hit.key);
  } } }, hit.key_text ?? short(hit.key));
  return el("li", { "data-kind": hit.kind }, el("strong", {}, hit.text || "(no text)"), " ",
    el("span", { class: "quiet" }, what, ", key "), locate);
}
