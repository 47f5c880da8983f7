// The second file: parts of the tag that are loaded where a page uses them. Each is given the core and may answer a promise.
import * as datalayer from "./datalayer.js";

const PARTS_OF_THE_TAG = [datalayer];

window.resonate?._?.((core) => Promise.all(PARTS_OF_THE_TAG.map((part) => part.start(core))));
