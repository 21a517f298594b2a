// Keeps an open page up to date. The server says over a WebSocket what has changed: the total is shown at once, and the
// rest of the page soon after, as the server renders it. Where no WebSocket gets through, the numbers are asked for every
// few seconds. A page that nobody looks at does neither. Without this script the page is the same, only still.
const EVERY_MS = 5000;
const RENEW_MS = 1000;
const LONGEST_WAIT_MS = 60000;
const SWAPPED = ["#status", "#main"];
const numbers = document.querySelector("#status") ? "/api/v1/stats/current" : null;
let tag = null;
let socket = null;
let live = false;
let revision = null;
let wait = 1000;
let renewing = null;

const lost = () => document.querySelector("#status").classList.contains("lost");
const unfinished = () => document.querySelector("#scan, .welcome") !== null;

async function refresh() {
  const headers = tag ? { "If-None-Match": tag } : {};
  const answer = await fetch(numbers, { headers, cache: "no-store" });
  // The session is over: the page itself leads to the login.
  if (answer.status === 401) return location.reload();
  if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
  if (answer.status === 304 && !lost() && !unfinished()) return;
  tag = answer.headers.get("ETag");
  await renew();
}

async function renew() {
  const page = await fetch(location.pathname + location.search, { cache: "no-store" });
  if (!page.ok) throw new Error(`status ${page.status}`);
  takeOver(new DOMParser().parseFromString(await page.text(), "text/html"));
}

function takeOver(fresh) {
  const open = [...document.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = document.activeElement?.closest("details")?.id;
  for (const selector of SWAPPED) {
    const [old, next] = [document.querySelector(selector), fresh.querySelector(selector)];
    if (old && next && old.outerHTML !== next.outerHTML) old.replaceWith(document.adoptNode(next));
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.querySelector("summary").focus();
}

function lose() {
  const status = document.querySelector("#status");
  status.className = "live lost";
  status.querySelector(".word").textContent = status.dataset.lost;
}

function listen() {
  if (socket || document.hidden) return;
  const since = revision === null ? "" : `?since=${revision}`;
  const opened = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws${since}`);
  socket = opened;
  opened.onmessage = ({ data }) => hear(JSON.parse(data));
  opened.onclose = () => {
    if (socket === opened) socket = null;
    live = false;
    if (document.hidden) return;
    setTimeout(listen, wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    turn();
  };
}

function hear(message) {
  const first = !live;
  live = true;
  wait = 1000;
  revision = message.revision;
  const totals = message.totals ?? message.data?.totals;
  const known = totals ? show(totals.total_tokens) : true;
  if (known && first && !lost() && !unfinished()) return;
  renewing ??= setTimeout(renewSoon, first ? 0 : RENEW_MS);
}

// Shows the total, and says whether it was there already.
function show(total) {
  const exact = document.querySelector('[data-live="totals.total_tokens"] .exact');
  if (!exact) return false;
  const groups = String(total).replace(/\B(?=(\d{3})+$)/g, " ").split(" ");
  const known = exact.textContent === groups.join("");
  const spans = groups.map((digits) => Object.assign(document.createElement("span"), { textContent: digits }));
  if (!known) exact.replaceChildren(...spans);
  return known;
}

async function renewSoon() {
  renewing = null;
  await attempt(renew);
}

async function turn() {
  if (document.hidden || (live && !lost() && !unfinished())) return;
  await attempt(refresh);
}

async function attempt(work) {
  try {
    await work();
  } catch {
    tag = null;
    lose();
  }
}

async function forever() {
  await turn();
  setTimeout(forever, EVERY_MS);
}

function look() {
  if (document.hidden) {
    socket?.close();
    return;
  }
  listen();
  turn();
}

if (numbers) {
  document.addEventListener("visibilitychange", look);
  listen();
  setTimeout(forever, EVERY_MS);
}
