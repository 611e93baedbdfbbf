// What is asked: it stands in the address behind `#`, so that Back and bookmarks work and no
// server log has it. Pictures that were dropped live as long as the page does.

export const PER_PAGE = 24;
const LISTS = ["cameras", "tags", "folders"];
const SINGLE = ["path", "captured_from", "captured_to", "min_height"];
const LOADED = Date.now().toString(36); // ids of another load of the page are not taken for ours
const dropped = new Map();

// `lost` counts pictures that the address names and the page does not have any more.
export const nothing = () => ({ text: "", like: [], pictures: [], lost: 0, filter: {}, page: 1 });

export const isEmpty = (asked) =>
  !asked.text.trim() && asked.like.length + asked.pictures.length === 0;

// A picture is {id, name, kind, data, preview}; the address has its id.
export function keep(picture) {
  const kept = { ...picture, id: `${LOADED}-${dropped.size + 1}` };
  dropped.set(kept.id, kept);
  return kept;
}

export function toHash(asked) {
  const fields = new URLSearchParams();
  if (asked.text) fields.set("q", asked.text);
  for (const id of asked.like) fields.append("like", id);
  for (const picture of asked.pictures) fields.append("picture", picture.id);
  for (const name of LISTS) for (const value of asked.filter[name] ?? []) fields.append(name, value);
  for (const name of SINGLE) if (asked.filter[name]) fields.set(name, asked.filter[name]);
  if (asked.page > 1) fields.set("page", asked.page);
  const text = fields.toString();
  return text ? `#${text}` : "";
}

export function fromHash(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const filter = {};
  for (const name of LISTS) if (fields.has(name)) filter[name] = fields.getAll(name);
  for (const name of SINGLE) if (fields.has(name)) filter[name] = fields.get(name);
  if (filter.min_height) filter.min_height = Number(filter.min_height);
  const pictures = fields.getAll("picture");
  return {
    text: fields.get("q") ?? "",
    like: fields.getAll("like").map(Number).filter(Number.isSafeInteger),
    pictures: pictures.flatMap((id) => dropped.get(id) ?? []),
    lost: pictures.filter((id) => !dropped.has(id)).length,
    filter,
    page: Math.max(1, Number.parseInt(fields.get("page") ?? "1", 10) || 1),
  };
}

// `ranks` can be paged to; the last page may be shorter for it.
export function question(asked, ranks) {
  const offset = (asked.page - 1) * PER_PAGE;
  return {
    text: asked.text,
    like: asked.like,
    images: asked.pictures.map(({ data, kind }) => ({ data, kind })),
    filter: asked.filter,
    top: Math.max(1, Math.min(PER_PAGE, ranks - offset)),
    offset,
  };
}
