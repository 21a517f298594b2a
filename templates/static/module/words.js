// What the module says is in the page's language: the server writes it into the page. Without this module every page is
// the same, only still.
const words = JSON.parse(document.body.dataset.words);

// A text with its places filled in. `one|many` are two forms, and the number `n` decides.
function fill(text, values) {
  const [one, many = one] = text.split("|");
  return (values.n === 1 ? one : many).replace(/\{(\w+)\}/g, (_, name) => grouped(values[name]));
}

const groups = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, " ").split(" ");
const grouped = (value) => (typeof value === "number" ? groups(value).join(",") : value);
const clock = () => new Date().toLocaleTimeString(document.documentElement.lang, { hour12: false });
const make = (tag, values) => Object.assign(document.createElement(tag), values);

// For who listens to the page instead of looking at it.
const said = make("p", { className: "unseen" });
said.setAttribute("aria-live", "polite");
document.body.append(said);
const say = (text) => { said.textContent = text; };
