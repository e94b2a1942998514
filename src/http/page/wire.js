// Asking the node. The token, where one is wanted, is in this variable and nowhere else.

let token = null;

/** What a node answered that it could not do; `text` is for people. */
class Refused extends Error {
  constructor(status, problem) {
    super([problem.detail, problem.hint].filter(Boolean).join(": "));
    this.status = status;
    this.problem = problem;
  }
}

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store", credentials: "omit", ...options });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: `the node answered ${answer.status}` }));
  throw new Refused(answer.status, problem);
}

const asked = async (path) => (await ask(path)).json();

/** Longest event that is read; the node's own are far below. */
const MAX_EVENT_CHARS = 1 << 20;

/** Reads server-sent events by fetch, because EventSource sends no token. Ends when the stream does. */
async function follow(hear, signal) {
  const answer = await ask("/v1/events", { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    if (text.length > MAX_EVENT_CHARS) throw new Error("an event is too long");
    for (const part of parts) {
      const lines = part.split("\n");
      const of = (name) => lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length).trim()).join("\n");
      if (of("event:")) hear(of("event:"), JSON.parse(of("data:")));
    }
  }
}
