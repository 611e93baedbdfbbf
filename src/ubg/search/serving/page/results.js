// The grid of results, and going through it by arrow keys.

import { byId, make, percent } from "./dom.js";

const grid = byId("results");
const LIKE =
  "M4 8h9a4 4 0 0 1 4 4v6M4 8l4-4M4 8l4 4M14 15l3 3 3-3"; // an arrow that leads from one image on

export function show(matches, { open, like }) {
  grid.classList.remove("waiting");
  grid.replaceChildren(...matches.map((match, place) => card(match, place, open, like)));
}

export function clear() {
  grid.classList.remove("waiting");
  grid.replaceChildren();
}

// While an answer is awaited: what was there, faded, or the shapes of what will be.
export function wait() {
  if (grid.querySelector(".result:not(.skeleton)")) {
    grid.classList.add("waiting");
    return;
  }
  const shape = () =>
    make("li", { class: "result skeleton", "aria-hidden": "true" },
      make("div", { class: "open" }),
      make("div", { class: "facts" }, make("span", { class: "score" }, "\u00a0")));
  grid.replaceChildren(...Array.from({ length: 12 }, shape));
}

function card(match, place, open, like) {
  const { image } = match;
  const picture = make("img", { src: image.thumbnail, alt: "", loading: "lazy", decoding: "async" });
  const item = make("li", { class: "result" });
  picture.addEventListener("error", () => item.classList.add("gone"));
  const share = match.share_without_person;
  const told = share === null ? "" : `, false alarms ${percent(share)}`;
  const opener = make("button", {
    type: "button", class: "open", tabindex: place === 0 ? "0" : "-1", title: image.path,
    "aria-label": `Rank ${match.rank}, score ${match.score.toFixed(3)}${told}: ${image.path}`,
    onclick: () => open(place),
  }, picture);
  const score = make("span", { class: "score" }, match.score.toFixed(3));
  if (share !== null) {
    const title = "Of searches for people who were not there, so many had a best score as high";
    score.append(make("span", { class: "share", title }, `false alarm ${percent(share)}`));
  }
  const more = make("button", {
    type: "button", class: "like", title: "More like this (m)", tabindex: "-1",
    "aria-label": `More like rank ${match.rank}`, onclick: () => like(image.id),
  }, symbol(LIKE));
  item.append(opener, make("span", { class: "rank", "aria-hidden": "true" }, String(match.rank)));
  if (image.duplicates.length) {
    const title = image.duplicates.join("\n");
    item.append(make("span", { class: "twins", title }, `×${image.duplicates.length + 1}`));
  }
  item.append(make("div", { class: "facts" }, score, more));
  return item;
}

function symbol(path) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

const openers = () => [...grid.querySelectorAll("button.open")];

// The place of the result that has the focus, or -1.
export const focused = () => openers().indexOf(document.activeElement);

export function focus(place) {
  const all = openers();
  const target = all[Math.max(0, Math.min(all.length - 1, place))];
  for (const opener of all) opener.tabIndex = opener === target ? 0 : -1;
  target?.focus();
}

grid.addEventListener("keydown", (event) => {
  const place = focused();
  if (place < 0) return;
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const goal = { Home: 0, End: openers().length - 1 }[event.key] ?? place + (steps[event.key] ?? NaN);
  if (Number.isNaN(goal)) return;
  event.preventDefault();
  if (goal >= 0 && goal < openers().length) focus(goal);
});
