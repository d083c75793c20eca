// The module's memory, and its input and output.
import { ApikeeError, failure, tooLong } from "./errors.mjs";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const RANDOM_LEN = 160;

/** The most bytes of stack that a verification uses. */
export const VERIFY_DEPTH = 2048;

/** The memory never grows, so its view stays valid. */
export class Memory {
  constructor(exports) {
    this.exports = exports;
    this.bytes = new Uint8Array(exports.memory.buffer);
    this.input = exports.input();
    this.inputLen = exports.input_len();
    this.inputEnd = this.input + this.inputLen;
    this.keyRoom = this.bytes.subarray(this.input, this.input + exports.key_room());
    this.output = exports.output();
    this.numbers = new Float64Array(exports.memory.buffer, this.output, 2);
    this.lengths = new Uint32Array(exports.memory.buffer, this.output);
    this.payload = exports.payload();
    this.payloadLen = (this.keyRoom.length >> 2) * 3;
    this.random = exports.random?.();
    // The stack is at the bottom of the memory, and is empty between calls.
    this.stack = exports.__stack_pointer.value;
  }

  /** The module's exports, if this build has this export. */
  built(name) {
    if (this.exports[name] !== undefined) return this.exports;
    throw new ApikeeError("NOT_IN_THIS_BUILD", "this build of the module does not have this function");
  }

  /**
   * Writes a key. A key that is too long is cut, but not to a valid length, so it is still refused. If the key has a
   * separator, the cut key ends with one, so that the error stays the same.
   */
  putKey(key) {
    const { read, written } = typeof key === "string" ? encoder.encodeInto(key, this.keyRoom) : this.putKeyBytes(key);
    if (read < key.length && key.includes(typeof key === "string" ? "." : 46)) this.keyRoom[written - 1] = 46;
    return written;
  }

  putKeyBytes(key) {
    const part = key.length > this.keyRoom.length ? key.subarray(0, this.keyRoom.length) : key;
    this.keyRoom.set(part);
    return { read: part.length, written: part.length };
  }

  /** Writes a string or bytes; returns their end. */
  put(value, at = this.input) {
    if (typeof value === "string") {
      const { read, written } = encoder.encodeInto(value, this.bytes.subarray(at, this.inputEnd));
      if (read < value.length) throw tooLong();
      return at + written;
    }
    if (value.length > this.inputEnd - at) throw tooLong();
    this.bytes.set(value, at);
    return at + value.length;
  }

  /** Writes several values, each after its length. */
  putAll(values) {
    let at = this.input;
    for (const value of values) {
      if (this.inputEnd - at < 4) throw tooLong();
      const end = this.put(value, at + 4);
      const len = end - at - 4;
      for (let byte = 0; byte < 4; byte++) this.bytes[at + byte] = len >>> (8 * byte);
      at = end;
    }
    return at;
  }

  text(start, end) {
    return decoder.decode(this.bytes.subarray(start, end));
  }

  /** Returns the result of a call; throws if it failed. */
  check(answer) {
    if (answer >= 0) return answer;
    throw failure(answer);
  }

  wipe(start, len) {
    this.bytes.fill(0, start, start + len);
  }

  /** Wipes the top of the stack, or all of it. */
  wipeStack(depth = this.stack) {
    this.bytes.fill(0, this.stack - depth, this.stack);
  }

  /**
   * A call with secrets: writes `random`, calls `put` to write the input, calls the module with the input's length, and
   * reads the result. Without `read`, the result is a handle, and nothing is in the output. Otherwise it is the length
   * of the output. Afterwards only the objects behind handles are left in the memory.
   */
  run({ random, put = () => this.input, call, read }) {
    let written = 0;
    try {
      if (random !== undefined) this.bytes.set(random, this.random);
      const answer = call(put() - this.input);
      if (read === undefined) return this.check(answer);
      written = Math.max(answer, 0);
      return read(this.check(answer));
    } finally {
      random?.fill(0);
      if (this.random !== undefined) this.wipe(this.random, RANDOM_LEN);
      this.bytes.fill(0, this.input, this.inputEnd);
      this.wipe(this.output, written);
      this.wipeStack();
    }
  }
}
