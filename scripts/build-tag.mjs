// Builds app/tag/built/: the library with and without what fetches the payload, the parts it loads, and the types. `node scripts/build-tag.mjs [folder]`
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

const root = join(import.meta.dirname, "..");
const source = join(root, "app/tag/source");
const built = process.argv[2] ?? join(root, "app/tag/built");
const version = /^version = "(.*)"/m.exec(readFileSync(join(root, "pyproject.toml"), "utf8"))[1];

function bundle(entry, define) {
  const { outputFiles } = buildSync({
    entryPoints: [join(source, entry)], bundle: true, minify: true, format: "iife", target: "es2022", write: false,
    charset: "utf8", legalComments: "none", define,
  });
  return outputFiles[0].contents;
}
const hashed = (name, contents) => `${name}-${createHash("sha256").update(contents).digest("hex").slice(0, 16)}.js`;

mkdirSync(built, { recursive: true });
for (const name of readdirSync(built)) rmSync(join(built, name));
const parts = bundle("parts.js", { BARE: "false", WHOLE: "false" });
const partsName = hashed("resonate-parts", parts);
const library = (bare, whole) =>
  bundle("core.js", { PARTS: JSON.stringify(partsName), VERSION: JSON.stringify(version), BARE: `${bare}`, WHOLE: `${whole}` });
writeFileSync(join(built, partsName), parts);
// What follows the payload in /resonate.js: where that fills slots alone, and where it asks about visitors or changes pages.
writeFileSync(join(built, "library.js"), library(false, false));
writeFileSync(join(built, "library-whole.js"), library(false, true));
writeFileSync(join(built, hashed("resonate", library(true, true))), library(true, true));
writeFileSync(join(built, "resonate.d.ts"), readFileSync(join(source, "resonate.d.ts")));
