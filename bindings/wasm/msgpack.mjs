// Reads the `meta` of a key in MessagePack. The module has already checked it: one well-formed map of limited depth,
// with strings as names, and without duplicate names.

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The first value in the bytes. Integers become numbers, as in `JSON.parse`. Binary data becomes a `Uint8Array`. */
export function readMessagePack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (len) => ((at += len), at - len);
  const uint = (size) => {
    const start = take(size);
    if (size === 8) return Number(view.getBigUint64(start));
    return size === 4 ? view.getUint32(start) : size === 2 ? view.getUint16(start) : view.getUint8(start);
  };
  const int = (size) => {
    const start = take(size);
    if (size === 8) return Number(view.getBigInt64(start));
    return size === 4 ? view.getInt32(start) : size === 2 ? view.getInt16(start) : view.getInt8(start);
  };
  const data = (len) => bytes.slice(take(len), at);
  const string = (len) => decoder.decode(bytes.subarray(take(len), at));
  const array = (len) => Array.from({ length: len }, value);
  const map = (len) => {
    const object = {};
    for (let member = 0; member < len; member++) {
      const name = value();
      // Not an assignment, because that would treat "__proto__" specially.
      Object.defineProperty(object, name, { value: value(), writable: true, enumerable: true, configurable: true });
    }
    return object;
  };
  const extension = (len) => ({ type: int(1), data: data(len) });

  function value() {
    const tag = uint(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag & 0x0f);
    if (tag < 0xa0) return array(tag & 0x0f);
    if (tag < 0xc0) return string(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return data(uint(1 << (tag - 0xc4)));
      case 0xc7: case 0xc8: case 0xc9: return extension(uint(1 << (tag - 0xc7)));
      case 0xca: return view.getFloat32(take(4));
      case 0xcb: return view.getFloat64(take(8));
      case 0xcc: case 0xcd: case 0xce: case 0xcf: return uint(1 << (tag - 0xcc));
      case 0xd0: case 0xd1: case 0xd2: case 0xd3: return int(1 << (tag - 0xd0));
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return extension(1 << (tag - 0xd4));
      case 0xd9: case 0xda: case 0xdb: return string(uint(1 << (tag - 0xd9)));
      case 0xdc: case 0xdd: return array(uint(2 << (tag - 0xdc)));
      case 0xde: case 0xdf: return map(uint(2 << (tag - 0xde)));
      default: throw new RangeError("not MessagePack");
    }
  }
  return value();
}
