// Hears what has changed: over a WebSocket, and where none gets through by asking. A page that nobody looks at does
// neither. The status says in words how far the numbers can be trusted.
const REFRESH_MS = 2000; // From one refresh of panels to the next,
const ANYWAY_MS = 60000; // without any news,
const MEANWHILE_MS = 15000; // while a WebSocket is lost,
const INSTEAD_MS = 5000; // and where there never was one.
const LONGEST_WAIT_MS = 60000;
const SAY_MS = 30000;

const status = document.querySelector("#status");
const statusOf = (element) => ({ className: element.className, text: element.textContent });
let served = status && statusOf(status);
let socket = null;
let isLive = false;
let wasLive = false;
let failures = 0;
let heard = shown;
let totals = null;
let tag = null;
let good = clock();
let refreshed = -REFRESH_MS;
let isRefreshing = false;
const timers = new Map();

function later(name, work, wait) {
  clearTimeout(timers.get(name));
  timers.set(name, setTimeout(() => { timers.delete(name); work(); }, wait));
}

function connect() {
  if (socket || document.hidden) return;
  const opened = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws?since=${heard}`);
  socket = opened;
  opened.onmessage = ({ data }) => hear(JSON.parse(data));
  opened.onclose = () => { if (socket === opened) lose(); };
}

function lose() {
  [socket, isLive] = [null, false];
  // At first soon, then ever later, and not all pages at once.
  later("connect", connect, Math.min(1000 * 2 ** failures++, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2));
  if (failures === 1 || !timers.has("turn")) turn();
}

function hear(message) {
  const isFirst = !isLive;
  [isLive, wasLive, failures] = [true, true, 0];
  heard = message.revision;
  totals = message.totals ?? message.data?.totals ?? totals;
  if (totals) patch(totals);
  if (totals) announce();
  if (isFirst) later("turn", turn, pause());
  // At once if nothing was new for a while.
  if (heard !== shown || status.className !== served.className) refreshSoon();
  tell(served);
}

function refreshSoon() {
  if (!isRefreshing && !timers.has("refresh")) later("refresh", refresh, refreshed + REFRESH_MS - performance.now());
}

async function refresh() {
  isRefreshing = true;
  const before = totals;
  try {
    await renew();
    // What was heard meanwhile is newer than the page.
    if (totals !== before) patch(totals);
    tell(isLive ? served : away());
  } catch {
    tag = null;
    tell({ className: "live lost", text: fill(words.lost, { at: good }) });
    // It may be dead without a word.
    socket?.close();
  }
  isRefreshing = false;
  refreshed = performance.now();
  if (isLive && heard !== shown && !document.hidden) refreshSoon();
}

// Now and then: asks for news, or for what changes without news.
async function turn() {
  if (document.hidden) return;
  later("turn", turn, pause());
  if (isLive) return refreshSoon();
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch("/api/v1/stats/current", { headers, cache: "no-store" });
    if (answer.status === 304 && !isUnfinished()) return isLive || tell(away());
    tag = answer.headers.get("ETag");
  } catch {
    // The page itself says what is wrong.
  }
  await refresh();
}

// The first scan is under way, or there is nothing yet.
const isUnfinished = () => document.querySelector("#scan, .welcome") !== null;
const pause = () => (isUnfinished() || !wasLive ? INSTEAD_MS : isLive ? ANYWAY_MS : MEANWHILE_MS);
const away = () => ({ className: "live slow", text: wasLive ? words.reconnecting : words.asking });

function tell({ className, text }) {
  const isLost = className === "live lost";
  if (!isLost) good = clock();
  document.body.classList.toggle("stale", isLost);
  status.className = className;
  const word = status.querySelector(".word");
  if (word.textContent !== text) word.textContent = text;
}

let saidAt = 0;
let saidRequests = null;

// Tells of new responses, but not of each.
function announce() {
  saidRequests ??= totals.requests;
  if (totals.requests === saidRequests || timers.has("say")) return;
  later("say", () => {
    saidAt = performance.now();
    say(fill(words.news, { n: totals.requests - saidRequests, total: totals.total_tokens }));
    saidRequests = totals.requests;
  }, Math.max(1000, saidAt + SAY_MS - performance.now()));
}

// Begins when somebody looks, and ends with it.
function attend() {
  if (!document.hidden) {
    connect();
    if (!timers.has("turn")) later("turn", turn, pause());
    return;
  }
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  socket?.close();
  [socket, isLive, failures] = [null, false, 0];
}
