// The second file: parts of the tag that are loaded where a page uses them. Each is given the core and may answer a promise.

import * as changes from "./changes.js";
import * as debug from "./debug.js";
import * as preview from "./preview.js";
import * as products from "./products.js";

const PARTS_OF_THE_TAG = [changes, products, debug];

window.resonate?._?.(async (core) => {
  await preview.start(core); // what is tried out is what the others find decided
  await Promise.all(PARTS_OF_THE_TAG.map((part) => part.start(core)));
});
