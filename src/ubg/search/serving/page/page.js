// The page: what is asked, what is answered, and what is said meanwhile.

import * as api from "./api.js";
import { PER_PAGE, fromHash, isEmpty, keep, nothing, question, toHash } from "./asked.js";
import { byId, count, images, make, percent } from "./dom.js";
import * as filters from "./filters.js";
import * as pictures from "./pictures.js";
import * as results from "./results.js";
import * as sketch from "./sketch.js";
import * as viewer from "./viewer.js";

const paths = new Map(); // of images that were found, by id
const KINDS = { image: "picture", sk: "sketch", nir: "infrared", cp: "colour pencil" };
const EXAMPLES = [
  "a woman in a red coat with a black backpack",
  "a man in a white shirt and blue trousers",
  "a person in a green jacket - a hat",
];
const SLOW = 4000; // milliseconds until it is said that it takes long

let gallery = null;
let asked = nothing();
let matches = [];
let pages = 1;
let running = null;
let early = false; // whether a search was asked for before the gallery was there

// -- what is said ----------------------------------------------------------------------------

function say(...children) {
  byId("notice").replaceChildren(...children);
}

function sayCard(title, ...children) {
  results.clear();
  byId("pages").hidden = true;
  say(make("div", { class: "card" }, make("h2", {}, title), ...children));
}

function sayStart() {
  document.title = "UBG search";
  if (gallery.count === 0) {
    sayCard("This gallery has no images yet",
      make("p", {}, "Index a folder of pictures into it: ",
        make("code", {}, `ubg index FOLDER --model ${gallery.model} --gallery ${gallery.name}`)));
    return;
  }
  const examples = EXAMPLES.map((text) =>
    make("button", { type: "button", onclick: () => go({ ...nothing(), text }) }, text));
  sayCard("Who are you looking for?",
    make("p", {}, "Describe a person in a sentence, or drop a picture anywhere on this page."),
    make("div", { class: "examples" }, ...examples));
}

function sayLost() {
  document.title = "UBG search";
  const which = asked.lost === 1 ? "a picture" : `${asked.lost} pictures`;
  sayCard("The picture has to be given again",
    make("p", {}, `This search was by ${which} that this page does not have any more: an address ` +
      "does not hold pictures. Drop or choose it again, or search by what is left."));
}

function sayFailure(problem, retry) {
  const again = make("button", { type: "button", onclick: retry }, "Try again");
  say(make("div", { class: "failure", role: "alert" }, make("span", {}, problem.message), again));
}

function sayAnswer(answer) {
  if (answer.total === 0) {
    const clear = () => go({ ...asked, filter: {}, page: 1 });
    sayCard("No image passes this filter",
      make("button", { type: "button", class: "primary", onclick: clear }, "Clear filter"));
    return;
  }
  const seconds = answer.seconds < 0.1 ? "less than 0.1" : answer.seconds.toFixed(1);
  const { ranks } = gallery.limits;
  const most = answer.total > ranks ? `; the first ${count(ranks)} can be seen` : "";
  const line = `${images(answer.total)} ranked in ${seconds} s${most}`;
  const { rank, share_without_person: share } = answer.matches[0] ?? {};
  const many = rank === 1 && share !== null ? `${percent(share)} of searches` : "searches";
  const warning = make("p", { class: "warning" },
    `Perhaps nobody here fits: ${many} for people who are not there reach a best score as high. ` +
    "The nearest images follow.");
  say(...(answer.nobody_fits ? [warning] : []), make("p", {}, line));
}

// -- searching -------------------------------------------------------------------------------

// Ask, and put what is asked into the address.
function go(wanted) {
  asked = { ...wanted, lost: 0 };
  history.pushState(null, "", toHash(asked) || location.pathname);
  run();
}

