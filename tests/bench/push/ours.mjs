// Our side of the race, in a process of its own: the built package, as a user's provider process runs it. Arguments on
// standard input.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const { openPackage } = require("../../../dist/provider/archive/openPackage.js");
const { RegistryImages } = require("../../../dist/provider/registry/source/registryImages.js");
const { pushPackage } = require("../../../dist/provider/registry/push/push.js");
const { Registry } = require("../../../dist/provider/registry/registry.js");

// `source`: a package's path, or a list of images in another registry.
const { connection, source, cacheDir, spoolDir } = JSON.parse(await text(process.stdin));
const quiet = () => {};
/* global AbortController */
const context = {
  signal: new AbortController().signal,
  log: { progress: quiet, info: quiet, warn: quiet, debug: quiet },
};
const registry = new Registry(connection, context);
await registry.ping();
const pkg =
  typeof source === "string"
    ? await openPackage(source, { cacheDir, spoolDir, readSoon: true })
    : await RegistryImages.open(source, context);
const result = await pushPackage(pkg, registry, { context });
await pkg.close();
await registry.close();
if (result.failures.length > 0) {
  throw result.failures[0].error;
}
console.log(
  JSON.stringify({
    stats: result.stats,
    digests: Object.fromEntries(result.images.map((image) => [image.source, image.digest])),
  }),
);
