// The second file: parts of the tag that are loaded where a page uses them. Each is given the core and may answer a promise.

import * as changes from "./changes.js";
import * as datalayer from "./datalayer.js";
import * as debug from "./debug.js";
import { extras } from "./extras.js";
import * as left from "./left.js";
import * as people from "./people.js";
import * as preview from "./preview.js";
import * as products from "./products.js";
import * as redirects from "./redirects.js";
import * as stream from "./stream.js";
import * as surveys from "./surveys.js";

const PARTS_OF_THE_TAG = [people, left, datalayer, redirects, changes, products, surveys, debug, stream];

window.resonate._.begin(async (core) => {
  extras(core);
  await preview.start(core); // what is tried out is what the others find decided
  return Promise.all(PARTS_OF_THE_TAG.map((part) => part.start(core)));
});
