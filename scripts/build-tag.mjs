// Builds app/tag/built/: the library, and the parts that it loads. `node scripts/build-tag.mjs [folder]`
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

mkdirSync(built, { recursive: true });
for (const name of readdirSync(built)) rmSync(join(built, name));
/** Writes a file whose name says what is in it. */
function write(name, contents) {
  const hashed = `${name}-${createHash("sha256").update(contents).digest("hex").slice(0, 16)}.js`;
  writeFileSync(join(built, hashed), contents);
  return hashed;
}
const parts = write("resonate-parts", bundle("parts.js", { WHOLE: "true" }));
const library = (whole) => bundle("core.js", { PARTS: JSON.stringify(parts), VERSION: JSON.stringify(version), WHOLE: `${whole}` });
write("resonate", library(true));
// What follows a payload that neither asks about visitors nor changes pages.
writeFileSync(join(built, "library.js"), library(false));
