// Shows what is new: numbers that a message knows at once, panels as the server renders them, and of those only what
// differs. What somebody has done to a panel stays: open details, focus, scrolling, a mark of a chart, a form.
const PANELS = "[data-panel]";
const SCROLLING = ".scroll, .pan, .sheet";
const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
const main = document.querySelector("#main");
const panels = (root) => [...root.querySelectorAll(PANELS)];
const byId = (id) => document.getElementById(id);

// Panels as the server wrote them, before anything is changed in them.
const written = new Map(panels(main).map((panel) => [panel.id, panel.outerHTML]));
let shown = Number(document.body.dataset.revision);

// `data-live` names a number that every message has.
function patch(totals) {
  for (const place of document.querySelectorAll("[data-live^='totals.']:not([data-live$='_cost'])")) {
    const count = totals[place.dataset.live.slice(7)];
    const exact = place.querySelector(".exact");
    if (!Number.isInteger(count) || (exact ?? place).textContent.replaceAll(",", "") === String(count)) continue;
    if (exact) exact.replaceChildren(...groups(count).map((textContent) => make("span", { textContent })));
    else place.textContent = grouped(count);
  }
}

async function renew() {
  const answer = await fetch(location.href, { cache: "no-store" });
  // The session is over: the page itself leads to the login.
  if (answer.redirected || answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(answer.status);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  // Another version of the program has another module; the first response brings the filters.
  const kind = (page) => `${page.querySelector("script")?.src} ${page.querySelector("#filters") !== null}`;
  if (kind(fresh) !== kind(document)) return location.reload();
  takeOver(document.adoptNode(fresh.querySelector("#main")));
  served = statusOf(fresh.querySelector("#status"));
  shown = Number(fresh.body.dataset.revision);
}

function takeOver(next) {
  const state = keep();
  const changed = panels(next).filter(({ id, outerHTML }) => {
    return !byId(id) || (written.get(id) !== outerHTML && !isBusy(byId(id)));
  });
  const around = outline(main) !== outline(next) && ![...main.querySelectorAll("form")].some(isEdited);
  if (!around && changed.length === 0) return;
  for (const { id, outerHTML } of changed) written.set(id, outerHTML);
  for (const panel of around ? panels(next) : changed) {
    if (!around) byId(panel.id)?.replaceWith(panel);
    else if (!changed.includes(panel)) panel.replaceWith(byId(panel.id));
  }
  if (around) main.replaceChildren(...next.childNodes);
  furnish();
  restore(state);
}

// The page without what is in its panels.
function outline(root) {
  const copy = root.cloneNode(true);
  for (const panel of panels(copy)) panel.replaceWith(panel.id);
  for (const added of copy.querySelectorAll(".added")) added.remove();
  return copy.outerHTML;
}

// Nothing changes under the hands of somebody.
function isBusy(panel) {
  const selection = getSelection();
  return (selection.type === "Range" && panel.contains(selection.anchorNode))
    || panel.querySelector('[data-pause][aria-pressed="true"]')
    || [...panel.querySelectorAll("form")].some(isEdited);
}

function isEdited(form) {
  const differs = ({ type, value, defaultValue, checked, defaultChecked, options }) => (options
    ? options.selectedIndex !== Math.max(0, [...options].findIndex((option) => option.defaultSelected))
    : type !== "hidden" && (value !== (defaultValue ?? value) || checked !== defaultChecked));
  return form.contains(document.activeElement) || [...form.elements].some(differs);
}

function keep() {
  const all = panels(main);
  const top = all.find((panel) => panel.getBoundingClientRect().bottom > 0);
  const focused = document.activeElement;
  return {
    top: top && [top.id, top.getBoundingClientRect().top],
    focus: main.contains(focused) && { focused, home: focused.closest(PANELS)?.id, at: alike(focused).indexOf(focused) },
    mark: chosen(),
    states: all.map((panel) => ({
      panel,
      open: [...panel.querySelectorAll("details")].map((details) => details.open),
      scrolled: [...panel.querySelectorAll(SCROLLING)].map(({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop]),
    })),
  };
}

// What may have the focus where an element had it: of the same kind, and leading to the same place.
function alike(element, panel = element.closest(PANELS)) {
  const same = (one) => one.tagName === element.tagName && one.getAttribute("href") === element.getAttribute("href");
  return [...(panel ?? main).querySelectorAll(FOCUSABLE)].filter(same);
}

function restore({ top, focus, mark, states }) {
  for (const { panel, open, scrolled } of states) {
    const here = byId(panel.id);
    if (here !== panel) here?.querySelectorAll("details").forEach((details, n) => { details.open = open[n]; });
    here?.querySelectorAll(SCROLLING).forEach((area, n) => {
      [area.scrollLeft, area.scrollTop] = scrolled[n] ?? [0, 0];
    });
  }
  if (focus && document.activeElement !== focus.focused) {
    const { focused, home, at } = focus;
    const found = focused.isConnected ? focused : (focused.id && byId(focused.id)) || alike(focused, byId(home))[at];
    found?.focus({ preventScroll: true });
  }
  choose(mark);
  if (top && byId(top[0])) scrollBy({ top: byId(top[0]).getBoundingClientRect().top - top[1], behavior: "instant" });
}
