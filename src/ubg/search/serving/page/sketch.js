// A sketch drawn by hand, black on white.

import { byId } from "./dom.js";

const dialog = byId("sketch");
const canvas = byId("canvas");
const pen = canvas.getContext("2d");
let strokes = [];
let stroke = null;

function paint() {
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.lineCap = pen.lineJoin = "round";
  for (const { points, width, erases } of strokes) {
    pen.strokeStyle = erases ? "white" : "black";
    pen.lineWidth = width;
    pen.beginPath();
    points.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (points.length === 1) pen.lineTo(points[0][0] + 0.1, points[0][1]);
    pen.stroke();
  }
  byId("undo").disabled = byId("wipe").disabled = byId("sketch-done").disabled = !strokes.length;
}

function pointOf(event) {
  const frame = canvas.getBoundingClientRect();
  const scale = canvas.width / frame.width;
  return [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  const erases = byId("eraser").checked;
  const width = Number(byId("pen").value) * (erases ? 4 : 1);
  stroke = { points: [pointOf(event)], width, erases };
  strokes.push(stroke);
  paint();
});
canvas.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  stroke.points.push(...(event.getCoalescedEvents?.() ?? [event]).map(pointOf));
  paint();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => (stroke = null));
}
byId("undo").addEventListener("click", () => {
  strokes.pop();
  paint();
});
byId("wipe").addEventListener("click", () => {
  strokes = [];
  paint();
});

// Calls `take` with a PNG of what was drawn.
export function listen(take) {
  byId("sketch-button").addEventListener("click", () => {
    paint();
    dialog.showModal();
  });
  byId("sketch-done").addEventListener("click", () => {
    dialog.close();
    canvas.toBlob((blob) => take(new File([blob], "sketch", { type: "image/png" })), "image/png");
  });
}
