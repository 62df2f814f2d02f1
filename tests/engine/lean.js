// Loaded first in every program and provider of the tests' stacks. Pulumi's SDK spends half of a start on what few of
// them use: TypeScript, for a TypeScript program and for functions in the state; a package.json's licence, for the
// latter; the automation API and components for other languages; and the source maps of its own files, for stack traces
// of promises that nobody looks at. Here that is loaded when it is first used, or left out: a stack trace then names
// the compiled file.
const Module = require("node:module");

const load = Module._load;

/** What is left out of the SDK's index. */
const leftOut = new Set(["./automation", "./provider"]);

Module._load = function (request, parent, isMain) {
  const from = parent?.filename?.split(/@pulumi[/\\]pulumi[/\\]/)[1];
  const now = () => load.call(this, request, parent, isMain);
  if (from === undefined) {
    return now();
  }
  if (request === "source-map-support/register" || (from === "index.js" && leftOut.has(request))) {
    return {};
  }
  return request === "normalize-package-data" || (request === "typescript" && from === "typescript-shim.js")
    ? whenUsed(now)
    : now();
};

function whenUsed(load) {
  let loaded;
  const real = () => (loaded ??= load());
  return new Proxy(function () {}, {
    apply: (_, self, args) => Reflect.apply(real(), self, args),
    get: (_, name) => (name === "__esModule" ? undefined : real()[name]),
    has: (_, name) => name in real(),
  });
}
