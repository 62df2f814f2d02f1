import assert from "node:assert/strict";
import { join, sep } from "node:path";

import { framesOfProgram } from "../../../sdk/stackFrames";

const own = join(sep, "p", "node_modules", "pulumi-registry-mirror", "dist", "sdk");
const base = join(own, "resource.js");

/** A frame as V8 hands it over, as far as it is read. */
function frame(file: string | undefined, text: string): NodeJS.CallSite {
  return { getFileName: () => file, toString: () => text } as unknown as NodeJS.CallSite;
}

const written = (frames: NodeJS.CallSite[], prepare?: (error: Error, frames: NodeJS.CallSite[]) => string): string[] =>
  String(framesOfProgram(prepare, base)(new Error("x"), frames)).split("\n");

describe("where a resource was declared", () => {
  const program = join(sep, "p", "index.js");
  const pulumi = join(sep, "p", "node_modules", "@pulumi", "pulumi", "resource.js");
  const frames = [
    frame(pulumi, `new CustomResource (${pulumi}:2:2)`),
    frame(base, `new MirrorResource (${base}:3:3)`),
    frame(join(own, "node", "nodeContainerd.js"), "new NodeContainerd (…)"),
    frame(undefined, "Array.map (<anonymous>)"),
    frame(program, `${program}:10:24`),
    frame("node:internal/modules/cjs/loader", "Module._compile (node:internal/modules/cjs/loader:1:1)"),
    frame(join(sep, "p", "node_modules", "@pulumi", "pulumi", "cmd", "run", "run.js"), "run (…)"),
  ];

  it("is a line of the program: what lies between it and our base class is left out, what Pulumi skips stays", () => {
    assert.deepEqual(written(frames), [
      "Error: x",
      `    at new CustomResource (${pulumi}:2:2)`,
      `    at new MirrorResource (${base}:3:3)`,
      `    at <anonymous> (${program}:10:24)`,
    ]);
  });

  it("source maps go on working: the program's own way to write a stack gets the frames that stay", () => {
    const prepare = (error: Error, kept: NodeJS.CallSite[]): string => `${error.message} ${kept.length}`;
    assert.deepEqual(written(frames, prepare), ["x 3"]);
  });

  it("the stack of an error elsewhere keeps the program's frames", () => {
    assert.deepEqual(written([frame(program, `work (${program}:1:1)`)]), ["Error: x", `    at work (${program}:1:1)`]);
  });
});
