// The filter: menus of what the gallery has, and what of it is chosen.

import { byId, make } from "./dom.js";

const LISTS = { cameras: "cameras", tags: "tags", folders: "folders" };
const SINGLE = {
  path: "path", captured_from: "captured-from", captured_to: "captured-to", min_height: "min-height",
};

export function offer(gallery) {
  for (const [name, id] of Object.entries(LISTS)) {
    const values = gallery[name];
    byId(id).replaceChildren(...values.map((value) => make("option", { value }, value)));
    // Of one folder there is nothing to choose.
    byId(`${id}-label`).hidden = values.length <= (name === "folders" ? 1 : 0);
  }
}

export function chosen() {
  const filter = {};
  for (const [name, id] of Object.entries(LISTS)) {
    const values = [...byId(id).selectedOptions].map((option) => option.value);
    if (values.length) filter[name] = values;
  }
  for (const [name, id] of Object.entries(SINGLE)) {
    const value = byId(id).value.trim();
    if (value) filter[name] = name === "min_height" ? Number(value) : value;
  }
  return filter;
}

export function show(filter) {
  for (const [name, id] of Object.entries(LISTS)) {
    for (const option of byId(id).options) option.selected = !!filter[name]?.includes(option.value);
  }
  for (const [name, id] of Object.entries(SINGLE)) byId(id).value = filter[name] ?? "";
  const number = Object.keys(filter).length;
  byId("filter-count").textContent = number || "";
  byId("filter-count").hidden = !number;
}

export function toggle(visible = byId("filter").hidden) {
  byId("filter").hidden = !visible;
  byId("filter-button").setAttribute("aria-expanded", String(visible));
}

// Calls `changed` with the filter whenever another one is chosen.
export function listen(changed) {
  byId("filter-button").addEventListener("click", () => toggle());
  byId("filter").addEventListener("change", () => changed(chosen()));
  byId("filter-clear").addEventListener("click", () => changed({}));
}
