// Who allows a voice: the part of a form that asks, and the words for what was said.

import { $, Refused } from "./dom.js";

/** Puts the questions into a form's `fieldset.consent`. */
export function addConsent(form) {
  const fieldset = form.querySelector(".consent");
  fieldset.append($("consent-fields").content.cloneNode(true));
  const granted = fieldset.querySelector(".granted");
  const follow = () => (granted.hidden = form.elements.kind.value !== "CONSENT_KIND_GRANTED");
  fieldset.addEventListener("change", follow);
  form.addEventListener("reset", () => setTimeout(follow));
}

/** The answer. Throws `Refused` where there is none. */
export function consentIn(form) {
  const { kind, holder, scope, statement, expires } = form.elements;
  if (!kind.value) throw new Refused("Say whose voice it is.");
  if (kind.value !== "CONSENT_KIND_GRANTED") return { kind: kind.value };
  if (!holder.value.trim() || !scope.value.trim() || !statement.value.trim()) {
    throw new Refused("Consent needs a name, what the voice may be used for, and what was agreed.");
  }
  return {
    kind: kind.value,
    holder: holder.value.trim(),
    scope: scope.value.trim(),
    statement: statement.value.trim(),
    // To the end of that day, where this person is.
    ...(expires.value ? { expireTime: { seconds: Math.floor(new Date(`${expires.value}T23:59:59`) / 1000), nanos: 0 } } : {}),
  };
}

export function consentText(consent) {
  if (!consent) return "No consent record of its own.";
  const day = (time) => new Date(Number(time.seconds) * 1000).toLocaleDateString();
  if (consent.revokeTime) return `Consent was revoked on ${day(consent.revokeTime)}: this voice does not speak.`;
  const until = consent.expireTime ? ` until ${day(consent.expireTime)}` : "";
  if (consent.kind === "CONSENT_KIND_GRANTED") return `${consent.holder} agreed${until}: “${consent.statement}” For ${consent.scope}.`;
  if (consent.kind === "CONSENT_KIND_OWN_VOICE") return "Declared as the voice of who made it.";
  return "Declared as nobody's voice: synthetic.";
}
