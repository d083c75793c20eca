// The platform's reason for a refusal, safe for logs: like `loggable` and `Reason` in the crate.

/** The maximum length of a reason in bytes. */
const MAX_LEN = 100;

/**
 * What follows `apikee_`. It belongs to a key only if it has a dot. Two keys that follow each other directly count as
 * one.
 */
const KEY = /apikee_((?:apikee_|[0-9A-Za-z.])*)/g;
const SEPARATOR = ".";

/** A text must not contain this number of characters of a secret in a row: one more than `sk_live_` has. */
const PIECE = 9;

const ESCAPES = new Map([
  ["\0", "\\0"], ["\t", "\\t"], ["\n", "\\n"], ["\r", "\\r"], ['"', '\\"'], ["\\", "\\\\"], [" ", " "],
]);
/** Characters that are invisible, or that change what is beside them. */
const HIDDEN = /[\p{C}\p{Z}\p{Grapheme_Extend}]/u;

const encoder = new TextEncoder();

/** The keys in a text, each without `apikee_`, which all keys have in common. A caller may have written very short ones. */
export const keysIn = (text) =>
  Array.from(text.matchAll(KEY), ([, rest]) => rest).filter((rest) => rest.includes(SEPARATOR) && rest.length >= PIECE);

/** The first 12 characters of a key, or fewer if it is cut at its dot. All of the text if it is not a key. */
const shown = (all, rest) => {
  const len = rest.indexOf(SEPARATOR);
  return len < 0 ? all : `apikee_${rest.slice(0, Math.min(len, 5))}`;
};

/** The text with all keys cut to their first 12 characters. */
const withoutKeys = (text) => text.replace(KEY, shown);

/** The text before the first key, and the first 12 characters of the key: a raw key must not be sent in a URL. */
export const upToKey = (text) => {
  for (const match of text.matchAll(KEY)) {
    const [all, rest] = match;
    if (rest.includes(SEPARATOR)) return text.slice(0, match.index) + shown(all, rest);
  }
  return text;
};

/** The start of a text: as many characters as fit, each as `spelt` writes it. */
function start(text, spelt = (c) => c) {
  let [front, len] = ["", 0];
  for (const c of text) {
    const spelling = spelt(c);
    len += encoder.encode(spelling).length;
    if (len > MAX_LEN) break;
    front += spelling;
  }
  return front;
}

/** Whether a text contains a piece of a secret, or all of a shorter one. */
function repeats(text, secret) {
  const len = Math.min(secret.length, PIECE);
  for (let at = 0; at + len <= text.length; at++) if (secret.includes(text.slice(at, at + len))) return true;
  return false;
}

/** A character as the crate's `Reason` writes it. */
const escaped = (c) => ESCAPES.get(c) ?? (HIDDEN.test(c) ? `\\u{${c.codePointAt(0).toString(16)}}` : c);

/**
 * The reason that consists of these texts of the platform; undefined if it is empty. The platform may repeat what it
 * has received, so keys are cut, and a text with a part of a secret is left out.
 */
export function reasonOf(texts, secrets) {
  // Keys first: a key that is cut within its payload does not look like one.
  const parts = texts.filter((text) => text !== undefined).map((text) => start(withoutKeys(text)));
  const loggable = parts.filter((part) => !secrets.some((secret) => repeats(part, secret)));
  return start(loggable.join(": "), escaped) || undefined;
}
