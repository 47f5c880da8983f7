// The second file: parts of the tag that are loaded where a page uses them. Each is given the core and may answer a promise.

import { extras } from "./extras.js";
import * as gtag from "./gtag.js";
import * as people from "./people.js";
import * as redirects from "./redirects.js";
import * as stream from "./stream.js";

const PARTS_OF_THE_TAG = [people, gtag, redirects, stream];

window.resonate._.begin((core) => {
  extras(core);
  return Promise.all(PARTS_OF_THE_TAG.map((part) => part.start(core)));
});
