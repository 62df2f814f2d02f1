import { isMapping } from "../model/mapping";
import type { ImagePath, ImageStep } from "./imagePath";
import type { FieldPath } from "./manifest";
import { fieldOf } from "./manifest";

/** What a path came to: an image's value, whatever it is, or a thing that has no such field. */
export type WalkStop = { path: FieldPath; value: unknown } | { path: FieldPath; wanted: "a list" | "a mapping" };

/**
 * All that a path leads to in a document. What is not there, null or empty is passed over.
 *
 * @param pass Called for every step, so that aliases of aliases end.
 */
export function* walk(root: unknown, { steps }: ImagePath, pass: () => void): Generator<WalkStop> {
  yield* walkOn(root, steps, [], pass);
}

function* walkOn(value: unknown, steps: readonly ImageStep[], path: FieldPath, pass: () => void): Generator<WalkStop> {
  pass();
  if (value === undefined || value === null || value === "") {
    return;
  }
  const [step, ...rest] = steps;
  if (step === undefined) {
    yield { path, value };
  } else if (step === "each entry") {
    if (!Array.isArray(value)) {
      yield { path, wanted: "a list" };
      return;
    }
    for (const [at, entry] of value.entries()) {
      yield* walkOn(entry, rest, [...path, at], pass);
    }
  } else if (!isMapping(value)) {
    yield { path, wanted: "a mapping" };
  } else {
    for (const name of step === "each field" ? Object.keys(value) : [step.field]) {
      yield* walkOn(fieldOf(value, name), rest, [...path, name], pass);
    }
  }
}
