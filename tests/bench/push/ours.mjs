// Our side of the race, in a process of its own: the built package, as a user's provider process runs it. Arguments on
// standard input.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const { openPackage } = require("../../../dist/provider/archive/openPackage.js");
const { RegistryImages } = require("../../../dist/provider/registry/source/registryImages.js");
const { pushToAll } = require("../../../dist/provider/registry/push/push.js");
const { Registry } = require("../../../dist/provider/registry/registry.js");

// `source`: a package's path, or a list of images in another registry. `connections`: where to, all at once.
const { connections, source, cacheDir, spoolDir } = JSON.parse(await text(process.stdin));
const quiet = () => {};
/* global AbortController */
const context = {
  signal: new AbortController().signal,
  log: { progress: quiet, info: quiet, warn: quiet, debug: quiet },
};
const registries = connections.map((connection) => new Registry(connection, context));
await Promise.all(registries.map((registry) => registry.ping()));
const pkg =
  typeof source === "string"
    ? await openPackage(source, { cacheDir, spoolDir, readSoon: true })
    : await RegistryImages.open(source, context);
const targets = registries.map((registry) => ({ registry }));
const outcomes = await pushToAll(pkg, targets, { context });
await pkg.close();
await Promise.all(registries.map((registry) => registry.close()));
const failures = outcomes.flatMap(({ error, result }) => error ?? result.failures.map((failure) => failure.error));
if (failures.length > 0) {
  throw failures[0];
}
const [{ result }] = outcomes;
console.log(
  JSON.stringify({
    stats: result.stats,
    digests: Object.fromEntries(result.images.map((image) => [image.source, image.digest])),
  }),
);
