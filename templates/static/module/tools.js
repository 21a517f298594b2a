// Small conveniences that a page does not need: copying, pausing, keys.
const KEYS = {
  t: () => {
    const themes = [...document.querySelectorAll("button[name=theme]")];
    themes[(themes.findIndex((theme) => theme.ariaPressed === "true") + 1) % themes.length].click();
  },
  r: () => status && refreshSoon(),
  "/": () => {
    const field = document.querySelector("input[type=search], #filters input:not([type=hidden])");
    field?.closest("details")?.setAttribute("open", "");
    field?.focus();
  },
  "?": help,
};
// After `g`.
const PAGES = {
  o: "/", l: "/live", m: "/models", p: "/projects", s: "/sessions", b: "/blocks", c: "/cost", e: "/export", i: "/sinks",
  d: "/docs", a: "/about",
};
const link = (letter) => [...document.querySelectorAll("nav.pages a")].find(({ pathname }) => pathname === PAGES[letter]);
let isGoing = false;

function press(event) {
  const isTyping = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || read(event)) return;
  const work = isGoing ? () => link(event.key)?.click() : KEYS[event.key];
  isGoing = !isGoing && event.key === "g";
  if (!work) return;
  event.preventDefault();
  work();
}

function help() {
  const dialog = make("dialog", { className: "panel keys", ariaLabel: words.keys });
  const list = make("dl");
  const pages = Object.keys(PAGES).map((letter) => [`g ${letter}`, link(letter)?.textContent]);
  for (const [keys, text] of [...pages, ...words.key_list]) {
    if (text) list.append(make("dt", { textContent: keys }), make("dd", { textContent: text }));
  }
  const close = make("button", { textContent: words.close, onclick: () => dialog.close() });
  dialog.append(make("h2", { textContent: words.keys }), list, close);
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
}

async function copy(button) {
  const { title } = button;
  const text = title.startsWith("/") ? new URL(title, location).href : title;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Over plain HTTP from another machine only what is selected can be copied.
    const field = make("textarea", { value: text });
    button.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.textContent = words.copied;
  say(words.copied);
  setTimeout(() => { button.textContent = words.copy; }, 2000);
}

// Adds what only works with the module.
function furnish() {
  for (const source of document.querySelectorAll("[data-copy]:not(:has(+ .copy))")) {
    source.after(make("button", { className: "plain copy added", title: source.dataset.copy, textContent: words.copy }));
  }
  for (const button of document.querySelectorAll("[data-pause]")) button.hidden = false;
}

document.addEventListener("click", ({ target: at }) => {
  const button = at.closest(".copy, [data-pause]");
  if (button?.matches(".copy")) copy(button);
  else if (button) button.ariaPressed = String(button.ariaPressed !== "true");
  if (button?.ariaPressed === "false") refreshSoon();
});
document.addEventListener("keydown", press);
furnish();
if (status) {
  document.addEventListener("visibilitychange", attend);
  addEventListener("online", attend);
  attend();
}
