// Small helpers for the page: finding, making, saying, asking.

import { ServiceError } from "../kani-npc/index.js";

export const $ = (id) => document.getElementById(id);

/** `el("td", { className: "x" }, "text", child)`; attributes that no property has begin with aria- or data-. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria|data)-/.test(name) || name === "list") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

let silence;

/** A line at the foot of the page, which screen readers say too. */
export function tell(text, isBad = false) {
  clearTimeout(silence);
  $("status").className = isBad ? "bad" : "";
  $("status").textContent = text;
  silence = setTimeout(() => ($("status").textContent = ""), isBad ? 12_000 : 5_000);
}

/** What went wrong, in words for a person. */
export function reasonOf(error) {
  if (error instanceof ServiceError || error instanceof DOMException) return error.message;
  console.error(error);
  return "something in this page went wrong; its console says more";
}

/** Runs `work`; what it throws is told. `buttons` wait. */
export async function doing(work, ...buttons) {
  for (const button of buttons) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    if (error?.status !== "CANCELLED") tell(reasonOf(error), true);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

/** Asks before what cannot be undone. */
export function confirmed(question, verb) {
  const dialog = $("confirm");
  $("confirm-text").textContent = question;
  $("confirm-ok").textContent = verb;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
  });
}

/**
 * A dialog with a form: `fill(form)` before it opens; `send(form)` when it is sent, after which it closes unless that
 * throws, which is then said in the form. `closed` runs however it ends.
 */
export function formDialog(id, { fill, send, closed = () => {} }) {
  const dialog = $(id), form = dialog.querySelector("form"), fault = form.querySelector(".error");
  const submit = form.querySelector("button[value=ok]"), label = submit.textContent;
  form.querySelector(".cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", closed);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fault.textContent = "";
    submit.disabled = true;
    submit.textContent = "One moment…";
    try {
      await send(form);
      dialog.close();
    } catch (error) {
      fault.textContent = error instanceof Refused ? error.message : reasonOf(error);
    } finally {
      submit.disabled = false;
      submit.textContent = label;
    }
  });
  return {
    open(given) {
      form.reset();
      fault.textContent = "";
      fill(form, given);
      dialog.showModal();
    },
  };
}

/** What this page itself has against a form. */
export class Refused extends Error {}

/** An id of a name, for as long as nobody has typed one. */
export function suggestId(form) {
  const { displayName, id } = form.elements;
  let isTyped = false;
  id.addEventListener("input", () => (isTyped = id.value !== ""));
  form.addEventListener("reset", () => (isTyped = false));
  displayName.addEventListener("input", () => {
    if (isTyped || id.readOnly) return;
    id.value = displayName.value.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "")
      .replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 63);
  });
}

export function fillSelect(select, options, chosen = "") {
  select.replaceChildren(...options.map(([value, text]) => el("option", { value, textContent: text })));
  select.value = chosen;
}

export function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([bytes]));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}
