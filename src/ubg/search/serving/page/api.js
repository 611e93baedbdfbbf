// The API: one function a request; what goes wrong is a Problem whose message can be shown.

export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is it still running?", 0);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw new Problem(answer?.error ?? `The server answered ${response.status}.`, response.status);
}

function post(address, message, signal) {
  const headers = { "content-type": "application/json" };
  return ask(address, { method: "POST", headers, body: JSON.stringify(message), signal });
}

export const gallery = () => ask("/api/gallery");
export const faults = () => ask("/api/faults");
export const image = (id) => ask(`/api/images/${id}`);
export const search = (question, signal) => post("/api/search", question, signal);
export const openSession = (token) => post("/api/session", { token });