async function run() {
  showAsked();
  running?.abort();
  if (asked.lost) {
    sayLost();
    return;
  }
  if (isEmpty(asked)) {
    sayStart();
    return;
  }
  const mine = (running = new AbortController());
  document.title = asked.text ? `${asked.text} · UBG search` : "UBG search";
  byId("pages").hidden = true;
  results.wait();
  say(make("p", {}, "Searching…"));
  const slow = setTimeout(() => {
    const cancel = make("button", { type: "button", class: "link", onclick: stop }, "Stop");
    say(make("p", {}, "Still searching; the server is busy. ", cancel));
  }, SLOW);
  try {
    const answer = await api.search(question(asked, gallery.limits.ranks), mine.signal);
    if (mine !== running) return;
    showAnswer(answer);
  } catch (error) {
    if (error.name === "AbortError" || mine !== running) return;
    fail(error);
  } finally {
    clearTimeout(slow);
  }
}

function stop() {
  running?.abort();
  results.clear();
  sayFailure({ message: "Stopped." }, run);
}

function fail(problem) {
  results.clear();
  matches = [];
  if (problem.status === 401) askToken(run);
  else sayFailure(problem, run);
}

function showAnswer(answer) {
  matches = answer.matches;
  for (const { image } of matches) paths.set(image.id, image.path);
  results.show(matches, { open: openAt, like: moreLike });
  sayAnswer(answer);
  pages = Math.max(1, Math.ceil(Math.min(answer.total, gallery.limits.ranks) / PER_PAGE));
  byId("pages").hidden = answer.total === 0;
  byId("place").textContent = `Page ${count(asked.page)} of ${count(pages)}`;
  byId("previous").disabled = asked.page <= 1;
  byId("next").disabled = asked.page >= pages;
}

function showAsked() {
  byId("text").value = asked.text;
  filters.show(asked.filter);
  showChips();
}

function turn(by) {
  const page = asked.page + by;
  if (byId("pages").hidden || page < 1 || page > pages) return;
  go({ ...asked, page });
  scrollTo({ top: 0 });
}

function moreLike(id) {
  byId("viewer").close();
  go({ ...nothing(), filter: asked.filter, like: [id] });
  scrollTo({ top: 0 });
}

function openAt(place) {
  viewer.open(matches, place, results.focus);
}

// -- pictures of the query -------------------------------------------------------------------

function showChips() {
  const likes = asked.like.map((id) =>
    chip(`/api/images/${id}/thumbnail`, `like ${paths.get(id) ?? `image ${id}`}`, null,
      { like: asked.like.filter((other) => other !== id) }));
  const given = asked.pictures.map((picture) =>
    chip(picture.preview, picture.name, picture,
      { pictures: asked.pictures.filter((other) => other !== picture) }));
  byId("chips").replaceChildren(...likes, ...given);
  byId("chips").hidden = likes.length + given.length === 0;
}

function chip(preview, name, picture, without) {
  const item = make("li", {}, make("img", { src: preview, alt: "" }),
    make("span", { class: "name", title: name }, name));
  if (picture && gallery.kinds.length > 1) item.append(kindMenu(picture));
  item.append(make("button", {
    type: "button", class: "quiet", "aria-label": `Leave out ${name}`, title: "Leave out",
    onclick: () => go({ ...asked, ...without, page: 1 }),
  }, "×"));
  return item;
}

function kindMenu(picture) {
  const options = gallery.kinds.map((kind) =>
    make("option", { value: kind, selected: kind === picture.kind }, KINDS[kind]));
  const menu = make("select", { "aria-label": `${picture.name} is a` }, ...options);
  menu.addEventListener("change", () => {
    const changed = keep({ ...picture, kind: menu.value });
    const all = asked.pictures.map((other) => (other === picture ? changed : other));
    go({ ...asked, pictures: all, page: 1 });
  });
  return menu;
}

