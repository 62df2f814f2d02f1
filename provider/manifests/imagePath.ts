/** The way to images in documents of a kind: a step is a field's name, or every entry of a list. */
export interface ImagePath {
  /** As it is written. */
  text: string;
  steps: readonly ImageStep[];
  /** That documents may have nothing there. */
  optional: boolean;
}

export type ImageStep = { field: string } | "each entry" | "each field";

/** One step, from where the last one ended: `.name`, `["any name"]`, `[]` or `.*`. */
const stepForm = /(?:\.(?<name>[A-Za-z0-9_-]+)|\[(?<quoted>"(?:[^"\\]|\\.)*")\]|(?<entries>\[\])|(?<fields>\.\*))/y;

/**
 * Reads `spec.image`, `spec.sidecars[].image`, `spec.components.*.image`, `metadata.annotations["example.com/image"]`;
 * with a `?` at its end it may find nothing. Undefined for anything else.
 */
export function parseImagePath(text: string): ImagePath | undefined {
  const optional = text.endsWith("?");
  // With a dot in front all steps are alike.
  const path = `.${optional ? text.slice(0, -1) : text}`;
  const steps: ImageStep[] = [];
  for (stepForm.lastIndex = 0; stepForm.lastIndex < path.length;) {
    const { name, quoted, entries } = stepForm.exec(path)?.groups ?? {};
    if (name !== undefined) {
      steps.push({ field: name });
    } else if (quoted !== undefined) {
      const field = unquoted(quoted);
      if (field === undefined) {
        return undefined;
      }
      steps.push({ field });
    } else if (entries !== undefined) {
      steps.push("each entry");
    } else if (stepForm.lastIndex > 0) {
      steps.push("each field");
    } else {
      return undefined;
    }
  }
  const [first] = steps;
  return typeof first === "object" ? { text, steps, optional } : undefined;
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
