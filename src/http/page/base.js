// Making elements, and writing numbers. Text from the network goes in as text nodes, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

/** Sets an attribute where it differs, so that a poll that changes nothing costs nothing. */
function put(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** Sets the text where it differs. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else put(node, name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const whole = new Intl.NumberFormat("en");
const count = (number) => whole.format(Math.round(number));
const counted = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;

function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (number >= 1000 && at < units.length - 1) {
    number /= 1000;
    at += 1;
  }
  return `${at === 0 ? Math.round(number) : number.toPrecision(3)} ${units[at]}`;
}

/** A rate: exact while it is small. */
const rate = (number) => (number >= 10 ? count(number) : number.toFixed(1).replace(/\.0$/, ""));

function duration(ms) {
  if (ms < 1) return `${(ms).toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

function since(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const roundTrip = (node) => (node.rtt_us === null || node.rtt_us === undefined ? null : duration(node.rtt_us / 1000));
const short = (id) => id.slice(0, 6);

/** Where an id is on the circle, from 0 to 1: 52 of its 160 bits are more than a screen can show. */
const fraction = (id) => parseInt(id.slice(0, 13), 16) / 2 ** 52;

const calm = matchMedia("(prefers-reduced-motion: reduce)");