async function take(files, kind = "image") {
  try {
    const { images: most, image_bytes: room } = gallery.limits;
    const all = [...asked.pictures, ...files];
    const megabytes = Math.floor(room / 2 ** 20);
    if (all.length > most) throw new Error(`A query takes ${most} pictures at most.`);
    if (all.reduce((sum, { size }) => sum + size, 0) > room) {
      throw new Error(`The pictures of a query have ${megabytes} MB together at most; give smaller ones.`);
    }
    const read = await Promise.all(files.map((file) => pictures.read(file)));
    const added = read.map((picture) => keep({ ...picture, kind }));
    const text = byId("text").value;
    go({ ...asked, text, pictures: [...asked.pictures, ...added], page: 1 });
  } catch (error) {
    sayFailure(error, run);
  }
}

// -- the token -------------------------------------------------------------------------------

function askToken(then) {
  results.clear();
  say();
  byId("login-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await api.openSession(byId("token").value.trim());
      byId("login").close();
      byId("token").value = byId("login-fault").textContent = "";
      then();
    } catch (problem) {
      byId("login-fault").textContent = problem.message;
    }
  };
  if (!byId("login").open) byId("login").showModal();
}

// A link with the token, as the server prints it: it is taken out of the address at once.
async function takeTokenOfAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  await api.openSession(token).catch(() => {});
}

// -- start -----------------------------------------------------------------------------------

async function start() {
  await takeTokenOfAddress();
  try {
    gallery = await api.gallery();
  } catch (problem) {
    if (problem.status === 401) {
      askToken(start);
    } else {
      const again = make("button", { type: "button", class: "primary", onclick: start }, "Try again");
      sayCard("The gallery cannot be opened", make("p", { role: "alert" }, problem.message), again);
    }
    return;
  }
  showGallery();
  asked = fromHash(location.hash);
  // What was written before the gallery was there is not lost.
  const text = byId("text").value;
  if (early) {
    go({ ...asked, text, page: 1 });
    return;
  }
  run();
  if (isEmpty(asked)) byId("text").value = text;
}

function showGallery() {
  const parts = [`${images(gallery.count)} in ${gallery.name}`];
  byId("summary").replaceChildren(...parts);
  if (gallery.faults) {
    const files = gallery.faults === 1 ? "1 file" : `${count(gallery.faults)} files`;
    const tell = make("button", { type: "button", class: "link", onclick: showFaults }, `${files} left out`);
    byId("summary").append(" · ", tell);
  }
  byId("sketch-button").hidden = !gallery.kinds.includes("sk");
  byId("text").maxLength = gallery.limits.text;
  filters.offer(gallery);
}

async function showFaults() {
  try {
    const faults = await api.faults();
    byId("faults-list").replaceChildren(...faults.flatMap(({ path, reason }) =>
      [make("dt", {}, path), make("dd", {}, reason)]));
    byId("faults").showModal();
  } catch (problem) {
    sayFailure(problem, showFaults);
  }
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if (gallery) go({ ...asked, text: byId("text").value, page: 1 });
  else early = true;
});
byId("home").addEventListener("click", (event) => {
  event.preventDefault();
  if (gallery) go(nothing());
  byId("text").focus();
});
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("viewer-like").addEventListener("click", () => moreLike(viewer.current().image.id));
byId("keys-button").addEventListener("click", () => byId("keys").showModal());
filters.listen((filter) => gallery && go({ ...asked, text: byId("text").value, filter, page: 1 }));
pictures.listen((files) => gallery && take(files));
sketch.listen((file) => take([file], "sk"));
addEventListener("popstate", () => {
  if (!gallery) return;
  asked = fromHash(location.hash);
  run();
});

const KEYS = {
  "/": () => {
    byId("text").focus();
    byId("text").select();
  },
  "?": () => byId("keys").showModal(),
  f: () => filters.toggle(),
  n: () => turn(1),
  p: () => turn(-1),
  m: () => {
    const match = viewer.current() ?? matches[results.focused()];
    if (match) moreLike(match.image.id);
  },
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !gallery) return;
  const writes = event.target.closest?.("input, select, textarea");
  if (event.key === "ArrowDown" && event.target === byId("text") && matches.length) {
    event.preventDefault();
    results.focus(0);
  }
  if (writes || (document.querySelector("dialog[open]") && event.key !== "m")) return;
  if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

start();
