/** Pulumi outputs answer to any property name, so they are recognized by their own mark. */
export function isOutput(value: unknown): boolean {
  return typeof value === "object" && value !== null && (value as { __pulumiOutput?: unknown }).__pulumiOutput === true;
}

/** Whether a value is an output, or a promise, as a whole: what is in it can be known later only. */
export function isLater(value: unknown): boolean {
  return value instanceof Promise || isOutput(value);
}

/** Whether any part of a value is an output; nothing else of those is looked at. */
export function holdsOutput(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || depth > 20) {
    return typeof value === "function";
  }
  return isOutput(value) || Object.values(value).some((inner) => holdsOutput(inner, depth + 1));
}
