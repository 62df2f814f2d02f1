import { dirname, sep } from "node:path";

type PrepareStackTrace = (error: Error, frames: NodeJS.CallSite[]) => unknown;

/** V8's own way to write a stack, for a program in which nobody has set another. */
function standard(error: Error, frames: NodeJS.CallSite[]): string {
  // eslint-disable-next-line @typescript-eslint/no-base-to-string -- a CallSite has a text; its type does not say so
  return [String(error), ...frames.map((frame) => `    at ${frame.toString()}`)].join("\n");
}

/** `    at FILE:LINE:COLUMN`: the top of a program, or an arrow function. Pulumi reads places in parentheses only. */
const frameWithoutFunction = /^(\s+at )(?:async )?([^\s(][^(\n]*:\d+:\d+)$/gm;

/**
 * A way to write stacks that leaves out the frames between a resource's constructor and the program: ours, Pulumi's and
 * Node's.
 *
 * Pulumi keeps the stack of each registration in the state (`sourcePosition`, `stackTrace`), shows its first frame as
 * the place where the resource was declared, and skips only its own. Without this the place is a file of this package,
 * and with it a line of the program; the state of a node is a tenth smaller.
 *
 * @param prepare how stacks are written so far; it goes on doing so (source maps of a TypeScript program)
 * @param constructorFile the file of the base class whose constructor Pulumi takes for the resource's own
 */
export function framesOfProgram(prepare: PrepareStackTrace | undefined, constructorFile: string): PrepareStackTrace {
  const own = `${dirname(constructorFile)}${sep}`;
  const isOfProgram = (frame: NodeJS.CallSite): boolean => {
    const file = frame.getFileName() ?? "node:";
    return !file.startsWith("node:") && !file.startsWith(own) && !/[\\/]@pulumi[\\/]pulumi[\\/]/.test(file);
  };
  return (error, frames) => {
    const constructed = frames.findIndex((frame) => frame.getFileName() === constructorFile) + 1;
    const kept = [...frames.slice(0, constructed), ...frames.slice(constructed).filter(isOfProgram)];
    const stack = (prepare ?? standard)(error, kept);
    return typeof stack === "string" ? stack.replaceAll(frameWithoutFunction, "$1<anonymous> ($2)") : stack;
  };
}
