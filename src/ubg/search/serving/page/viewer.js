// One image large, with what is known of it.

import { byId, count, make, percent } from "./dom.js";

const dialog = byId("viewer");
let matches = [];
let place = 0;
let left = () => {};

export function open(allMatches, at, closed) {
  matches = allMatches;
  left = closed;
  show(at);
  if (!dialog.open) dialog.showModal();
}

export const current = () => (dialog.open ? matches[place] : null);

function show(at) {
  place = at;
  const match = matches[place];
  const { image } = match;
  const picture = byId("viewer-picture");
  picture.src = image.picture;
  picture.alt = `Rank ${match.rank}: ${image.path}`;
  byId("viewer-title").textContent = `Rank ${count(match.rank)}, score ${match.score.toFixed(3)}`;
  const share = match.share_without_person;
  byId("viewer-share").textContent = share === null ? "" :
    `False alarms: of searches for people who were not there, ${percent(share)} had a best score as high as this.`;
  const facts = [
    ["Path", image.path], ["Folder", image.folder], ["Size", `${image.width} × ${image.height}`],
    ["Taken", image.captured_at?.replace("T", " ")], ["Camera", image.camera],
    ["Tags", image.tags.join(", ")], ["Same bytes", image.duplicates.join(", ")],
  ].filter(([, value]) => value);
  byId("viewer-facts").replaceChildren(...facts.flatMap(
    ([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  byId("viewer-facts").querySelector("dd").append(copier(`${image.folder}/${image.path}`));
  byId("viewer-previous").disabled = place === 0;
  byId("viewer-next").disabled = place === matches.length - 1;
}

function copier(path) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(path);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here"; // without HTTPS, off this machine
    }
  };
  const button = make("button", { type: "button", class: "link", onclick: copy }, "Copy");
  return button;
}

function step(by) {
  if (matches[place + by]) show(place + by);
}

byId("viewer-previous").addEventListener("click", () => step(-1));
byId("viewer-next").addEventListener("click", () => step(1));
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
dialog.addEventListener("close", () => {
  byId("viewer-picture").removeAttribute("src");
  left(place);
});
