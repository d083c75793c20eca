// Tests the installed package that `npm pack` made.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

const root = path.join(process.env.PLACE, "node_modules/apikee-wasm");
const manifest = JSON.parse(readFileSync(path.join(root, "package.json")));
const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name))).sort();

test("the package has the modules, the types and the licences, but no Rust files", () => {
  for (const name of ["apikee.wasm", "apikee-verify.wasm", "apikee.d.mts", "load.d.mts", "wasm.d.mts", "LICENSE-MIT", "LICENSE-APACHE", "README.md"]) {
    assert.ok(files.includes(name), name);
  }
  for (const name of files) assert.match(name, /^(package\.json|README\.md|LICENSE-\w+|(load\/)?[\w-]+(\.d)?\.mts|(load\/)?[\w-]+\.(mjs|wasm))$/);
  assert.ok(!files.includes("bench.mjs") && !files.some((name) => name.startsWith("tests")));
});

test("every entry names a file, and every runtime has its own entry", () => {
  const targets = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(targets));
  for (const target of targets(manifest.exports)) assert.ok(existsSync(path.join(root, target)), target);
  const [first, ...conditions] = Object.keys(manifest.exports["."]);
  assert.equal(first, "types");
  assert.deepEqual(conditions, ["workerd", "deno", "browser", "node", "default"]);
  assert.equal(manifest.dependencies, undefined);
});

test("every module that a file imports exists", () => {
  for (const name of files.filter((name) => name.endsWith(".mjs"))) {
    const text = readFileSync(path.join(root, name), "utf8");
    for (const [, from] of text.matchAll(/(?:from|URL\() ?"(\.[^"]+)"/g)) {
      assert.ok(existsSync(path.join(root, path.dirname(name), from)), `${name}: ${from}`);
    }
  }
});

test("the version is the same everywhere", () => {
  const cargo = readFileSync(new URL("../Cargo.toml", import.meta.url), "utf8");
  assert.ok(cargo.includes(`version = "${manifest.version}"`));
  assert.ok(readFileSync(path.join(root, "exchange.mjs"), "utf8").includes(`"apikee-wasm/${manifest.version}"`));
});

test("no module contains the path where it was built", () => {
  for (const name of files.filter((name) => name.endsWith(".wasm"))) {
    const text = readFileSync(path.join(root, name), "latin1");
    // The compiler's own sources have names with `/rustc/...`. Remapped paths have no leading slash.
    assert.doesNotMatch(text, /(?<![\w.-])\/(?!rustc\/)[\w.-]+\/[\w./-]+\.rs/, name);
    for (const place of [process.env.HOME, process.cwd(), process.env.PLACE, process.env.CARGO_HOME, process.env.CARGO_TARGET_DIR]) {
      if (place?.length > 1) assert.ok(!text.includes(place), `${name}: ${place}`);
    }
  }
});
