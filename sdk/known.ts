import * as pulumi from "@pulumi/pulumi";

/** Whether a value is an output, or a promise, as a whole: what is in it can be known later only. */
export function isLater(value: unknown): boolean {
  return pulumi.Output.isInstance(value) || value instanceof Promise;
}

/** A value while the program runs: `undefined` in a preview while it is not known, or a part of it is not. */
export async function whenKnown<T>(value: pulumi.Input<T>): Promise<{ value: pulumi.Unwrap<T> } | undefined> {
  const output = pulumi.output(value);
  // Pulumi's own mark: an apply would never be called.
  const { isKnown } = output as unknown as { isKnown: Promise<boolean> };
  if (!(await isKnown)) {
    return undefined;
  }
  return { value: await new Promise<pulumi.Unwrap<T>>((resolve) => void output.apply(resolve)) };
}
