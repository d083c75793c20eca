// Loads the module, and explains why it cannot be loaded.
import { foreign, isBytes, isLate, isModule } from "./checks.mjs";
import { ApikeeError, invalid } from "./errors.mjs";

const failed = (why, cause) => new ApikeeError("LOAD_FAILED", why, cause);

/** Matches the errors of V8, SpiderMonkey and JavaScriptCore for code that a page or an edge runtime blocks. */
const BLOCKED = /content security policy|unsafe-eval|\bcsp\b|disallowed by embedder/i;

function refused(cause) {
  if (!BLOCKED.test(cause?.message)) return failed("the bytes are not a WebAssembly module that this runtime can run", cause);
  return new ApikeeError(
    "WASM_BLOCKED",
    "WebAssembly is blocked: add 'wasm-unsafe-eval' to script-src of the content security policy; in a Worker, import the module",
    cause,
  );
}

function checked(given) {
  if (typeof WebAssembly !== "object") throw failed("this runtime has no WebAssembly");
  if (isModule(given) || isBytes(given)) return given;
  foreign(() => isLate(given), "a module");
  throw invalid("a module must be a WebAssembly.Module, its bytes, or a response with them");
}

/** Bytes in a form that all engines compile: V8 does not accept a `DataView`. */
const bytesOf = (given) =>
  ArrayBuffer.isView(given) ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength) : given;

/** The exports of an instance, if it is our module. */
function exportsOf(instance) {
  const { exports } = instance;
  if (typeof exports.verify === "function" && exports.memory !== undefined) return exports;
  throw failed("the module is not Apikee's");
}

/** The bytes in a response of this or another realm. */
async function received(given) {
  if (typeof given?.arrayBuffer !== "function") return given;
  // A `Blob` has no status.
  if (given.ok === false) throw failed(`the module was not found: the response has status ${Number(given.status)}`);
  return given.arrayBuffer();
}

/** The exports of a new instance. */
export async function started(source) {
  let given;
  try {
    given = await received(await source);
  } catch (cause) {
    throw cause instanceof ApikeeError ? cause : failed("the module could not be read", cause);
  }
  checked(given);
  let instance;
  try {
    instance = await WebAssembly.instantiate(isModule(given) ? given : await WebAssembly.compile(bytesOf(given)), {});
  } catch (cause) {
    throw refused(cause);
  }
  return exportsOf(instance);
}

/** The same, synchronously. */
export function startedSync(source) {
  checked(source);
  let instance;
  try {
    instance = new WebAssembly.Instance(isModule(source) ? source : new WebAssembly.Module(bytesOf(source)), {});
  } catch (cause) {
    throw refused(cause);
  }
  return exportsOf(instance);
}
