// Reads charts out: what a mark stands for is shown beside it when it is pointed at or reached with the arrow keys.
const MARKS = "[data-marks] rect";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [], End: [] };
const tip = make("p", { className: "tip added", ariaHidden: "true" });
// The mark that is shown, and its title, which is taken out so that the browser does not show it too.
let marked = null;
let title = null;
let isByKey = false;

function show(mark, byKey) {
  isByKey = byKey;
  if (mark === marked) return;
  hide();
  marked = mark;
  title = mark.querySelector("title");
  title.remove();
  mark.classList.add("on");
  tip.textContent = title.textContent;
  mark.closest("figure").append(tip);
  const [at, around, own] = [mark, tip.parentElement, tip].map((element) => element.getBoundingClientRect());
  // Beside a column, above a cell, and within the figure.
  let [left, top] = [at.left + at.width / 2 - own.width / 2, at.top - own.height - 6];
  if (tip.parentElement.matches(".columns")) {
    [left, top] = [at.right + 8, at.top];
    if (left + own.width > around.right) left = at.left - own.width - 8;
  } else if (top < 0) top = at.bottom + 6;
  tip.style.left = `${Math.max(0, Math.min(left, around.right - own.width) - around.left)}px`;
  tip.style.top = `${top - around.top}px`;
}

function hide() {
  marked?.prepend(title);
  marked?.classList.remove("on");
  tip.remove();
  marked = null;
}

// Where a key leads to. The children of `data-marks` are columns of one mark, or of a week's days.
function target(figure, key) {
  const lanes = [...figure.querySelector("[data-marks]").children];
  const cells = lanes.map((lane) => (lane.matches("rect") ? [lane] : [...lane.children]));
  const marks = cells.flat().filter((cell) => cell.matches("rect"));
  const at = cells.findIndex((lane) => lane.includes(marked));
  const [across, down] = STEPS[key];
  // Most want to know the newest first.
  if (at < 0 || across === undefined) return key === "Home" || (at < 0 && across > 0) ? marks[0] : marks.at(-1);
  const next = across ? cells[at + across]?.[cells[at].indexOf(marked)] : marks[marks.indexOf(marked) + down];
  return next?.matches("rect") ? next : marked;
}

function read(event) {
  const figure = event.target.matches("figure[data-chart] svg") && event.target.closest("figure");
  if (event.key === "Escape" && marked) hide();
  else if (figure && STEPS[event.key]) {
    const mark = target(figure, event.key);
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
    show(mark, true);
    say(tip.textContent);
  } else return false;
  event.preventDefault();
  return true;
}

// The mark that is shown, to be found again in a new panel.
function chosen() {
  const figure = marked?.closest("figure");
  return figure && [figure.id, [...figure.querySelectorAll(MARKS)].indexOf(marked)];
}

function choose(mark) {
  if (!mark || marked?.isConnected) return;
  hide();
  const found = byId(mark[0])?.querySelectorAll(MARKS)[mark[1]];
  if (found) show(found, isByKey);
}

// Not when something comes to lie under a pointer that rests.
for (const kind of ["pointermove", "pointerdown"]) {
  document.addEventListener(kind, ({ target: at }) => {
    const mark = at.closest?.(MARKS);
    if (mark) show(mark, false);
    else if (!isByKey) hide();
  });
}
document.addEventListener("focusout", () => isByKey && document.hasFocus() && hide());
