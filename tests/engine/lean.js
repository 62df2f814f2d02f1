// Loaded first in every program and provider of the tests' stacks. Pulumi's SDK spends a third of a start on two things
// that few of them use: TypeScript, which it needs for a TypeScript program and to serialize a function, and the source
// maps of its own files, which it reads to make stack traces of promises that nobody looks at. TypeScript is loaded
// when it is first used; a stack trace names the compiled files.
const Module = require("node:module");

const load = Module._load;

Module._load = function (request, parent, isMain) {
  if (request === "source-map-support/register") {
    return {};
  }
  if (request === "typescript" && parent?.filename.endsWith("typescript-shim.js")) {
    return whenUsed(() => load.call(this, request, parent, isMain));
  }
  return load.call(this, request, parent, isMain);
};

function whenUsed(make) {
  let made;
  return new Proxy(Object.create(null), {
    get: (_, name) => (made ??= make())[name],
    has: (_, name) => name in (made ??= make()),
  });
}
