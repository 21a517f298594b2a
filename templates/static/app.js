// Keeps an open page up to date: asks for the numbers every few seconds and, when they have changed, takes the fresh
// page's content over. Without this script the page is the same, only still.
const EVERY_MS = 5000;
const SWAPPED = ["#status", "#main"];
const numbers = document.querySelector("#status") ? "/api/v1/stats/current" : null;
let tag = null;

async function refresh() {
  const headers = tag ? { "If-None-Match": tag } : {};
  const answer = await fetch(numbers, { headers, cache: "no-store" });
  // The session is over: the page itself leads to the login.
  if (answer.status === 401) return location.reload();
  if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
  const lost = document.querySelector("#status").classList.contains("lost");
  const scanning = document.querySelector("#scan, .welcome");
  if (answer.status === 304 && !lost && !scanning) return;
  tag = answer.headers.get("ETag");
  const page = await fetch("/", { cache: "no-store" });
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
  status.querySelector(".word").textContent = "Not connected, trying again";
}

async function turn() {
  if (document.hidden) return;
  try {
    await refresh();
  } catch {
    tag = null;
    lose();
  }
}

async function forever() {
  await turn();
  setTimeout(forever, EVERY_MS);
}

if (numbers) {
  document.addEventListener("visibilitychange", turn);
  setTimeout(forever, EVERY_MS);
}
